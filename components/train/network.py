# SPDX-License-Identifier: Apache-2.0
"""The trainer `torch`: a network for tables and for texts, fitted on batches of rows that need not fit into memory.

The step `train` calls it through `kelp.trainer.Trainer`. Only its methods import torch.
"""

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.train.network_importance import shares
from components.train.network_layout import Layout, Survey, layout_of
from components.train.network_rows import Block, Moments, open_source
from components.train.network_settings import settings_of
from kelp.errors import EnvironmentFault, InputError
from kelp.frame.transform import Matrix
from kelp.trainer import Training

if TYPE_CHECKING:
    from components.train.network_fit import Epoch, Fit
    from components.train.network_layers import Layers

_CURVE_POINTS = 100
_SAMPLE_ROWS = 2000
_MOST_IMPORTANCES = 500  # features; each costs one pass over the sample


class Network:
    """Layers behind standardised numbers, embeddings of categories, and a bag of embeddings of tokens."""

    def __init__(self) -> None:
        self._fitted: tuple[Layers, Matrix] | None = None
        self._exported: Any = None

    def fit(self, training: Training) -> Mapping[str, Any]:
        """See `kelp.trainer.Trainer.fit`.

        Returns:
            `params`, `epochs` (up to the weights that are kept), `curve` (the losses of at most 100 epochs),
            `validation` if rows were kept back, and `importance` unless there are tokens or over 500 features.
            The losses are the log loss, or the squared error in units of the target's variance.

        Raises:
            InputError: a parameter is unknown or has a value that cannot be used; the loss is no number any more.
            EnvironmentFault: torch is not installed, or has no GPU where one is asked for.
        """
        _require_torch(training.device)
        from components.train.network_fit import Fit, steady
        from components.train.network_layers import Layers

        _refuse_monotone(training)
        settings = settings_of(training.params, is_text=_is_text(training), rows=training.rows.count())
        survey = Survey(Moments(), Moments(), Moments())
        source = open_source(training.rows, survey.see)
        kept_back = open_source(training.validation) if training.validation else None
        layout = layout_of(training.transform, survey)
        _refuse_targets(layout)
        with steady(training.seed, training.device):
            fit = Fit(Layers(layout, settings), settings, training)
            epochs, best = fit.run(source, kept_back, training.progress)
            sample = (kept_back or source).sample(_SAMPLE_ROWS)
            importance = _importance(fit, sample, training)
        self._fitted, self._exported = (fit.network.cpu().eval(), sample[0]), None
        return {
            "params": settings.as_params(),
            "epochs": best.number,
            "curve": _thinned(epochs),
            **({} if best.validation is None else {"validation": best.validation}),
            **importance,
        }

    def to_onnx(self) -> bytes:
        """See `kelp.trainer.Trainer.to_onnx`.

        Raises:
            IntegrityError: ONNX Runtime answers otherwise than torch.
        """
        from components.train.network_export import to_onnx
        from components.train.network_fit import steady

        network, sample = self._known()
        with steady(0, "cpu"):
            return to_onnx(self._program(), network, sample)

    def files(self) -> Mapping[str, bytes]:
        """The network as torch itself reads it, by `torch.export.load`."""
        from components.train.network_export import to_pt2

        return {"model.pt2": to_pt2(self._program())}

    def space(self, trial: Any) -> Mapping[str, Any]:
        """The parameters of an optuna trial."""
        return {
            "hidden": trial.suggest_categorical("hidden", [32, 64, 128, 256]),
            "layers": trial.suggest_int("layers", 1, 3),
            "dropout": trial.suggest_float("dropout", 0.0, 0.5),
            "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True),
        }

    def _known(self) -> tuple["Layers", Matrix]:
        if self._fitted is None:
            raise RuntimeError("fit comes before the export")
        return self._fitted

    def _program(self) -> Any:
        from components.train.network_export import exported

        if self._exported is None:
            self._exported = exported(self._known()[0])
        return self._exported


def _require_torch(device: str) -> None:
    for name in ("torch", "onnxscript"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise EnvironmentFault(
                f"the trainer torch needs {name}, which cannot be imported: {error}",
                place="spec.train.trainer",
                fix="pip install torch==2.13.0 onnxscript (on Linux several GB, unless from PyTorch's index for CPUs)",
            ) from error
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentFault(
            f"expected torch to find a GPU, found none with torch {torch.__version__}",
            place="spec.train.resources",
            fix="install torch for the driver's version of CUDA, or ask for no GPU",
        )


def _refuse_monotone(training: Training) -> None:
    for name in training.monotone or ():
        raise InputError(
            "expected no monotone feature with the trainer torch, found one",
            place=f"feature {name}",
            fix="use the trainer xgboost, or leave monotone out",
        )


def _refuse_targets(layout: Layout) -> None:
    if not max(abs(layout.target_mean), layout.target_deviation) < 1e37:  # the network answers in float32
        raise InputError(
            f"expected values far within float32, found a mean of {layout.target_mean:g}",
            place="spec.data.target",
            fix="write the target in a larger unit",
        )


def _is_text(training: Training) -> bool:
    return training.transform.tokenizer is not None


def _importance(fit: "Fit", sample: Block, training: Training) -> dict[str, dict[str, float]]:
    """Nothing for tokens, none of which means anything alone."""
    names = training.rows.features
    if _is_text(training) or len(names) > _MOST_IMPORTANCES:
        return {}
    return {"importance": shares(fit.loss, sample, names, training.seed)}


def _thinned(epochs: Sequence["Epoch"]) -> list[dict[str, Any]]:
    """At most about 100 epochs, evenly spread, the last one among them."""
    step = -(-len(epochs) // _CURVE_POINTS)
    return [
        {
            "epoch": epoch.number,
            "training": round(epoch.training, 6),
            **({} if epoch.validation is None else {"validation": round(epoch.validation, 6)}),
        }
        for epoch in [*reversed(epochs[::-step])]
    ]
