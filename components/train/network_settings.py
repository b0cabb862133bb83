# SPDX-License-Identifier: Apache-2.0
"""The parameters of the trainer `torch`: `spec.train.params`, checked, with every default. No torch here."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kelp.errors import InputError

_TABLE: dict[str, Any] = {
    "hidden": 128,
    "layers": 2,
    "dropout": 0.1,
    "learning_rate": 0.002,
    "weight_decay": 0.0001,
    "epochs": 30,
    "embedding": 32,
}
_TEXT: dict[str, Any] = {
    "hidden": 64,
    "layers": 1,
    "dropout": 0.3,
    "learning_rate": 0.002,
    "weight_decay": 0.1,
    "epochs": 40,
    "embedding": 64,
}
_WHOLE = {"layers": (1, 8), "epochs": (1, 10_000), "batch_size": (1, 2**20), "embedding": (1, 1024)}
_REAL = {"dropout": (0.0, 0.9), "learning_rate": (1e-8, 1e8), "weight_decay": (0.0, 100.0)}
_WIDEST = 4096
_NAMES = (*_TABLE, "batch_size")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a fit is done with.

    Attributes:
        hidden: units of each hidden layer.
        dropout: share of the hidden units left out at each step.
        learning_rate: of AdamW at the first epoch; it falls to 0 along a cosine.
        weight_decay: of AdamW.
        epochs: passes over the rows, at most.
        batch_size: rows a step, at most.
        embedding: numbers that a token becomes, and the most that a category becomes.
    """

    hidden: tuple[int, ...]
    dropout: float
    learning_rate: float
    weight_decay: float
    epochs: int
    batch_size: int
    embedding: int

    def as_params(self) -> dict[str, Any]:
        """The same as `spec.train.params` would say it."""
        return {
            "hidden": ",".join(map(str, self.hidden)),
            "layers": len(self.hidden),
            **{name: getattr(self, name) for name in (*_REAL, "epochs", "batch_size", "embedding")},
        }


def settings_of(params: Mapping[str, Any], *, is_text: bool, rows: int) -> Settings:
    """Check the parameters and add the defaults, which differ for texts.

    Args:
        params: `spec.train.params`; `hidden` is a number of units for each of `layers`, or a list such as "128,64".
        is_text: whether the rows hold tokens.
        rows: how many there are to learn from; without a `batch_size` an epoch has about 64 steps of 32 to 1,024 rows.

    Raises:
        InputError: a parameter is unknown, or has a value that cannot be used.
    """
    for name, value in params.items():
        _refuse(name, value)
    automatic = min(1024, max(32, 2 ** (max(1, rows // 64).bit_length() - 1)))
    chosen = {**(_TEXT if is_text else _TABLE), "batch_size": automatic, **params}
    return Settings(
        hidden=_hidden(chosen["hidden"], chosen["layers"], "layers" in params),
        dropout=float(chosen["dropout"]),
        learning_rate=float(chosen["learning_rate"]),
        weight_decay=float(chosen["weight_decay"]),
        epochs=chosen["epochs"],
        batch_size=chosen["batch_size"],
        embedding=chosen["embedding"],
    )


def _refuse(name: str, value: Any) -> None:
    place = f"spec.train.params.{name}"
    if name not in _NAMES:
        near = difflib.get_close_matches(name, _NAMES, n=1)
        raise InputError(
            f"expected one of {', '.join(_NAMES)}, found {name!r}",
            place=place,
            fix=f"did you mean {near[0]}?" if near else "leave it out",
        )
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if name in _WHOLE and not (is_whole and _WHOLE[name][0] <= value <= _WHOLE[name][1]):
        raise _wrong(name, f"a whole number from {_WHOLE[name][0]} to {_WHOLE[name][1]}", value)
    if name in _REAL and not ((is_whole or isinstance(value, float)) and _REAL[name][0] <= value <= _REAL[name][1]):
        raise _wrong(name, f"a number from {_REAL[name][0]:g} to {_REAL[name][1]:g}", value)


def _hidden(value: Any, layers: int, is_given: bool) -> tuple[int, ...]:
    expected = f'a number of units from 1 to {_WIDEST}, or up to 8 of them such as "128,64"'
    parts = value.split(",") if isinstance(value, str) else [value]
    try:
        units = tuple(int(part) for part in parts if not isinstance(part, bool | float))
    except ValueError as error:
        raise _wrong("hidden", expected, value) from error
    if len(units) != len(parts) or len(units) > 8 or not all(1 <= unit <= _WIDEST for unit in units):
        raise _wrong("hidden", expected, value)
    if len(units) == 1:
        return units * layers if not isinstance(value, str) or is_given else units
    if is_given and layers != len(units):
        raise _wrong("layers", f"{len(units)}, as many as spec.train.params.hidden lists", layers)
    return units


def _wrong(name: str, expected: str, found: Any) -> InputError:
    return InputError(
        f"expected {expected}, found {found!r}",
        place=f"spec.train.params.{name}",
        fix="correct the value, or leave it out",
    )
