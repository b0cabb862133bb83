# SPDX-License-Identifier: Apache-2.0
"""Invented price quotes of a ticket shop whose prices move with what was just sold, for `models/pricing.yaml`.

`python -m examples.pricing --out data/pricing` writes them; the same arguments give byte-identical files.
"""
