# SPDX-License-Identifier: Apache-2.0
"""Invented daily sales of a small chain of shops, for `models/demand.yaml`.

`python -m examples.demand --out data/demand` writes them; the same arguments give byte-identical files.
"""
