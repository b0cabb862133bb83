# SPDX-License-Identifier: Apache-2.0
"""A plain linear model on words and letters learns the intents, and holds on sentences in another style."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union

from examples.intents.messages import make_messages, read_heldout

Texts = list[str]


def fitted(texts: Texts, intents: Texts) -> Pipeline:
    words = TfidfVectorizer(sublinear_tf=True)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    return make_pipeline(make_union(words, letters), RidgeClassifier()).fit(texts, intents)


def split(seed: int) -> tuple[Texts, Texts, Texts, Texts]:
    """Return training messages and intents, then those of the fifth that is held out."""
    rows = make_messages(3, 7)
    is_test = np.random.default_rng(seed).random(len(rows)) < 0.2
    parts: list[Texts] = []
    for part in (False, True):
        chosen = [row for row, test in zip(rows, is_test, strict=True) if test == part]
        parts += [[row["message"] for row in chosen], [row["intent"] for row in chosen]]
    return parts[0], parts[1], parts[2], parts[3]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_split_by_row_is_learnt_but_not_perfectly(seed: int) -> None:
    texts, intents, test_texts, test_intents = split(seed)
    assert 0.85 < fitted(texts, intents).score(test_texts, test_intents) < 1


def test_the_held_out_sentences_are_harder_and_still_learnt() -> None:
    texts, intents, _, _ = split(1)
    wanted, sentences = zip(*read_heldout(), strict=True)
    assert 0.75 < fitted(texts, intents).score(list(sentences), list(wanted)) < 0.97
