# SPDX-License-Identifier: Apache-2.0
"""Compute features from raw columns, as `Transform.apply` asks: one function of whole arrays a kind of feature.

Missing values stay NaN here (a text without words has none); `Transform.fill` replaces them.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelp.frame.parts import Feature, FeatureKind, Tokenizer
from kelp.frame.text import tokens_of, words_of

Column = NDArray[Any]
Matrix = NDArray[np.float32]

_SECONDS_A_DAY = 86_400
_THURSDAY = 3  # 1970-01-01, when Monday is 0


def computation(feature: Feature) -> Callable[[Column], Column]:
    """The function from a raw column to a feature that needs nothing else: no word, no token, no plain number."""
    if feature.kind == "category":
        return _category_codes(feature)
    if feature.kind == "number":
        return lambda values: np.clip(values, feature.low, feature.high)
    return _PARTS_OF_TIME[feature.kind]


def is_plain(feature: Feature) -> bool:
    """Whether a feature is its column's number unchanged."""
    return feature.kind == "number" and feature.low is None and feature.high is None


def word_counts(texts: Column, words: Sequence[str]) -> Matrix:
    """How often each word stands in each text: float32, shape (len(texts), len(words))."""
    counts = np.zeros((len(texts), len(words)), dtype=np.float32)
    for row, text in enumerate(texts.tolist()):
        if text is not None:
            found = Counter(words_of(text))
            counts[row] = [found[word] for word in words]
    return counts


def token_numbers(texts: Column, tokenizer: Tokenizer) -> Matrix:
    """Each text's tokens: float32, shape (len(texts), tokenizer.length), 0 beyond the last token."""
    numbers = np.zeros((len(texts), tokenizer.length), dtype=np.float32)
    for row, text in enumerate(texts.tolist()):
        if text is not None:
            found = tokens_of(text, tokenizer.numbers, tokenizer.length)
            numbers[row, : len(found)] = found
    return numbers


def _category_codes(feature: Feature) -> Callable[[Column], Column]:
    codes: dict[str | None, float] = {name: float(code) for code, name in enumerate(feature.categories, start=1)}
    codes[None] = feature.fill

    def compute(values: Column) -> Column:
        # One dict look-up a value: sorting an object column (np.unique) costs several times more.
        return np.fromiter(map(codes.get, values.tolist(), repeat(0.0)), dtype=np.float32, count=len(values))

    return compute


def _hour(seconds: Column) -> Column:
    return np.floor(seconds % _SECONDS_A_DAY / 3600)


def _weekday(seconds: Column) -> Column:
    days: Column = np.floor(seconds / _SECONDS_A_DAY)
    return (days + _THURSDAY) % 7


def _month(seconds: Column) -> Column:
    return _of_date(seconds, lambda days: days.astype("datetime64[M]").astype(np.int64) % 12)


def _day(seconds: Column) -> Column:
    return _of_date(
        seconds, lambda days: (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64)
    )


def _of_date(seconds: Column, part: Callable[[Column], Column]) -> Column:
    """1 + a part of the date, which `part` computes from its days (datetime64[D])."""
    is_missing = np.isnan(seconds)
    whole = np.floor(np.where(is_missing, 0.0, seconds)).astype(np.int64)
    found: Column = part(whole.astype("datetime64[s]").astype("datetime64[D]")) + 1.0
    found[is_missing] = np.nan
    return found


_PARTS_OF_TIME: dict[FeatureKind, Callable[[Column], Column]] = {
    "hour": _hour,
    "weekday": _weekday,
    "day": _day,
    "month": _month,
}
