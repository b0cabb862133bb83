# SPDX-License-Identifier: Apache-2.0
"""The bytes of a journal: what is written is read, and nothing else is."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.frame.group import Row
from kelp.frame.journal.records import Journal, Reading

Request = list[list[Row]]

texts = st.text(max_size=5) | st.sampled_from(["\n", '"', "\ud800", "ä\0"])
row = st.tuples(
    st.none() | texts | st.tuples(texts, texts),
    st.integers(-(2**62), 2**62),
    st.lists(st.none() | st.integers(-(2**40), 2**40) | texts, max_size=3),
)
requests = st.lists(st.lists(st.lists(row, max_size=3), min_size=1, max_size=2), max_size=5)
ONE: list[Request] = [[[("a", 1, [2])]], [[("b", 3, [None]), ("ä", 4, ["x"])]], [[(("a", "b"), -1, [7, 8])]]]


def written(path: Path, sent: list[Request]) -> bytes:
    journal = Journal(path, 7)
    journal.begin((6, 123))
    for request in sent:
        journal.append(request)
    journal.sync()
    journal.close()
    content = path.read_bytes()
    assert journal.size == len(content)
    return content


@given(requests)
def test_every_request_is_read_as_it_was_written(sent: list[Request]) -> None:
    with TemporaryDirectory() as folder:
        content = written(Path(folder) / "journal", sent)
        reading = Reading(Path(folder) / "journal")
        assert (reading.number, reading.after) == (7, (6, 123))
        assert list(reading) == sent
        assert (reading.end, reading.is_damaged, reading.lost) == (len(content), False, 0)


def test_cut_at_any_byte_a_journal_gives_the_requests_before(tmp_path: Path) -> None:
    content = written(tmp_path / "whole", ONE)
    ends = [position + 1 for position, byte in enumerate(content) if byte == ord("\n")]
    for size in range(len(content) + 1):
        (tmp_path / "cut").write_bytes(content[:size])
        reading = Reading(tmp_path / "cut")
        whole = sum(end <= size for end in ends)
        assert list(reading) == ONE[: max(whole - 1, 0)]
        assert reading.number == (7 if whole else None)
        assert reading.end == max([0, *(end for end in ends if end <= size)])
        assert (reading.is_damaged, reading.lost) == (size not in (0, *ends), 0)


def test_changed_at_any_byte_a_journal_gives_the_requests_before_and_counts_those_behind(tmp_path: Path) -> None:
    content = written(tmp_path / "whole", ONE)
    line_of = [content[:position].count(b"\n") for position in range(len(content))]
    for position in range(len(content)):
        for change in (1, 0x20, ord("\n") ^ content[position], 0x80):
            if change == 0:
                continue
            changed = bytearray(content)
            changed[position] ^= change
            (tmp_path / "changed").write_bytes(changed)
            reading = Reading(tmp_path / "changed")
            line = line_of[position]
            assert list(reading) == ONE[: max(line - 1, 0)], (position, change)
            assert reading.is_damaged
            joined = content[position] == ord("\n")  # with the line behind it, which is lost with it
            assert reading.lost == max(3 - line - joined, 0)


def test_journal_after_a_gap_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", 2)
    journal.begin(None)
    journal.close()
    reading = Reading(tmp_path / "journal")
    assert (reading.number, reading.after) == (2, None)


def test_journal_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "journal").touch()
    with pytest.raises(FileExistsError):
        Journal(tmp_path / "journal", 1)


def test_write_that_the_system_refuses_is_named_and_leaves_the_records_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", 1)
    journal.begin(None)
    size = journal.size
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._descriptor)
    os.close(full)
    with pytest.raises(OSError, match="No space left on device"):
        journal.append(ONE[0])
    assert journal.size == size
    journal.close()
    assert not Reading(tmp_path / "journal").is_damaged
