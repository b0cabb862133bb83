# SPDX-License-Identifier: Apache-2.0
"""Trainings for the trainer `torch`: small tables and texts that can be learned."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kelp.frame.text import fit_vocabulary
from kelp.frame.transform import Feature, Matrix, RawColumn, Tokenizer, Transform, Window
from kelp.trainer import Rows, Training

CLASSES = {"binary": ("no", "yes"), "multiclass": ("high", "low", "none")}
CATEGORIES = ("a", "b", "c", "d", "e")


def a_table(
    folder: Path, *, task: str = "binary", rows: int = 1500, params: Mapping[str, Any] | None = None
) -> Training:
    """The target follows from `x`, whose sign depends on `kind`, from the logarithm of `heavy`, and from noise.

    A tenth of the rows is kept back; `constant` says nothing.
    """
    rng = np.random.default_rng(3)
    matrix = np.empty((rows, 4), dtype=np.float32)
    matrix[:, 0] = rng.normal(size=rows)
    matrix[:, 1] = rng.lognormal(0, 2, size=rows)
    matrix[:, 2] = rng.integers(0, len(CATEGORIES) + 1, size=rows)
    matrix[:, 3] = 3.0
    sign = np.where(matrix[:, 2] % 2 == 0, 1.5, -1.5)
    signal = sign * matrix[:, 0] + 0.7 * np.log(matrix[:, 1]) + rng.normal(scale=0.3, size=rows)
    target = {"binary": signal > 0, "multiclass": np.digitize(signal, [-1, 1])}.get(task, 50_000 + 1000 * signal)
    return a_training(folder, _transform(task), matrix, np.asarray(target, dtype=np.float64), params)


def _transform(task: str) -> Transform:
    names, floats = ("x", "heavy", "kind", "constant"), ("x", "heavy", "constant", "y")
    return Transform.model_validate(
        {
            "task": task,
            "classes": CLASSES.get(task, ()),
            "columns": [
                *(RawColumn(name=name, type="float", nullable=True) for name in floats),
                RawColumn(name="kind", type="string", nullable=True),
                RawColumn(name="when", type="timestamp", nullable=False),
            ],
            "features": [
                Feature(name=name, column=name, kind="category", categories=CATEGORIES)
                if name == "kind"
                else Feature(name=name, column=name, kind="number")
                for name in names
            ],
            "time": "when",
            "windows": [Window(name="lag", by=("kind",), over="y", take="mean", start_us=2, end_us=1)],
        }
    )


def plain(width: int) -> Transform:
    """A binary task on `width` numbers."""
    names = [f"n{position}" for position in range(width)]
    return Transform(
        task="binary",
        classes=("no", "yes"),
        columns=tuple(RawColumn(name=name, type="float", nullable=True) for name in names),
        features=tuple(Feature(name=name, column=name, kind="number") for name in names),
    )


def a_training(
    folder: Path,
    transform: Transform,
    matrix: Matrix,
    target: NDArray[np.float64],
    params: Mapping[str, Any] | None = None,
) -> Training:
    """Write the rows as prepare does, every tenth kept back, and ask for a fit on all of them."""
    names = tuple(feature.name for feature in transform.features)
    columns = {name: matrix[:, position] for position, name in enumerate(names)}
    kept_back = np.arange(len(matrix)) % 10 == 9
    path = folder / "train.parquet"
    pq.write_table(pa.table({**columns, "__target": target, "__validation": kept_back}), path)
    return Training(transform, Rows(path, names), params or {}, seed=7)


def with_validation(training: Training, early_stopping: int | None = None) -> Training:
    """The same training, on nine tenths of the rows, with the others to stop early by."""
    rows = {part: replace(training.rows, kept_back=part) for part in (False, True)}
    return replace(training, rows=rows[False], validation=rows[True], early_stopping=early_stopping)


_SENTENCES = {
    "balance": ["how much {m} is on my {a}", "show me the balance of my {a}", "what is left on my {a}"],
    "hours": ["when do you open {w}", "are you open {w}", "until what time is the branch open {w}"],
    "lost": ["i lost my {c}", "my {c} was stolen {w}", "block my {c} please", "i cannot find my {c} since {w}"],
    "password": ["i forgot my {s}", "reset the {s} of my {a}", "my {s} does not work {w}"],
    "transfer": ["send {m} to my {p}", "please move {m} to my {a}", "i want to pay my {p} some {m}"],
}
_WORDS = {
    "m": ["money", "100 euros", "cash", "fifty dollars"],
    "a": ["account", "savings account", "checking account"],
    "p": ["brother", "landlord", "friend"],
    "c": ["card", "credit card", "debit card"],
    "w": ["today", "yesterday", "on monday", "this morning"],
    "s": ["password", "pin", "passcode", "login"],
}
INTENTS = tuple(sorted(_SENTENCES))


def sentences(count: int, seed: int) -> tuple[list[str], NDArray[np.float64]]:
    """Sentences to a bank, with words left out and misspelt, and the position of each one's intent in `INTENTS`."""
    draw = random.Random(seed)
    texts, target = [], np.empty(count)
    for row in range(count):
        target[row] = draw.randrange(len(INTENTS))
        text = draw.choice(_SENTENCES[INTENTS[int(target[row])]])
        text = text.format(**{name: draw.choice(words) for name, words in _WORDS.items()})
        texts.append(" ".join(_misspelt(word, draw) for word in text.split() if draw.random() > 0.1))
    return texts, target


def _misspelt(word: str, draw: random.Random) -> str:
    at = draw.randrange(len(word))
    return word[:at] + word[at + 1 :] if len(word) > 3 and draw.random() < 0.15 else word


def text_transform(texts: Sequence[str]) -> Transform:
    """One column of text, as the tokens of these texts."""
    return Transform(
        task="text",
        classes=INTENTS,
        columns=(RawColumn(name="text", type="text", nullable=True),),
        features=tuple(Feature(name=f"text {at}", column="text", kind="token", position=at) for at in range(64)),
        tokenizer=Tokenizer(column="text", vocabulary=fit_vocabulary(texts), length=64),
    )
