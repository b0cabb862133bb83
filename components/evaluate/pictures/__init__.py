# SPDX-License-Identifier: Apache-2.0
"""What the report draws of a task, as the values of `pictures` in evaluation.json. Pure; the step calls `draw`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.evaluate.holdout import Holdout
from components.evaluate.metrics import flagged
from components.evaluate.pictures import binary, classes, forecast, values
from components.evaluate.resampling import Setting, System
from components.evaluate.truth import FloatArray

__all__ = ["draw"]


def draw(setting: Setting, holdout: Holdout, systems: Sequence[System]) -> dict[str, Any]:
    """Return the pictures of the task; the candidate is the first system."""
    score = systems[0].score
    if holdout.truth.task == "regression":
        found = values.band(holdout.target, score, setting.confidence, setting.rng)
        return _errors(holdout, score) | {"points": values.points(holdout.target, score), "band": found}
    if holdout.series is not None:
        return _errors(holdout, score) | {
            "series": forecast.drawn_series(holdout.truth, score, holdout.series),
            "origins": forecast.by_origin(holdout.truth, score, holdout.series),
            "weekdays": forecast.by_weekday(holdout.truth, score, holdout.series),
        }
    matrix = classes.confusion(holdout.target, score, len(holdout.classes))
    shown, names = classes.limited(matrix, holdout.classes)
    confusion = {"confusion": {"classes": names, "matrix": shown.tolist()}}
    if holdout.truth.task == "binary":
        return confusion | _binary(setting, holdout, systems)
    return confusion | {
        "confused": classes.most_confused(matrix, holdout.classes),
        "classes": classes.each_class(matrix, holdout.classes, setting.confidence),
    }


def _errors(holdout: Holdout, score: FloatArray) -> dict[str, Any]:
    return {
        "tenths": values.tenths(holdout.target, score),
        "histogram": values.histogram(holdout.target, score),
    }


def _binary(setting: Setting, holdout: Holdout, systems: Sequence[System]) -> dict[str, Any]:
    rows = {
        system.name: (holdout.target[system.rows], system.score[system.rows])
        for system in systems
        if system.name != "dummy" and len(np.unique(holdout.target[system.rows])) == 2
    }
    score = systems[0].score
    labels = flagged(score).astype(np.float64)
    return {
        "roc": {name: binary.roc(*both) for name, both in rows.items()},
        "precisionRecall": {name: binary.precision_recall(*both) for name, both in rows.items()},
        "calibration": binary.calibration(holdout.target, score, setting.confidence),
        "costs": {name: binary.cost_curve(*both) for name, both in rows.items()} | {"dummy": binary.dummy_costs()},
        "costsAtHalf": binary.costs_at(holdout.target, labels),
    }
