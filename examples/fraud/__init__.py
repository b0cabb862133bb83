# SPDX-License-Identifier: Apache-2.0
"""Invented card payments like a bank's export, for `models/fraud.yaml`.

`python -m examples.fraud --out data/fraud` writes them; the same arguments give byte-identical files.
"""
