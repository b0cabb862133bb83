# SPDX-License-Identifier: Apache-2.0
"""The defaults that people rely on: changing one changes what every existing spec means, so it is changed here too."""

import json

from kelp.spec import model_from_values

DEFAULTS: dict[str, object] = {
    "owner": "",
    "purpose": "",
    "features": [],
    "gates": [],
    "confidence": "95%",
    "undecided": "fail",
    "legacy": None,
    "fairness": {"mitigate": "none"},
    "train": {
        "trainer": "xgboost",
        "params": {},
        "search": None,
        "earlyStopping": None,
        "classWeights": "none",
        "seed": 7,
        "nodes": 1,
        "resources": {"requests": {}, "limits": {}},
        "nodeSelector": {},
        "tolerations": [],
    },
    "serve": {
        "replicas": 1,
        "resources": {"requests": {}, "limits": {}},
        "verify": "if-present",
        "rollout": {
            "shadow": "0d",
            "steps": [5, 25, 50],
            "timeLimit": "1h",
            "atTimeLimit": "hold",
            "notWorseBy": {"errors": "1%", "slow": "1%"},
            "slow": "50ms",
        },
    },
    "monitor": {
        "window": 1000,
        "maxWindowsPerDay": 96,
        "drift": {"falseAlarmsPerYear": 1.0, "confirm": "alibi"},
        "groundTruth": None,
        "slo": {"availability": "99.9%", "latency": "50ms", "latencyShare": "99%"},
        "retention": "90d",
    },
    "retrain": {
        "schedule": None,
        "timeZone": "UTC",
        "triggers": [],
        "cooldown": "1d",
        "budget": {"runs": 3, "per": "7d"},
        "approval": "none",
    },
}
DATA_DEFAULTS = {
    "positive": None,
    "id": None,
    "time": None,
    "entity": None,
    "split": {"by": None, "test": "20%", "gap": "0d"},
    "series": None,
    "csv": {"delimiter": None, "quote": None, "encoding": None, "header": None, "decimal": None},
    "engine": "duckdb",
    "maxBadRows": "1%",
    "retention": "365d",
    "columnsClosed": False,
}
COLUMN_DEFAULTS = {
    "privacy": "none",
    "min": None,
    "max": None,
    "missing": None,
    "fill": None,
    "clip": None,
    "maxCategories": 255,
    "monotone": None,
    "protected": False,
    "feature": None,
}


def test_public_defaults() -> None:
    data = {"source": "data://x", "target": "y", "columns": {"c": {"type": "int"}}}
    written = {
        "apiVersion": "kelp.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": "fraud"},
        "spec": {"task": "binary", "data": data},
    }
    found = json.loads(model_from_values(written, "").to_json())
    column = {"type": "int"} | COLUMN_DEFAULTS
    assert found["metadata"] == {"name": "fraud", "labels": {}}
    assert found["spec"] == {
        "task": "binary",
        "data": {"source": "data://x", "target": "y", "columns": {"c": column}} | DATA_DEFAULTS,
        **DEFAULTS,
    }


def test_the_defaults_of_a_search_and_a_gate() -> None:
    spec = {
        "task": "binary",
        "data": {"source": "data://x", "target": "y"},
        "train": {"search": {"trials": 2}},
        "gates": [{"metric": "f1", "atLeast": 0.5}],
    }
    written = {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": "fraud"}, "spec": spec}
    found = json.loads(model_from_values(written, "").to_json())["spec"]
    assert found["train"]["search"] == {"trials": 2, "timeLimit": "5m"}
    assert found["gates"] == [
        {"metric": "f1", "atLeast": 0.5, "atMost": None, "notWorseThan": None, "by": 0.0, "gapAcross": None}
    ]
