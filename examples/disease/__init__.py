# SPDX-License-Identifier: Apache-2.0
"""Real measurements of breast tumours with invented patients, for `models/disease.yaml`.

`python -m examples.disease --out data/disease` writes them; the same arguments give byte-identical files.
"""
