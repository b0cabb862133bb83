# SPDX-License-Identifier: Apache-2.0
"""The pipeline's steps: plain functions, paths and values in and out. `definitions` wraps them for KFP."""
