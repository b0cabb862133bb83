# SPDX-License-Identifier: Apache-2.0
"""Messages to a shop's support chat, for `models/intents.yaml`; written for kelp, none is copied from a data set.

`python -m examples.intents --out data/intents` writes them; the same arguments give byte-identical files.
"""
