# SPDX-License-Identifier: Apache-2.0
"""From a Model to the Kubernetes objects that serve it: pure functions, values in and values out."""
