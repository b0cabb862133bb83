# SPDX-License-Identifier: Apache-2.0
"""Strict YAML: what a document may hold, and the line and column of what it may not."""

import pytest

from kelp.errors import SpecError
from kelp.spec.yaml import MAX_BYTES, MAX_DEPTH, parse


def refusal(content: bytes) -> str:
    with pytest.raises(SpecError) as caught:
        parse(content, "x.yaml")
    assert caught.value.place == "x.yaml"
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("on", "on", id="on"),
        pytest.param("off", "off", id="off"),
        pytest.param("yes", "yes", id="yes"),
        pytest.param("no", "no", id="no"),
        pytest.param("True", "True", id="True"),
        pytest.param("NULL", "NULL", id="NULL"),
        pytest.param("2026-01-31", "2026-01-31", id="a date"),
        pytest.param("12:30:00", "12:30:00", id="sixties"),
        pytest.param("0x1f", "0x1f", id="hexadecimal"),
        pytest.param("017", "017", id="octal"),
        pytest.param("1_000", "1_000", id="underscore"),
        pytest.param(".inf", ".inf", id="infinity"),
        pytest.param(".nan", ".nan", id="not a number"),
        pytest.param("+1", "+1", id="plus"),
        pytest.param("<<", "<<", id="merge"),
        pytest.param("=", "=", id="value"),
        pytest.param("20%", "20%", id="percent"),
    ],
)
def test_words_stay_words(text: str, value: str) -> None:
    assert parse(f"a: {text}".encode(), "") == {"a": value}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("true", True, id="true"),
        pytest.param("false", False, id="false"),
        pytest.param("null", None, id="null"),
        pytest.param("~", None, id="tilde"),
        pytest.param("", None, id="nothing"),
        pytest.param("7", 7, id="int"),
        pytest.param("-7", -7, id="negative"),
        pytest.param("0.5", 0.5, id="float"),
        pytest.param("1e-3", 0.001, id="exponent"),
        pytest.param('"7"', "7", id="quoted"),
        pytest.param("[1, two]", [1, "two"], id="list"),
        pytest.param('"\\U0001F600"', "😀", id="an escaped character"),
    ],
)
def test_the_values_of_json_are_read(text: str, value: object) -> None:
    found = parse(f"a: {text}".encode(), "")["a"]
    assert found == value
    assert type(found) is type(value)


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert parse("\ufeffa: 1".encode(), "") == {"a": 1}


BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            BOMB.encode(), "line 1, column 4: anchors and aliases are not allowed; write the value out", id="bomb"
        ),
        pytest.param(
            b"a: *b", "line 1, column 4: anchors and aliases are not allowed; write the value out", id="alias"
        ),
        pytest.param(
            b"a: 1\n---\nb: 2",
            "line 2, column 1: expected one document, found a second one; one file holds one model",
            id="two documents",
        ),
        pytest.param(
            b"a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' stands twice; keep one of them", id="a key twice"
        ),
        pytest.param(
            b"a: {b: 1, b: 2}", "line 1, column 11: the key 'b' stands twice; keep one of them", id="a key twice inside"
        ),
        pytest.param(
            b"1: a", "line 1, column 1: expected a key that is a word, found 1; put it in quotes", id="a number as key"
        ),
        pytest.param(
            b"true: a",
            "line 1, column 1: expected a key that is a word, found True; put it in quotes",
            id="true as key",
        ),
        pytest.param(
            b"~: a", "line 1, column 1: expected a key that is a word, found None; put it in quotes", id="null as key"
        ),
        pytest.param(
            b"? [a]\n: b",
            "line 1, column 3: expected a key that is a word, found ['a']; put it in quotes",
            id="a list as key",
        ),
        pytest.param(b"", "expected a mapping with apiVersion, kind, metadata and spec, found nothing", id="empty"),
        pytest.param(
            b"# only this", "expected a mapping with apiVersion, kind, metadata and spec, found nothing", id="a comment"
        ),
        pytest.param(b"- a", "expected a mapping with apiVersion, kind, metadata and spec, found list", id="a list"),
        pytest.param(b"word", "expected a mapping with apiVersion, kind, metadata and spec, found str", id="a word"),
        pytest.param(b"a: \xff\xfe", "expected UTF-8, found the byte 0xff at offset 3", id="not UTF-8"),
        pytest.param("a: 1".encode("utf-16"), "expected UTF-8, found the byte 0xff at offset 0", id="UTF-16"),
        pytest.param(
            b"a: !!python/object/apply:os.system [ls]",
            "line 1, column 4: tags are not allowed, found "
            "tag:yaml.org,2002:python/object/apply:os.system; write the plain value",
            id="code",
        ),
        pytest.param(
            b"a: !!float x",
            "line 1, column 4: tags are not allowed, found tag:yaml.org,2002:float; write the plain value",
            id="a tag",
        ),
        pytest.param(b"a: 1e999", "line 1, column 4: the number is too large", id="infinite"),
        pytest.param(b"a: " + b"9" * 5000, "line 1, column 4: the number is too large", id="5000 digits"),
        pytest.param(
            b'a: "\\ud800"',
            "line 1, column 4: half of a surrogate pair is not a character; "
            r"write it itself, or as \U and eight digits",
            id="half a character",
        ),
        pytest.param(b"a: [", "line 1, column 5: expected the node content, but found '<stream end>'", id="cut off"),
        pytest.param(b"a: b: c", "line 1, column 5: mapping values are not allowed here", id="two colons"),
        pytest.param(b"a:\n\tb: 1", "line 2, column 1: found character '\\t' that cannot start any token", id="a tab"),
    ],
)
def test_the_first_thing_not_allowed_is_named(content: bytes, message: str) -> None:
    assert refusal(content) == message


def test_a_control_character_is_refused() -> None:
    assert "not YAML" in refusal(b"a: \x07")


def test_a_file_of_a_megabyte_is_refused_unread() -> None:
    assert refusal(b"a" * 1_000_000) == f"expected at most {MAX_BYTES} bytes, found 1000000"


@pytest.mark.parametrize("opening", [pytest.param("[", id="lists"), pytest.param("{a: ", id="mappings")])
def test_deep_nesting_is_refused_before_it_is_built(opening: str) -> None:
    assert f"nested deeper than {MAX_DEPTH} levels" in refusal(f"a: {opening * 50_000}".encode())
