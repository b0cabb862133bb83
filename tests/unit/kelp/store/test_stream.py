# SPDX-License-Identifier: Apache-2.0
import hashlib
import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.errors import IntegrityError
from kelp.store.stream import Checked, measure


def a_reader(content: bytes, at_most: int) -> Callable[[int], bytes]:
    """Reads that give fewer bytes than were asked for, as sockets do."""
    stream = io.BytesIO(content)
    return lambda count: stream.read(min(count, at_most))


@given(content=st.binary(max_size=200), at_most=st.integers(1, 50), buffer=st.integers(1, 64))
def test_the_right_bytes_pass_unchanged(content: bytes, at_most: int, buffer: int) -> None:
    digest = hashlib.sha256(content).hexdigest()
    checked = Checked(a_reader(content, at_most), len(content), digest, "place")
    assert io.BufferedReader(checked, buffer).read() == content


@given(content=st.binary(min_size=1, max_size=200), at_most=st.integers(1, 50))
def test_the_last_of_wrong_bytes_are_never_handed_on(content: bytes, at_most: int) -> None:
    digest = hashlib.sha256(content[:-1] + bytes([content[-1] ^ 1])).hexdigest()
    checked = Checked(a_reader(content, at_most), len(content), digest, "place")
    handed_on: list[bytes] = []
    with pytest.raises(IntegrityError, match=f"place: expected sha256 {digest}, found"):
        handed_on.extend(iter(lambda: checked.read(7) or b"", b""))
    assert len(b"".join(handed_on)) < len(content)


def test_an_early_end_is_noticed() -> None:
    checked = Checked(a_reader(b"abc", 9), 4, hashlib.sha256(b"abcd").hexdigest(), "place")
    with pytest.raises(IntegrityError):
        checked.readall()


def test_bytes_beyond_the_size_are_not_read() -> None:
    checked = Checked(a_reader(b"abcdef", 9), 3, hashlib.sha256(b"abc").hexdigest(), "place")
    assert checked.readall() == b"abc"


def test_measuring_leaves_the_stream_where_it_was() -> None:
    stream = io.BytesIO(b"headbody")
    stream.seek(4)
    assert measure(stream, "place") == (hashlib.sha256(b"body").hexdigest(), 4)
    assert stream.tell() == 4
