# SPDX-License-Identifier: Apache-2.0
"""report.html: evaluation.json for people, in one file that opens anywhere, without a network or a script."""

from components.evaluate.report.page import render

__all__ = ["render"]
