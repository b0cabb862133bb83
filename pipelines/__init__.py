# SPDX-License-Identifier: Apache-2.0
"""The graph of the steps and its compilation, and nothing else."""
