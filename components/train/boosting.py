# SPDX-License-Identifier: Apache-2.0
"""The trainer `xgboost`: gradient boosted trees over quantile bins.

The rows go to XGBoost batch by batch, and it keeps one byte a value: the matrix is never in memory as floats.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from components.train.boosting_onnx import check_export, export_onnx
from components.train.parameters import ALIASES, parameters, refusal
from kelp.errors import InputError
from kelp.trainer import Rows, Training

__all__ = ["Boosting"]


class Boosting:
    """A `kelp.trainer.Trainer`.

    Attributes:
        booster: what `fit` fitted, an xgboost.Booster.
    """

    aliases: ClassVar[Mapping[str, str]] = ALIASES

    def __init__(self) -> None:
        self._training: Training | None = None
        self.booster: Any = None

    def fit(self, training: Training) -> Mapping[str, Any]:
        """Fit the trees; with early stopping only those up to the best round are kept.

        Raises:
            InputError: as `components.train.parameters.parameters`.
            EnvironmentFault: likewise.
        """
        import xgboost

        params, rounds = parameters(training)
        watch = _watch(training, rounds)
        try:
            rows = _matrix(training.rows, training, params)
            evals = []
            if training.validation is not None:
                evals = [(_matrix(training.validation, training, params, rows), "validation")]
            booster = xgboost.train(params, rows, rounds, evals=evals, verbose_eval=False, callbacks=[watch])
        except xgboost.core.XGBoostError as error:
            raise refusal(params, training, error) from error
        if training.early_stopping is not None:
            booster = booster[: watch.best + 1]
        booster.set_param({"device": "cpu"})  # where it answers from now on
        self._training, self.booster = training, booster
        return {
            "params": params,
            "rounds": booster.num_boosted_rounds(),
            "importance": _importance(booster, training.rows.features),
            **({"validation": watch.losses[booster.num_boosted_rounds() - 1]} if evals else {}),
        }

    def to_onnx(self) -> bytes:
        """Export the trees, and hold the export against them.

        Raises:
            IntegrityError: it answers otherwise than the trees.
        """
        booster, training = self._fitted()
        content = export_onnx(booster, training.transform)
        check_export(content, booster, training.transform, training.rows)
        return content

    def files(self) -> Mapping[str, bytes]:
        """XGBoost's own form, which explains scores and can be trained further."""
        return {"model.ubj": bytes(self._fitted()[0].save_raw("ubj"))}

    def space(self, trial: Any) -> Mapping[str, Any]:
        """What a search tries; the number of rounds is left to `rounds` and to early stopping."""
        return {
            "max_depth": trial.suggest_int("max_depth", 3, 10),
            "eta": trial.suggest_float("eta", 0.02, 0.3, log=True),
            "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 30.0, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
            "lambda": trial.suggest_float("lambda", 1e-2, 30.0, log=True),
        }

    def _fitted(self) -> tuple[Any, Training]:
        if self._training is None:
            raise InputError("expected a trainer that was fitted", place="spec.train.trainer", fix="call fit first")
        return self.booster, self._training


def _matrix(rows: Rows, training: Training, params: Mapping[str, Any], bins_of: Any = None) -> Any:
    """The rows in quantile bins: in their own, or in those of another matrix."""
    import xgboost

    weights = np.array(training.class_weights, dtype=np.float32)

    class Batches(xgboost.DataIter):
        """Hands one batch after another to XGBoost, which reads them all several times."""

        def __init__(self) -> None:
            super().__init__()
            self.batches = rows.batches()

        def reset(self) -> None:
            self.batches = rows.batches()

        def next(self, input_data: Callable[..., None]) -> bool:
            batch = next(self.batches, None)
            if batch is None:
                return False
            matrix, target = batch
            weight = weights[target.astype(np.intp)] if len(weights) else None
            input_data(data=matrix, label=target, weight=weight)
            return True

    return xgboost.QuantileDMatrix(Batches(), max_bin=params.get("max_bin", 256), ref=bins_of)


def _watch(training: Training, rounds: int) -> Any:
    """A callback that tells the progress, keeps the losses, and stops early."""
    from xgboost.callback import TrainingCallback

    class Watch(TrainingCallback):
        """`losses` of the rounds so far, on the validation rows; `best` is the round of the least."""

        def __init__(self) -> None:
            self.losses: list[float] = []
            self.best = 0

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            training.progress(epoch + 1, rounds)
            for losses in evals_log.get("validation", {}).values():
                # XGBoost adds up in parallel: the last digits change with the number of threads
                self.losses.append(float(f"{losses[-1]:.9g}"))
                if self.losses[-1] < self.losses[self.best]:
                    self.best = epoch
            return training.early_stopping is not None and epoch - self.best >= training.early_stopping

    return Watch()


def _importance(booster: Any, names: tuple[str, ...]) -> dict[str, float]:
    """Each feature's share of the total gain, largest first; features never used are left out."""
    gain = booster.get_score(importance_type="total_gain")
    total = sum(gain.values()) or 1.0
    shares = {names[int(key[1:])]: round(value / total, 6) for key, value in gain.items()}
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))
