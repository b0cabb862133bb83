# SPDX-License-Identifier: Apache-2.0
"""The parameters of the trainer `xgboost`: XGBoost's own, checked before the data is read.

XGBoost only prints a warning for a misspelt name, and refuses some values only when it meets the data: here both are
errors that name the parameter.
"""

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from kelp.errors import EnvironmentFault, InputError
from kelp.trainer import Training

DEFAULT_ROUNDS = 200
MAX_ROUNDS = 100_000
ROUNDS = ("rounds", "num_boost_round", "n_estimators")
ALIASES = {
    "learning_rate": "eta",
    "reg_lambda": "lambda",
    "reg_alpha": "alpha",
    "min_split_loss": "gamma",
    **dict.fromkeys(ROUNDS, "rounds"),
}
_DEFAULTS = {"max_depth": 6, "eta": 0.1, "tree_method": "hist", "verbosity": 0}
_OBJECTIVES = {  # of each task: what is minimised, and the loss that is compared
    "binary": ("binary:logistic", "logloss"),
    "multiclass": ("multi:softprob", "mlogloss"),
    "text": ("multi:softprob", "mlogloss"),
    "regression": ("reg:squarederror", "rmse"),
    "forecast": ("reg:squarederror", "rmse"),
}
_DECIDED_BY = {  # parameters that follow from another field
    "objective": "spec.task",
    "eval_metric": "spec.task",
    "num_class": "the labels in the data",
    "seed": "spec.train.seed",
    "random_state": "spec.train.seed",
    "device": "spec.train.resources (nvidia.com/gpu)",
    "early_stopping_rounds": "spec.train.earlyStopping",
}
_ONLY = {  # parameters with one value of which the rest of the pipeline can make use
    "booster": "gbtree",
    "tree_method": "hist",
    "multi_strategy": "one_output_per_tree",
    "process_type": "default",
}
_LOCATION = re.compile(r"^\[[\d:]+\] \S+:\d+: (Check failed: )?")


def parameters(training: Training) -> tuple[dict[str, Any], int]:
    """Return XGBoost's parameters under their own names, and the number of rounds.

    Raises:
        InputError: a parameter is unknown, given twice, or has a value that XGBoost or the pipeline cannot use.
        EnvironmentFault: XGBoost finds no GPU where one is asked for.
    """
    given: dict[str, Any] = {}
    for name, value in training.params.items():
        place, own_name = _place(name), ALIASES.get(name, name)
        if own_name in given:
            raise InputError(f"expected {own_name} once, found it under two names", place=place, fix="leave one out")
        _refuse_value(name, value, place)
        given[own_name] = value
    rounds = int(given.pop("rounds", DEFAULT_ROUNDS))
    params = {**_DEFAULTS, **given, **_decided(training, given)}
    _refuse_unknown(params)
    _refuse_refused(params, training)
    return params, rounds


def _decided(training: Training, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that other fields decide."""
    objective, loss = _OBJECTIVES[training.transform.task]
    found = {"objective": objective, "eval_metric": loss, "seed": training.seed, "device": training.device}
    if training.transform.is_multiclass:
        found["num_class"] = len(training.transform.classes)
    if training.monotone:
        if "monotone_constraints" in given:
            fix = "leave it out: a column of the spec is declared monotone"
            raise InputError("expected it once", place=_place("monotone_constraints"), fix=fix)
        signs = [str(training.monotone.get(feature.name, 0)) for feature in training.transform.features]
        found["monotone_constraints"] = f"({','.join(signs)})"
    return found


def _place(name: str) -> str:
    return f"spec.train.params.{name}"


def _refuse_value(name: str, value: Any, place: str) -> None:
    if name in _DECIDED_BY:
        raise InputError(f"expected it to be left to {_DECIDED_BY[name]}", place=place, fix="leave it out")
    if name in _ONLY and value != _ONLY[name]:
        raise InputError(f"expected {_ONLY[name]}, found {value!r}", place=place, fix="leave it out")
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if name in ROUNDS and not (is_whole and 1 <= value <= MAX_ROUNDS):
        raise InputError(f"expected from 1 to {MAX_ROUNDS}, found {value!r}", place=place, fix="write a whole number")
    if name == "max_bin" and not is_whole:
        raise InputError(f"expected a whole number, found {value!r}", place=place, fix="write a whole number")


def _refuse_unknown(params: Mapping[str, Any]) -> None:
    """Hold the names against those in the configuration of a booster made for the same objective."""
    known = {"verbosity", "eval_metric", "base_score", "num_parallel_tree", "num_class"}
    probe = {name: params[name] for name in ("objective", "num_class", "device") if name in params}
    config = json.loads(_try({**probe, "verbosity": 0}, 2).save_config())
    if (used := config["learner"]["generic_param"]["device"]).split(":")[0] != params["device"]:
        raise EnvironmentFault(
            f"expected XGBoost to compute on {params['device']}, it would on {used}",
            place="spec.train.resources",
            fix="install an xgboost that is built for CUDA, on a machine with a GPU; or ask for no nvidia.com/gpu",
        )
    _collect(config, known)
    unknown = next((name for name in params if name not in known), None)
    if unknown is not None:
        near = difflib.get_close_matches(unknown, known, n=1)
        fix = f"did you mean {near[0]}?" if near else "leave it out"
        raise InputError(f"XGBoost has no parameter {unknown!r}", place=_place(unknown), fix=fix)


def _collect(config: Any, names: set[str]) -> None:
    """Add the names of all parameters in XGBoost's configuration, of which only those of the fit can be given."""
    if isinstance(config, list):
        for item in config:
            _collect(item, names)
    if isinstance(config, dict):
        for key, value in config.items():
            if key.endswith("_param") and not key.endswith("_model_param"):
                names.update(value)
            _collect(value, names)


def _refuse_refused(params: Mapping[str, Any], training: Training) -> None:
    """Train on two rows; what XGBoost does not take, it says now."""
    try:
        _try(params, training.transform.width)
    except _errors() as error:
        raise refusal(params, training, error) from error


def refusal(params: Mapping[str, Any], training: Training, error: Exception) -> InputError:
    """What XGBoost said, at the parameter that it refuses also when it stands alone."""
    of_task = {name: params[name] for name in ("objective", "num_class", "device") if name in params}
    place = "spec.train.params"
    for name in (name for name in training.params if name not in ROUNDS):
        own_name = ALIASES.get(name, name)
        if _is_refused({**of_task, "verbosity": 0, own_name: params[own_name]}, training.transform.width):
            place = _place(name)
            break
    said = _LOCATION.sub("", str(error).strip().split("Stack trace", maxsplit=1)[0]).splitlines()
    headline = said[0].strip() if said else type(error).__name__
    return InputError(f"XGBoost refused: {headline}", place=place, fix="correct the value, or leave it out")


def _is_refused(params: Mapping[str, Any], width: int) -> bool:
    try:
        _try(params, width)
    except _errors():
        return True
    return False


def _try(params: Mapping[str, Any], width: int) -> Any:
    """One round on two rows; what XGBoost does not take raises one of `_errors`."""
    import xgboost

    rows = xgboost.QuantileDMatrix(np.eye(2, width, dtype=np.float32), np.arange(2), max_bin=params.get("max_bin", 256))
    return xgboost.train(dict(params), rows, num_boost_round=1, evals=[(rows, "rows")], verbose_eval=False)


def _errors() -> tuple[type[Exception], ...]:
    """What XGBoost raises for a value that it does not take."""
    import xgboost

    return xgboost.core.XGBoostError, TypeError, ValueError
