# SPDX-License-Identifier: Apache-2.0
"""kelp: one file becomes a model that is trained, judged, served, watched and retrained.

This package holds what every other folder shares; see docs/architecture.md for the layers.
"""
