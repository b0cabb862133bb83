# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.train.journal import Journal, Trial
from kelp.errors import IntegrityError

ONE = Trial(0, {"rate": 0.1}, "complete", 0.25, 1.5, {"rounds": 3})
TWO = Trial(1, {"rate": 0.2}, "failed", None, 0.5, reason="no")


def written(path: Path) -> bytes:
    journal = Journal.open(path, "key")
    journal.append(ONE)
    journal.append(TWO)
    return path.read_bytes()


@settings(deadline=None, max_examples=50)
@given(cut=st.integers(min_value=0, max_value=300))
def test_whatever_a_crash_leaves_is_read_to_the_last_whole_line(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j.jsonl"
    content = written(path)[:cut]
    path.write_bytes(content)
    journal = Journal.open(path, "key")
    assert journal.trials == [ONE, TWO][: max(content.count(b"\n") - 1, 0)]
    for trial in (ONE, TWO)[len(journal.trials) :]:
        journal.append(trial)
    assert Journal.open(path, "key").trials == [ONE, TWO]


def test_another_search_starts_anew_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written(tmp_path / "j.jsonl")
    assert Journal.open(tmp_path / "j.jsonl", "other").trials == []
    assert "the search starts anew" in caplog.text
    assert Journal.open(tmp_path / "j.jsonl", "other").trials == []


@pytest.mark.parametrize("line", [b"no json", b"[1]", b'{"number": 1}'])
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    lines = written(tmp_path / "j.jsonl").splitlines()
    (tmp_path / "j.jsonl").write_bytes(b"\n".join([lines[0], line, lines[2], b""]))
    with pytest.raises(IntegrityError) as caught:
        Journal.open(tmp_path / "j.jsonl", "key")
    assert "j.jsonl" in caught.value.place
    assert "remove the file" in caught.value.fix


def test_no_path_keeps_trials_in_memory_only() -> None:
    journal = Journal.open(None, "key")
    journal.append(ONE)
    assert journal.trials == [ONE]
