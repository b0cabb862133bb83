# SPDX-License-Identifier: Apache-2.0
"""A trainer of your own: a residual network in plain PyTorch. The guide is docs/own-trainer.md."""
