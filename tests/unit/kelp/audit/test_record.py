# SPDX-License-Identifier: Apache-2.0
import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.audit.record import MAX_RECORD_BYTES, Record, new_record, record_from_bytes
from kelp.errors import InputError, IntegrityError, TooLarge

NOON = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2.0**53) + 1, 2.0**53 - 1)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


def a_record(**fields: Any) -> Record:
    usual: dict[str, Any] = {
        "seq": 7,
        "now": NOON,
        "actor": "alice",
        "action": "run.start",
        "subject": "fraud",
        "detail": {},
    }
    return new_record(**{**usual, **fields})


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_a_record_is_canonical_json() -> None:
    assert (
        a_record(detail={"b": 1.0, "a": "é"}).to_bytes()
        == (
            '{"action":"run.start","actor":"alice","detail":{"a":"é","b":1},"seq":7,"subject":"fraud",'
            '"time":"2026-03-01T12:00:00.000005Z"}'
        ).encode()
    )


def test_time_is_written_in_utc() -> None:
    paris = NOON.astimezone(timezone(timedelta(hours=2)))
    assert a_record(now=paris).time == a_record().time


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), json_values, max_size=5))
def test_a_record_reads_back_from_its_bytes(detail: dict[str, Any]) -> None:
    record = a_record(detail=detail)
    assert record_from_bytes(record.to_bytes()) == record


@given(st.data())
def test_a_changed_byte_never_reads_back_as_the_same_record(data: st.DataObject) -> None:
    body = bytearray(a_record(detail={"rows": 3, "digest": "abc"}).to_bytes())
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    with suppress(IntegrityError):
        assert record_from_bytes(bytes(body)) != a_record(detail={"rows": 3, "digest": "abc"})


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        pytest.param({"action": "start"}, "action", id="one-word-action"),
        pytest.param({"action": "Run.Start"}, "action", id="capitals"),
        pytest.param({"action": "run.start\n"}, "action", id="newline-in-action"),
        pytest.param({"action": "a." + "b" * 70}, "action", id="long-action"),
        pytest.param({"subject": ""}, "subject", id="no-subject"),
        pytest.param({"subject": "two\nlines"}, "subject", id="two-line-subject"),
        pytest.param({"subject": "x" * 513}, "subject", id="long-subject"),
        pytest.param({"subject": 3}, "subject", id="number-as-subject"),
        pytest.param({"subject": "\ud800"}, "subject", id="lone-surrogate"),
        pytest.param({"actor": ""}, "actor", id="no-actor"),
        pytest.param({"seq": -1}, "seq", id="negative-seq"),
        pytest.param({"seq": True}, "seq", id="bool-seq"),
        pytest.param({"detail": []}, "detail", id="list-as-detail"),
        pytest.param({"detail": {1: 2}}, "detail", id="number-as-key"),
        pytest.param({"detail": {"at": NOON}}, "detail", id="datetime"),
        pytest.param({"detail": {"raw": b"x"}}, "detail", id="bytes"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(InputError, match=place):
        a_record(**fields)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(math.nan, id="nan"),
        pytest.param(-math.inf, id="infinity"),
        pytest.param(2**53, id="large-integer"),
        pytest.param(2.0**53, id="float-that-reads-back-as-large-integer"),
        pytest.param("\udfff", id="lone-surrogate"),
        pytest.param(nested(5000), id="nested-deeply"),
    ],
)
def test_what_json_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(InputError):
        a_record(detail={"value": value}).to_bytes()


def test_a_record_may_be_64_kib_and_not_a_byte_more() -> None:
    room = MAX_RECORD_BYTES - len(a_record(detail={"x": ""}).to_bytes())
    assert len(a_record(detail={"x": "x" * room}).to_bytes()) == MAX_RECORD_BYTES
    with pytest.raises(TooLarge, match=str(MAX_RECORD_BYTES + 1)):
        a_record(detail={"x": "x" * (room + 1)}).to_bytes()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff", id="not-utf-8"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b"{}", id="no-fields"),
        pytest.param(b"[" * 100_000, id="nested-deeply"),
        pytest.param(b"9" * 10_000, id="endless-number"),
        pytest.param(a_record().to_bytes() + b" ", id="not-canonical"),
        pytest.param(a_record().to_bytes().replace(b'"actor"', b'"author"'), id="another-field"),
        pytest.param(a_record().to_bytes().replace(b'"seq":7', b'"seq":NaN'), id="nan"),
    ],
)
def test_bytes_that_are_no_record_are_refused(body: bytes) -> None:
    with pytest.raises(IntegrityError):
        record_from_bytes(body)
