# SPDX-License-Identifier: Apache-2.0
"""Fit texts on the training part: the words that become features, or the vocabulary of a tokenizer."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from components.prepare.snapshot import Source
from kelp.frame.parts import Feature, Tokenizer
from kelp.frame.text import fit_vocabulary, words_of

LEAST_ROWS = 5  # of the training part that a word stands in
MOST_WORDS = 100
MOST_WORDS_OF_TEXT_TASK = 500
TOKENS = 64


def word_features(source: Source, column: str, is_training: NDArray[np.bool_], most: int) -> list[Feature]:
    """A feature for each of the words that stand in most rows, by falling number of rows, then by name."""
    rows: Counter[str] = Counter()
    for text in training_texts(source, column, is_training):
        rows.update(set(words_of(text)))
    ranked = sorted(rows.items(), key=lambda item: (-item[1], item[0]))[:most]
    return [
        Feature(name=f"{column}:{word}", column=column, kind="word", word=word)
        for word, count in ranked
        if count >= LEAST_ROWS
    ]


def token_features(
    source: Source, column: str, is_training: NDArray[np.bool_]
) -> tuple[Tokenizer | None, list[Feature]]:
    """A tokenizer and its features, or neither if there is no vocabulary."""
    vocabulary = fit_vocabulary(training_texts(source, column, is_training))
    if not vocabulary:
        return None, []
    tokenizer = Tokenizer(column=column, vocabulary=vocabulary, length=TOKENS)
    names = ((position, f"{column}[{position}]") for position in range(TOKENS))
    return tokenizer, [Feature(name=name, column=column, kind="token", position=at) for at, name in names]


def training_texts(source: Source, column: str, is_training: NDArray[np.bool_]) -> Iterator[str]:
    """The texts of a column in the training part, without the missing ones."""
    row = 0
    for batch in source.batches([column]):
        is_wanted = is_training[row : row + batch.num_rows]
        row += batch.num_rows
        yield from batch.column(0).filter(is_wanted).drop_null().to_pylist()
