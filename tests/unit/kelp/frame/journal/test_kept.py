# SPDX-License-Identifier: Apache-2.0
"""What a server sees of a history that is kept: facts, refusals, snapshots, and its end."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pyarrow.parquet as pq
import pytest

from kelp.errors import EnvironmentFault
from kelp.frame.history import History
from kelp.frame.journal import Kept
from tests.unit.kelp.frame.asked import ask, state_of
from tests.unit.kelp.frame.journal.keeping import a_version, keep, killed, loaded
from tests.unit.kelp.frame.test_history import ALL, answered

NOON = 1_767_268_800.0
ROW = {"at": 1.0, "sku": "a", "price": 1.0}


@pytest.fixture
def version(tmp_path: Path) -> Path:
    return a_version(tmp_path / "version")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "fraud" / "7"


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("kelp.frame.journal")
    ]


@contextmanager
def disk_that_refuses(kept: Kept) -> Iterator[None]:
    """Every write to the journal fails, as on a full disk."""
    journal = kept._journal
    whole, full = os.dup(journal._descriptor), os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._descriptor)
    try:
        yield
    finally:
        if journal._descriptor >= 0:
            os.dup2(whole, journal._descriptor)
        os.close(whole)
        os.close(full)


def test_facts_say_what_is_kept_since_when_and_what_was_restored(folder: Path, version: Path) -> None:
    history = loaded(version)
    before = history.facts()
    kept = keep(folder, history, version, clock=lambda: NOON)
    assert history.facts() == {**before, "isKept": True, "keptUpTo": None, "restoredRows": 0}
    ask(history, ("answer", [ROW, ROW]))
    ask(history, ("look", [ROW]))
    assert history.facts()["keptUpTo"] == "2026-01-01T12:00:00.000+00:00"
    kept.close()
    assert "isKept" not in history.facts()
    again = loaded(version)
    kept = keep(folder, again, version)
    facts = again.facts()
    assert (facts["isKept"], facts["restoredRows"]) == (True, 2)
    assert facts["keptUpTo"] > "2026"
    ask(again, ("observe", [ROW]))
    left = killed(folder, kept)
    last = loaded(version)
    kept = keep(left, last, version)
    assert last.facts()["restoredRows"] == 3
    kept.close()


def test_second_keeper_of_a_folder_is_refused_until_the_first_has_closed(folder: Path, version: Path) -> None:
    kept = keep(folder, loaded(version), version)
    history = loaded(version)
    with pytest.raises(EnvironmentFault, match="another process keeps its rolling features here") as caught:
        keep(folder, history, version)
    assert caught.value.place == str(folder)
    assert "give this one a folder of its own" in caught.value.fix
    assert "isKept" not in history.facts()
    kept.close()
    keep(folder, history, version).close()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda folder: folder.parent.parent.write_bytes(b""), id="a-file-is-in-the-way"),
        pytest.param(lambda folder: (folder / "state.json").mkdir(parents=True), id="a-folder-is-in-the-way"),
    ],
)
def test_folder_that_cannot_be_used_is_named(folder: Path, version: Path, spoil: Callable[[Path], Any]) -> None:
    folder.parent.parent.parent.mkdir(exist_ok=True)
    spoil(folder)
    if folder.is_dir():
        (folder / "unusable-1").write_bytes(b"")
        os.mkdir(folder / "lock")
    with pytest.raises(EnvironmentFault, match="rolling features cannot be kept here") as caught:
        keep(folder, loaded(version), version)
    assert caught.value.place == str(folder)
    assert "make the folder writable" in caught.value.fix


def test_version_that_cannot_be_read_leaves_the_folder_to_others(folder: Path, version: Path, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="No such file"):
        keep(folder, loaded(version), tmp_path / "nowhere")
    keep(folder, loaded(version), version).close()


def test_long_journal_gives_way_to_a_snapshot(folder: Path, version: Path) -> None:
    history = loaded(version)
    kept = keep(folder, history, version, journal_limit=1000)
    kept.tend()
    assert not (folder / "history.parquet").exists()
    while kept._journal.size <= 1000:
        ask(history, ("answer", [ROW]))
    kept.tend()
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(("history", "journal"))) == [
        "history.parquet",
        "journal-000002.log",
    ]
    size = (folder / "history.parquet").stat().st_size
    assert size > 1000
    while kept._journal.size <= 2 * size - 100:
        ask(history, ("answer", [ROW]))
    kept.tend()
    assert (folder / "journal-000002.log").exists()
    again = loaded(version)
    left = killed(folder, kept)
    kept = keep(left, again, version)
    assert state_of(again) == state_of(history)
    kept.close()


def test_rows_that_come_while_snapshots_are_written_are_all_kept(folder: Path, version: Path) -> None:
    history = History(ALL)
    kept = keep(folder, history, version, tend_s=0.001, journal_limit=1)
    sent = [{"at": float(second), "sku": "abc"[second % 3], "price": 1.0} for second in range(50)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            list(pool.map(lambda row: ask(history, ("answer", [row])), sent))
    kept.close()
    again = History(ALL)
    kept = keep(folder, again, version)
    assert again.facts()["restoredRows"] == 500
    assert state_of(again) == state_of(history)
    kept.close()


def test_journal_that_the_disk_refuses_is_said_once_and_mended_by_a_snapshot(
    folder: Path, version: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history, unbroken = loaded(version), loaded(version)
    kept = keep(folder, history, version, clock=lambda: NOON)
    for one in (history, unbroken):
        ask(one, ("answer", [ROW]))
    with disk_that_refuses(kept):
        for second in range(2, 5):
            row = {**ROW, "at": float(second)}
            assert repr(answered(history, [row])) == repr(answered(unbroken, [row]))
    message = f"{folder}: rows cannot be kept ([Errno 28] No space left on device)"
    ((level, text),) = said(caplog)
    assert (level, text.startswith(message)) == ("ERROR", True)
    assert (history.facts()["isKept"], history.facts()["restoredRows"]) == (False, 0)
    ask(history, ("answer", [{**ROW, "at": 6.0}]))
    ask(unbroken, ("answer", [{**ROW, "at": 6.0}]))
    kept.tend()
    assert history.facts()["isKept"]
    assert said(caplog)[1:] == [("WARNING", f"{folder}: every row is kept again")]
    for one in (history, unbroken):
        ask(one, ("answer", [{**ROW, "at": 7.0}]))
    left = killed(folder, kept)
    again = loaded(version)
    kept = keep(left, again, version)
    assert state_of(again) == state_of(unbroken)
    assert again.facts()["restoredRows"] == 6
    kept.close()


def test_rows_behind_a_gap_are_not_taken_for_those_in_it(
    folder: Path, version: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk fills while the snapshot that would mend the journal is written, and the process is killed."""
    history = loaded(version)
    kept = keep(folder, history, version)
    ask(history, ("answer", [ROW]))
    expected = state_of(history)
    with disk_that_refuses(kept):
        ask(history, ("answer", [ROW]))
    before = kept._turn()
    assert before[1] == 2
    ask(history, ("answer", [ROW]))
    left = killed(folder, kept)
    again = loaded(version)
    caplog.clear()
    kept = keep(left, again, version)
    assert state_of(again) == expected
    assert [level for level, _ in said(caplog)] == ["WARNING"]
    assert "journal-000002.log does not go on from what was restored" in caplog.text
    kept.close()
    before[0].close()


