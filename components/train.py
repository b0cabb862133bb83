# SPDX-License-Identifier: Apache-2.0
"""train: fit the model on the prepared training part, reproducibly: equal inputs and seed give equal bytes."""

import difflib
import hashlib
import json
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelp.errors import InputError
from kelp.parquet import file_digest
from kelp.spec import Model

__all__ = ["train"]

TARGET = "__target"
DEFAULT_ROUNDS = 200
MAX_ROUNDS = 100_000
ROUNDS = ("rounds", "num_boost_round", "n_estimators")
_DEFAULTS = {"max_depth": 6, "eta": 0.1, "tree_method": "hist", "verbosity": 0}
_ALIASES = {"learning_rate": "eta", "reg_lambda": "lambda", "reg_alpha": "alpha", "min_split_loss": "gamma"}
_OBJECTIVES = {"binary": "binary:logistic", "multiclass": "multi:softprob", "regression": "reg:squarederror"}
_DECIDED_BY = {  # parameters that follow from another field
    "objective": "spec.task",
    "num_class": "the labels in the data",
    "seed": "spec.train.seed",
    "random_state": "spec.train.seed",
}
_ONLY = {  # parameters with one value of which the rest of the pipeline can make use
    "booster": "gbtree",
    "tree_method": "hist",
    "multi_strategy": "one_output_per_tree",
    "process_type": "default",
}
_log = logging.getLogger(__name__)
_LOCATION = re.compile(r"^\[[\d:]+\] \S+:\d+: (Check failed: )?")


def train(model: Model, prepared: Path, seed: int, trained: Path) -> dict[str, Any]:
    """Write `trained/{model.ubj,train.json}`.

    Args:
        model: `spec.train.params` are XGBoost's own; `rounds` (or n_estimators) is the number of trees.
        prepared: what prepare wrote.
        seed: of everything random in the fit.
        trained: an existing, empty folder.

    Returns:
        The content of train.json: trainer, params, seed, rounds, device, rows, importance, digest.

    Raises:
        InputError: a parameter that XGBoost does not know, or a value that it refuses or the pipeline cannot use.
    """
    summary = json.loads((prepared / "prepare.json").read_text(encoding="utf-8"))
    features, labels = _read(prepared / "train.parquet", summary["features"])
    params, rounds = parameters(model, seed, len(summary["classes"]))
    _refuse_unknown(params)
    try:
        booster = _fit(params, features, labels, rounds)
    except _errors() as error:
        raise _refusal(params, model.spec.train.params, features.shape[1], error) from error
    device = _device(booster)
    if device == "cpu" != params.get("device", "cpu"):
        _log.warning("trained on cpu, for there is no %s here", params["device"])
    booster.save_model(trained / "model.ubj")
    result = {
        "trainer": "xgboost",
        "params": params,
        "seed": seed,
        "rounds": rounds,
        "device": device,
        "rows": len(labels),
        "importance": _importance(booster, summary["features"]),
        "digest": file_digest(trained / "model.ubj"),
        "inputDigest": hashlib.sha256(json.dumps([summary["digest"], params, rounds, seed]).encode()).hexdigest(),
    }
    text = json.dumps(result, indent=1, sort_keys=True, ensure_ascii=False)
    (trained / "train.json").write_text(text, encoding="utf-8")
    return result


def _read(path: Path, names: list[str]) -> tuple[NDArray[np.float32], NDArray[Any]]:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    features = np.empty((table.num_rows, len(names)), dtype=np.float32)
    for position, name in enumerate(names):
        features[:, position] = table.column(name).to_numpy()
    return features, table.column(TARGET).to_numpy()


def parameters(model: Model, seed: int, classes: int) -> tuple[dict[str, Any], int]:
    """Return XGBoost's parameters under their own names, and the number of rounds.

    Raises:
        InputError: a parameter is given twice, or its value is not one that the pipeline can use.
    """
    given: dict[str, Any] = {}
    for name, value in model.spec.train.params.items():
        place, own_name = f"spec.train.params.{name}", _own_name(name)
        if own_name in given:
            raise InputError(f"expected {own_name} once, found it under two names", place=place, fix="leave one out")
        _refuse_value(name, value, place)
        given[own_name] = value
    rounds = int(given.pop("rounds", DEFAULT_ROUNDS))
    task: dict[str, Any] = {"objective": _OBJECTIVES[model.spec.task], "seed": seed}
    if model.spec.task == "multiclass":
        task["num_class"] = classes
    return {**_DEFAULTS, **given, **task}, rounds


def _own_name(name: str) -> str:
    return _ALIASES.get(name, "rounds" if name in ROUNDS else name)


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


def _refuse_unknown(params: dict[str, Any]) -> None:
    """XGBoost only prints a warning for a misspelt parameter; we do not let one pass."""
    import xgboost

    known = {"verbosity", "eval_metric", "base_score", "num_parallel_tree", "num_class"}
    probe = {"objective": params["objective"], **({"num_class": 2} if "num_class" in params else {})}
    booster = xgboost.train({**probe, "verbosity": 0}, xgboost.DMatrix(np.eye(2), [0, 1]), num_boost_round=1)
    _collect(json.loads(booster.save_config()), known)
    unknown = next((name for name in params if name not in known), None)
    if unknown is not None:
        near = difflib.get_close_matches(unknown, known, n=1)
        raise InputError(
            f"XGBoost has no parameter {unknown!r}",
            place=f"spec.train.params.{unknown}",
            fix=f"did you mean {near[0]}?" if near else "leave it out",
        )


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


def _fit(params: Mapping[str, Any], features: NDArray[np.float32], labels: NDArray[Any], rounds: int) -> Any:
    """Train a booster; what XGBoost does not take raises one of `_errors`."""
    import xgboost

    data = xgboost.QuantileDMatrix(features, labels, max_bin=params.get("max_bin", 256))
    return xgboost.train(dict(params), data, num_boost_round=rounds)


def _refusal(params: Mapping[str, Any], given: Iterable[str], width: int, error: Exception) -> InputError:
    """What XGBoost said, at the parameter that it refuses also when it stands alone."""
    of_task = {name: params[name] for name in ("objective", "num_class") if name in params}
    place = "spec.train.params"
    for name in (name for name in given if name not in ROUNDS):
        if _is_refused({**of_task, "verbosity": 0, _own_name(name): params[_own_name(name)]}, width):
            place = f"spec.train.params.{name}"
            break
    said = _LOCATION.sub("", str(error).strip().split("Stack trace", maxsplit=1)[0]).splitlines()
    headline = said[0].strip() if said else type(error).__name__
    return InputError(f"XGBoost refused: {headline}", place=place, fix="correct the value, or leave it out")


def _is_refused(params: Mapping[str, Any], width: int) -> bool:
    try:
        _fit(params, np.eye(2, width, dtype=np.float32), np.arange(2), 1)
    except _errors():
        return True
    return False


def _errors() -> tuple[type[Exception], ...]:
    """What XGBoost raises for a value that it does not take."""
    import xgboost

    return xgboost.core.XGBoostError, TypeError, ValueError


def _device(booster: Any) -> str:
    """Where the fit ran, which is the CPU if a GPU was asked for and there is none."""
    return str(json.loads(booster.save_config())["learner"]["generic_param"]["device"])


def _importance(booster: Any, names: list[str]) -> dict[str, float]:
    """Each feature's share of the total gain, largest first; features never used are left out."""
    gain = booster.get_score(importance_type="total_gain")
    total = sum(gain.values()) or 1.0
    shares = {names[int(key[1:])]: round(value / total, 6) for key, value in gain.items()}
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))
