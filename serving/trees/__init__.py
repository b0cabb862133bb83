# SPDX-License-Identifier: Apache-2.0
"""A second way to answer from the trees in a model.onnx: a compiled kernel, where it is there, faster, and agrees."""
