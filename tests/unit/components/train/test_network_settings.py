# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

from components.train.network_settings import settings_of
from kelp.errors import InputError


@pytest.mark.parametrize(
    ("params", "hidden"),
    [
        pytest.param({}, (128, 128), id="default"),
        pytest.param({"hidden": 64}, (64, 64), id="units"),
        pytest.param({"hidden": "64"}, (64,), id="units-as-text"),
        pytest.param({"hidden": 64, "layers": 3}, (64, 64, 64), id="units-and-layers"),
        pytest.param({"layers": 1}, (128,), id="layers"),
        pytest.param({"hidden": "128, 64"}, (128, 64), id="list"),
        pytest.param({"hidden": "128,64", "layers": 2}, (128, 64), id="list-and-as-many-layers"),
    ],
)
def test_hidden_layers_are_units_or_a_list(params: dict[str, Any], hidden: tuple[int, ...]) -> None:
    assert settings_of(params, is_text=False, rows=100).hidden == hidden


@pytest.mark.parametrize(
    ("rows", "batch_size"), [(1, 32), (500, 32), (5_000, 64), (20_000, 256), (1_000_000, 1024)], ids=str
)
def test_the_batch_grows_with_the_rows(rows: int, batch_size: int) -> None:
    assert settings_of({}, is_text=False, rows=rows).batch_size == batch_size


def test_texts_have_defaults_of_their_own() -> None:
    table, text = (settings_of({}, is_text=is_text, rows=500) for is_text in (False, True))
    assert (text.embedding, text.epochs, text.dropout) == (64, 40, 0.3)
    assert text != table


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("hidden", "128,x", "a number of units", id="no-number"),
        pytest.param("hidden", "", "a number of units", id="empty"),
        pytest.param("hidden", 0, "a number of units", id="no-units"),
        pytest.param("hidden", 128.0, "a number of units", id="units-not-whole"),
        pytest.param("hidden", True, "a number of units", id="units-bool"),
        pytest.param("hidden", "9,9,9,9,9,9,9,9,9", "up to 8 of them", id="too-deep"),
        pytest.param("layers", 0, "from 1 to 8", id="no-layers"),
        pytest.param("dropout", 1.0, "from 0 to 0.9", id="all-dropped"),
        pytest.param("dropout", "0.1", "a number", id="text"),
        pytest.param("learning_rate", 0, "from 1e-08", id="no-rate"),
        pytest.param("learning_rate", float("nan"), "from 1e-08", id="nan"),
        pytest.param("weight_decay", -1, "from 0", id="negative"),
        pytest.param("weight_decay", True, "a number", id="bool"),
        pytest.param("epochs", 1.5, "a whole number", id="half-an-epoch"),
        pytest.param("batch_size", 0, "a whole number from 1", id="empty-batch"),
        pytest.param("embedding", 5000, "to 1024", id="too-wide"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_at_its_place(name: str, value: Any, expected: str) -> None:
    with pytest.raises(InputError, match=f"expected .*{expected}") as caught:
        settings_of({name: value}, is_text=False, rows=100)
    assert caught.value.place == f"spec.train.params.{name}"


def test_layers_that_do_not_fit_the_list_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected 2, as many as .* found 3"):
        settings_of({"hidden": "8,4", "layers": 3}, is_text=False, rows=100)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"expected one of hidden, .*, batch_size, found 'max_depth'") as caught:
        settings_of({"max_depth": 6}, is_text=False, rows=100)
    assert caught.value.fix == "leave it out"
