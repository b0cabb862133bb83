# SPDX-License-Identifier: Apache-2.0
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.errors import InputError
from kelp.store.keys import check_key


@pytest.mark.parametrize(
    "key",
    ["a", "fraud/1/model.onnx", ".hidden", "a/.partial", ".partials", "...", "ключ/я", "a b", "x" * 255],
)
def test_a_plain_relative_path_is_a_key(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("/a", "is absolute", id="absolute"),
        pytest.param("a\\b", "has a backslash", id="backslash"),
        pytest.param("a\0", "has a control character", id="nul"),
        pytest.param("a\x7f", "has a control character", id="delete"),
        pytest.param("\ud800", "is not valid Unicode", id="surrogate"),
        pytest.param("a//b", "has an empty segment", id="double-slash"),
        pytest.param("a/", "has an empty segment", id="trailing-slash"),
        pytest.param("\u2003", "has an empty segment", id="blank"),
        pytest.param("..", "has a segment . or ..", id="parent"),
        pytest.param("a/../b", "has a segment . or ..", id="inner-parent"),
        pytest.param("./a", "has a segment . or ..", id="dot"),
        pytest.param(".partial/a", "is reserved", id="reserved"),
        pytest.param(".partial", "is reserved", id="reserved-itself"),
        pytest.param("я" * 128, "has a segment longer than 255 bytes", id="segment-in-bytes"),
        pytest.param("a/" * 512 + "a", "is longer than 1024 bytes", id="long"),
    ],
)
def test_anything_else_is_refused_and_the_message_says_why(key: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        check_key(key)
    assert problem in caught.value.message
    assert len(str(caught.value)) < 1000


@given(st.text(st.sampled_from("ab./\\ \0"), max_size=12))
def test_an_accepted_key_stays_below_its_root(key: str) -> None:
    try:
        check_key(key)
    except InputError:
        return
    assert posixpath.normpath(f"/root/{key}") == f"/root/{key}"
