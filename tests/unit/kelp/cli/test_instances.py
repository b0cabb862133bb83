# SPDX-License-Identifier: Apache-2.0
"""Rows for a request from the files that people have."""

from typing import Any

import pytest

from components.ingest import contract, delimited
from kelp.cli import instances
from kelp.cli.instances import instances_from_text
from kelp.errors import InputError

TYPES = {"amount": "float", "age": "int", "new": "bool", "shop": "category", "at": "timestamp"}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param('[{"a": 1}, {"a": null}]', [{"a": 1}, {"a": None}], id="a list"),
        pytest.param("[[1, 2]]", [[1, 2]], id="a list of lists"),
        pytest.param('{"instances": [{"a": 1}]}', [{"a": 1}], id="a V1 body"),
        pytest.param('{"a": 1}', [{"a": 1}], id="an object"),
        pytest.param('{"a": 1}\n\n{"a": 2}\n', [{"a": 1}, {"a": 2}], id="JSON lines"),
    ],
)
def test_json_of_several_shapes_is_rows(text: str, rows: list[Any]) -> None:
    assert instances_from_text(text, "x.json", TYPES) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param(
            "amount,shop\n1.5,a\n,b\n", [{"amount": 1.5, "shop": "a"}, {"amount": None, "shop": "b"}], id="comma"
        ),
        pytest.param('amount;shop\n2;"a;b"\n', [{"amount": 2, "shop": "a;b"}], id="semicolon"),
        pytest.param("amount\tshop\r\n2\ta\r\n", [{"amount": 2, "shop": "a"}], id="tab and CRLF"),
        pytest.param('"a,b";c;d\n1;2;3\n', [{"a,b": "1", "c": "2", "d": "3"}], id="a comma in a name"),
        pytest.param('shop\n"two\nlines"\n', [{"shop": "two\nlines"}], id="a newline in a cell"),
        pytest.param('shop\n"say ""hi"""\n', [{"shop": 'say "hi"'}], id="quotes in a cell"),
        pytest.param("shop,unknown\na,7\n", [{"shop": "a", "unknown": "7"}], id="an unknown column"),
    ],
)
def test_csv_is_rows(text: str, rows: list[Any]) -> None:
    assert instances_from_text(text, "x.CSV", TYPES) == rows


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        pytest.param("amount", "3", 3, id="whole"),
        pytest.param("amount", "-1.5e3", -1500.0, id="float"),
        pytest.param("amount", " .5 ", 0.5, id="padded"),
        pytest.param("amount", "1_000", "1_000", id="python's number"),
        pytest.param("amount", "1,5", "1,5", id="a decimal comma"),
        pytest.param("amount", "inf", "inf", id="infinity"),
        pytest.param("amount", "1e999", "1e999", id="too large"),
        pytest.param("amount", "٣", "٣", id="a digit of another script"),
        pytest.param("amount", "NaN", None, id="not a number"),
        pytest.param("age", "9007199254740993", 9007199254740993, id="beyond a float"),
        pytest.param("age", "9" * 5000, "9" * 5000, id="5000 digits"),
        pytest.param("new", "True", True, id="true"),
        pytest.param("new", "0", False, id="zero"),
        pytest.param("new", "1.0", True, id="one as a float"),
        pytest.param("new", "maybe", "maybe", id="neither"),
        pytest.param("shop", "007", "007", id="a word of digits"),
        pytest.param("shop", "NA", None, id="missing"),
        pytest.param("at", "2026-01-31 12:00", "2026-01-31 12:00", id="a time"),
    ],
)
def test_a_cell_becomes_the_value_of_its_column(name: str, cell: str, value: object) -> None:
    (row,) = instances_from_text(f'{name}\n"{cell}"\n', "x.csv", TYPES)
    assert row == {name: value}
    assert type(row[name]) is type(value)


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        pytest.param("x.json", "", "x.json: is not JSON", id="empty JSON"),
        pytest.param("x.json", "[]", "x.json: expected rows, found none", id="no rows"),
        pytest.param("x.json", '{"instances": []}', "x.json: expected rows, found none", id="a body without rows"),
        pytest.param(
            "x.json", '{"instances": 3}', "x.json: expected a list of rows, found int", id="rows are a number"
        ),
        pytest.param("x.json", "3", "x.json: expected a list of rows, found int", id="a number"),
        pytest.param("x.json", "amount,shop", "x.json: is not JSON", id="CSV in a .json"),
        pytest.param("-", "{", "-: is not JSON", id="cut off"),
        pytest.param("x.json", "[" * 100_000, "x.json: is not JSON", id="deep"),
        pytest.param("x.jsonl", '{"a": 1}\n{"a": }\n', "x.jsonl, line 2: is not JSON", id="a bad line"),
        pytest.param("x.csv", "", "x.csv: expected rows, found none", id="empty CSV"),
        pytest.param("x.csv", "a,b\n", "x.csv: expected rows, found none", id="names only"),
        pytest.param("x.csv", "a,b\n1,2\n3\n", "x.csv, line 3: expected 2 cells, found 1", id="a short row"),
        pytest.param("x.csv", "a,b\n1,2,3\n", "x.csv, line 2: expected 2 cells, found 3", id="a long row"),
        pytest.param(
            "x.csv", "a,a\n1,2\n", "x.csv, line 1: expected different column names, found 'a' twice", id="twice"
        ),
        pytest.param("x.csv", 'a\n"b', "x.csv, line 2: is not CSV", id="an open quote"),
        pytest.param("x.csv", 'a\n"b"c\n', "x.csv, line 2: is not CSV", id="text after a quote"),
    ],
)
def test_what_is_no_rows_is_refused_with_its_line(place: str, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        instances_from_text(text, place, TYPES)
    assert str(caught.value).startswith(said)


def test_cells_read_as_in_training() -> None:
    assert contract.MISSING_WORDS == instances.MISSING_WORDS
    assert (contract._TRUE, contract._FALSE) == (instances.TRUE, instances.FALSE)
    assert delimited.DELIMITERS == instances.DELIMITERS
