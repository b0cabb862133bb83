# SPDX-License-Identifier: Apache-2.0
"""train: fit the model on the prepared training part, reproducibly: equal inputs and seed give equal bytes."""

import hashlib
import json
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
_DEFAULTS = {"max_depth": 6, "eta": 0.1, "tree_method": "hist", "verbosity": 0}
_ALIASES = {"learning_rate": "eta", "reg_lambda": "lambda", "reg_alpha": "alpha", "min_split_loss": "gamma"}
_ROUNDS = ("num_boost_round", "n_estimators", "rounds")


def train(model: Model, prepared: Path, seed: int, trained: Path) -> dict[str, Any]:
    """Write `trained/{model.ubj,train.json}`.

    Args:
        model: `spec.train.params` are XGBoost's own; `rounds` (or n_estimators) is the number of trees.
        prepared: what prepare wrote.
        seed: of everything random in the fit.
        trained: an existing, empty folder.

    Returns:
        The content of train.json: trainer, params, seed, rounds, rows, importance, digest.

    Raises:
        InputError: a parameter that XGBoost does not know, or a value it refuses.
    """
    import xgboost

    summary = json.loads((prepared / "prepare.json").read_text())
    features, labels = _read(prepared / "train.parquet", summary["features"])
    params, rounds = _params(model, seed, len(summary["classes"]))
    _refuse_unknown(params)
    try:
        data = xgboost.QuantileDMatrix(features, labels, max_bin=int(params.get("max_bin", 256)))
        booster = xgboost.train(params, data, num_boost_round=rounds)
    except (xgboost.core.XGBoostError, ValueError) as error:
        message = str(error).strip().splitlines()[-1]
        raise InputError(f"XGBoost refused: {message}", place="spec.train.params") from error
    booster.save_model(trained / "model.ubj")
    result = {
        "trainer": "xgboost",
        "params": params,
        "seed": seed,
        "rounds": rounds,
        "rows": len(labels),
        "importance": _importance(booster, summary["features"]),
        "digest": file_digest(trained / "model.ubj"),
        "inputDigest": hashlib.sha256(json.dumps([summary["digest"], params, rounds, seed]).encode()).hexdigest(),
    }
    (trained / "train.json").write_text(json.dumps(result, indent=1, sort_keys=True, ensure_ascii=False))
    return result


def _read(path: Path, names: list[str]) -> tuple[NDArray[np.float32], NDArray[Any]]:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    features = np.empty((table.num_rows, len(names)), dtype=np.float32)
    for position, name in enumerate(names):
        features[:, position] = table.column(name).to_numpy()
    return features, table.column(TARGET).to_numpy()


def _params(model: Model, seed: int, classes: int) -> tuple[dict[str, Any], int]:
    """XGBoost's parameters and the number of rounds; a user's value wins, but not over task and seed."""
    given = {_ALIASES.get(name, name): value for name, value in model.spec.train.params.items()}
    rounds = DEFAULT_ROUNDS
    for name in _ROUNDS:
        rounds = given.pop(name, rounds)
    if not isinstance(rounds, int) or isinstance(rounds, bool) or not 1 <= rounds <= 100_000:
        raise InputError(f"expected from 1 to 100000, got {rounds!r}", place="spec.train.params.rounds")
    objectives = {"binary": "binary:logistic", "multiclass": "multi:softprob", "regression": "reg:squarederror"}
    task: dict[str, Any] = {"objective": objectives[model.spec.task], "seed": seed}
    if model.spec.task == "multiclass":
        task["num_class"] = classes
    return {**_DEFAULTS, **given, **task}, rounds


def _refuse_unknown(params: dict[str, Any]) -> None:
    """XGBoost only prints a warning for a misspelt parameter; we do not let one pass."""
    import xgboost

    known: set[str] = {"verbosity", "nthread", "max_bin", "seed", "objective", "device", "eval_metric", "num_class"}
    probe = {"objective": params["objective"], **({"num_class": 2} if "num_class" in params else {})}
    booster = xgboost.train({**probe, "verbosity": 0}, xgboost.DMatrix(np.eye(2), [0, 1]), num_boost_round=1)
    _collect(json.loads(booster.save_config()), known)
    unknown = sorted(set(params) - known)
    if unknown:
        raise InputError(f"XGBoost has no parameter {unknown[0]!r}", place=f"spec.train.params.{unknown[0]}")


def _collect(config: Any, names: set[str]) -> None:
    if isinstance(config, dict):
        names.update(config)
        for value in config.values():
            _collect(value, names)


def _importance(booster: Any, names: list[str]) -> dict[str, float]:
    """Each feature's share of the total gain, largest first; features never used are left out."""
    gain = booster.get_score(importance_type="total_gain")
    total = sum(gain.values()) or 1.0
    shares = {names[int(key[1:])]: round(value / total, 6) for key, value in gain.items()}
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))