def test_snapshot_that_the_disk_refuses_is_said_once_and_tried_again_ever_less_often(
    folder: Path, version: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history = loaded(version)
    kept = keep(folder, history, version, journal_limit=1)
    ask(history, ("answer", [ROW]))
    (folder / "history.parquet").mkdir()
    tries = []
    for _ in range(20):
        before = len(list(folder.glob("journal-*")))
        kept.tend()
        tries.append(len(list(folder.glob("journal-*"))) - before)
        ask(history, ("answer", [ROW]))
    assert [position for position, tried in enumerate(tries) if tried] == [0, 1, 3, 7, 15]
    ((level, text),) = said(caplog)
    assert (level, "no snapshot can be written" in text) == ("ERROR", True)
    assert history.facts()["isKept"]
    assert not list(folder.glob(".*"))
    (folder / "history.parquet").rmdir()
    kept.compact()
    assert [path.name for path in folder.glob("journal-*")] == ["journal-000007.log"]
    kept.close()
    again = loaded(version)
    kept = keep(folder, again, version)
    assert state_of(again) == state_of(history)
    kept.close()


def test_end_writes_a_snapshot_where_rows_came_and_none_where_none_did(folder: Path, version: Path) -> None:
    history = loaded(version)
    keep(folder, history, version).close()
    assert not (folder / "history.parquet").exists()
    kept = keep(folder, history, version)
    ask(history, ("observe", [ROW]))
    kept.close()
    kept.close()
    assert pq.read_metadata(folder / "history.parquet").num_rows == len(history.to_table())
    written = (folder / "history.parquet").stat().st_mtime_ns
    keep(folder, loaded(version), version).close()
    assert (folder / "history.parquet").stat().st_mtime_ns == written


def test_end_waits_for_its_snapshot_no_longer_than_it_may(
    folder: Path, version: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history = loaded(version)
    kept = keep(folder, history, version)
    ask(history, ("observe", [ROW]))
    is_copying = Event()
    with ThreadPoolExecutor(1) as pool, history._copying:
        is_copying.set()
        started = time.monotonic()
        kept.close(within_s=0.05)
        assert time.monotonic() - started < 5
        again = loaded(version)
        other = pool.submit(keep, folder, again, version).result(timeout=30)
    assert said(caplog) == [("WARNING", f"{folder}: no snapshot in 0.05 s: the next start reads the journal")]
    kept._thread.join(timeout=30)
    assert not kept._thread.is_alive()
    assert state_of(again) == state_of(history)
    assert len(list(folder.glob("journal-*"))) == 2
    other.close()


def test_thread_that_meets_something_unforeseen_goes_on(
    folder: Path, version: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = keep(folder, loaded(version), version)
    kept._try(fail)
    assert "cannot be tended" in caplog.text
    kept.close()


def fail() -> None:
    raise LookupError("unforeseen")
