# SPDX-License-Identifier: Apache-2.0
"""Makers of example data and walkthroughs; nothing in kelp imports this package."""
