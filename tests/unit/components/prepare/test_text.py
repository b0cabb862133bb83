# SPDX-License-Identifier: Apache-2.0
"""Texts: words that become features, and the tokens of a task of texts."""

import pytest

from kelp.spec import Model
from tests.unit.components.ingest.factories import Bench, a_model
from tests.unit.components.prepare.snapshots import Columns, prepared_of

ROWS = 200
TEXTS = ["Good TEA, good price", "bad tea", None, "no jam today"] * (ROWS // 4)
TABLE: Columns = {"note": ("text", TEXTS), "label": ("category", ["yes", "no", "yes", "maybe"] * (ROWS // 4))}


def a_text_model(trainer: str = "xgboost") -> Model:
    values = a_model(task="text").model_dump(mode="json", by_alias=True, exclude_defaults=True)
    values["spec"]["train"] = {"trainer": trainer}
    return Model.model_validate(values)


def test_the_most_frequent_words_are_features(bench: Bench) -> None:
    rare = ["rare " * 9 + "word", *TEXTS[1:]]
    prepared = prepared_of(bench, a_text_model(), {**TABLE, "note": ("text", rare)})
    features = prepared.summary["features"]
    assert features[0] == "note:tea"
    assert set(features) == {f"note:{word}" for word in ("tea", "bad", "good", "price", "no", "jam", "today")}
    assert prepared.summary["classes"] == ["maybe", "no", "yes"]
    texts = prepared.column("test_rows", "note")
    assert prepared.column("test", "note:good") == [2.0 if text and "Good" in text else 0.0 for text in texts]


def test_a_network_gets_tokens(bench: Bench) -> None:
    prepared = prepared_of(bench, a_text_model("torch"), TABLE)
    tokenizer = prepared.transform.tokenizer
    assert tokenizer is not None
    assert (tokenizer.column, tokenizer.length) == ("note", 64)
    assert prepared.summary["features"] == [f"note[{position}]" for position in range(64)]
    first = next(row for row, text in enumerate(prepared.column("test_rows", "note")) if text == "bad tea")
    assert [prepared.column("test", f"note[{at}]")[first] for at in range(3)] == [
        tokenizer.numbers["bad"],
        tokenizer.numbers["tea"],
        0.0,
    ]


@pytest.mark.parametrize("trainer", ["xgboost", "torch"])
def test_texts_without_any_frequent_word_are_left_out(bench: Bench, trainer: str) -> None:
    columns: Columns = {
        **TABLE,
        "note": ("text", [None] * ROWS),
        "x": ("int", list(range(ROWS))),
    }
    prepared = prepared_of(bench, a_text_model(trainer), columns)
    assert prepared.summary["features"] == ["x"]
    assert "column note" in prepared.summary["warnings"][0]
