# SPDX-License-Identifier: Apache-2.0
"""The spec: one file `models/<name>.yaml` as a checked, frozen value.

`load_model` reads a file, `Model` is the value, `json_schema` is what editors and the CRD use.
"""

from kelp.spec.data import Column, Data, Feature, Split
from kelp.spec.load import load_model, model_from_json, model_from_values, refuse_unbuilt
from kelp.spec.model import Gate, Model, Spec
from kelp.spec.schema import json_schema

__all__ = [
    "Column",
    "Data",
    "Feature",
    "Gate",
    "Model",
    "Spec",
    "Split",
    "json_schema",
    "load_model",
    "model_from_json",
    "model_from_values",
    "refuse_unbuilt",
]
