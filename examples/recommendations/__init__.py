# SPDX-License-Identifier: Apache-2.0
"""Invented weekly lists of an online shop and the one item each user bought, for `models/recommendations.yaml`.

`python -m examples.recommendations --out data/recommendations` writes them; the same arguments give byte-identical
files.
"""
