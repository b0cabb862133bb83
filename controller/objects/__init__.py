# SPDX-License-Identifier: Apache-2.0
"""The Kubernetes objects of a model, as pure functions: a checked model and a home in, plain dicts out.

Defaults that the API server would add to routes are written out, so that a GitOps tool sees no difference after apply.
"""

from controller.objects.http_route import http_route
from controller.objects.inference_service import inference_service
from controller.objects.serving_runtime import cluster_serving_runtime, serving_runtime

__all__ = ["cluster_serving_runtime", "http_route", "inference_service", "serving_runtime"]
