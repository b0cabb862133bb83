# SPDX-License-Identifier: Apache-2.0
"""The command line; one module a command, nothing heavy imported before a command needs it."""

from kelp.cli.app import main

__all__ = ["main"]
