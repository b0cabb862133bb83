# SPDX-License-Identifier: Apache-2.0
"""Events are kept once, the oldest go first, and a file that is something else is refused."""

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelp.errors import EnvironmentFault, IntegrityError, NotFound
from monitoring.events.schema import DATABASE
from monitoring.events.store import EventStore, Totals
from tests.unit.monitoring.events.made import a_prediction


def test_an_event_is_found_by_its_request_as_it_was_sent(tmp_path: Path) -> None:
    event = a_prediction(inputs={}, features=b"\x00\x00\x80?", labels=[], request_id="a 'request' \x00 é")
    with EventStore(tmp_path / "monitor" / DATABASE) as store:
        assert store.append([event, a_prediction(2)]) == 2
        assert store.find(event.request_id) == [event]
        assert store.find("another") == []
    with EventStore(tmp_path / "monitor" / DATABASE, is_begun=True) as again:
        assert again.find(event.request_id) == [event]


def test_events_of_a_request_that_was_tried_again_come_oldest_first(tmp_path: Path) -> None:
    first, second = (a_prediction(number, request_id="r") for number in (1, 2))
    with EventStore(tmp_path / DATABASE) as store:
        store.append([second, first])
        assert store.find("r") == [first, second]


def test_an_event_that_is_sent_again_is_kept_once(tmp_path: Path) -> None:
    of_another_version = a_prediction(1, version="4")
    with EventStore(tmp_path / DATABASE) as store:
        assert store.append([a_prediction(1), a_prediction(2)]) == 2
        assert store.append([a_prediction(2, scores=[0.5]), a_prediction(3), a_prediction(3)]) == 1
        assert store.append([of_another_version]) == 1
        assert store.find("request-2") == [a_prediction(2)]
        assert (store.totals().stored, store.totals().repeated, store.count()) == (4, 2, 4)


def test_the_oldest_events_go_for_the_newest_and_are_counted(tmp_path: Path) -> None:
    with EventStore(tmp_path / DATABASE, most=3) as store:
        store.append([a_prediction(number) for number in range(1, 6)])
        store.append([a_prediction(6)])
        assert [len(store.find(f"request-{number}")) for number in range(1, 7)] == [0, 0, 0, 1, 1, 1]
        assert (store.count(), store.totals().dropped) == (3, 3)
    with EventStore(tmp_path / DATABASE, most=1) as smaller:
        smaller.append([a_prediction(7)])
        assert (smaller.count(), smaller.totals().dropped, len(smaller.find("request-7"))) == (1, 6, 1)


def test_the_newest_event_is_kept_whatever_its_size(tmp_path: Path) -> None:
    with EventStore(tmp_path / DATABASE, most_bytes=2_000) as store:
        store.append([a_prediction(number) for number in range(1, 4)])
        assert store.count() == 3
        store.append([a_prediction(4, inputs={"text": ["x" * 5_000]})])
        assert (store.count(), store.totals().dropped) == (1, 3)
        assert store.totals().bytes > 5_000
        store.append([a_prediction(5)])
        assert [event.id for number in (4, 5) for event in store.find(f"request-{number}")] == ["log-5"]


@settings(max_examples=50, deadline=None)
@given(
    batches=st.lists(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 300)), max_size=8), max_size=8),
    most=st.integers(1, 6),
    most_bytes=st.integers(1, 4_000),
)
def test_totals_are_what_is_in_the_file(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[int, int]]], most: int, most_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("events") / DATABASE
    with EventStore(path, most=most, most_bytes=most_bytes) as store, closing(sqlite3.connect(path)) as other:
        for batch in batches:
            store.append([a_prediction(number, inputs={"a": ["x" * size]}) for number, size in batch])
        totals = store.totals()
        kept, size = other.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM events").fetchone()
        assert (totals.kept, totals.bytes) == (kept, size)
        assert totals.stored + totals.repeated == sum(map(len, batches))
        assert kept <= most
        assert size <= most_bytes or kept == 1


def test_several_threads_may_append(tmp_path: Path) -> None:
    with EventStore(tmp_path / DATABASE) as store:

        def work(worker: int) -> None:
            for number in range(20):
                store.append([a_prediction(number, id=f"{worker}-{number}")])

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.totals() == Totals(stored=80, repeated=0, dropped=0, bytes=store.totals().bytes)


def test_a_batch_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    with EventStore(path) as store:
        store.append([a_prediction(1)])
        with closing(sqlite3.connect(path)) as other:
            other.execute(
                "CREATE TRIGGER no BEFORE INSERT ON events WHEN new.id = 'log-3' BEGIN SELECT raise(FAIL, 'x'); END"
            )
        with pytest.raises(IntegrityError):
            store.append([a_prediction(2), a_prediction(3)])
        assert (store.count(), store.find("request-2")) == (1, [])


def test_a_file_that_is_not_there_is_not_made_for_a_reader(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no events are kept here"):
        EventStore(tmp_path / "monitor" / DATABASE, is_begun=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_nothing_in_it_yet_has_no_events(tmp_path: Path) -> None:
    (tmp_path / DATABASE).touch()
    with pytest.raises(NotFound, match="no events are kept here"):
        EventStore(tmp_path / DATABASE, is_begun=True)


@pytest.mark.parametrize("is_begun", [pytest.param(True, id="reading"), pytest.param(False, id="writing")])
@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        pytest.param("PRAGMA user_version = 7", "of format 1, found format 7", id="another format"),
        pytest.param("PRAGMA application_id = 7", "found another SQLite database", id="another application"),
    ],
)
def test_a_database_of_another_kind_is_refused_and_left_as_it_is(
    tmp_path: Path, statement: str, problem: str, is_begun: bool
) -> None:
    path = tmp_path / DATABASE
    EventStore(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute(statement)
    path.chmod(0o644)
    before = path.read_bytes()
    with pytest.raises(EnvironmentFault, match=problem) as raised:
        EventStore(path, is_begun=is_begun)
    assert (raised.value.place, bool(raised.value.fix)) == (str(path), True)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (before, 0o644)


def modes(folder: Path) -> dict[str, str]:
    return {path.name: f"{path.stat().st_mode & 0o777:o}" for path in (folder, *folder.iterdir())}


@pytest.mark.parametrize("mask", [pytest.param(0o000, id="umask 0"), pytest.param(0o077, id="umask 77")])
def test_only_its_owner_may_read_it(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with EventStore(tmp_path / "monitor" / DATABASE) as store:
            store.append([a_prediction(1)])
            expected = dict.fromkeys((DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"), "600")
            assert modes(store.path.parent) == {"monitor": "700", **expected}
    finally:
        os.umask(before)


def test_a_file_that_others_could_read_is_closed_to_them_and_its_folder_is_left(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(mode=0o755)
    path = tmp_path / "shared" / DATABASE
    (tmp_path / "link.db").symlink_to(path)
    with EventStore(path) as store:
        store.append([a_prediction(1)])
        for file in path.parent.iterdir():
            file.chmod(0o644)
        with EventStore(tmp_path / "link.db") as again:
            again.append([a_prediction(2)])
            expected = dict.fromkeys((DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"), "600")
            assert modes(path.parent) == {"shared": "755", **expected}


def _no_database(path: Path) -> None:
    path.write_bytes(b"something else" * 1_000)


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5_000])


def _no_totals(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("DELETE FROM totals WHERE name = 'bytes'")
        other.commit()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(_no_database, id="no database"),
        pytest.param(_cut_off, id="cut off"),
        pytest.param(_no_totals, id="a row is gone"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, spoil: "object") -> None:
    path = tmp_path / DATABASE
    with EventStore(path) as store:
        store.append([a_prediction(number) for number in range(50)])
    assert callable(spoil)
    spoil(path)
    with pytest.raises(IntegrityError, match="the store of events is damaged") as raised, EventStore(path) as store:
        store.append([a_prediction(99)])
    assert (raised.value.place, "move the file away" in raised.value.fix) == (str(path), True)


def test_a_damaged_event_is_named(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    with EventStore(path) as store, closing(sqlite3.connect(path)) as other:
        store.append([a_prediction(1)])
        other.execute("UPDATE events SET body = x'7b7d'")
        other.commit()
        with pytest.raises(IntegrityError, match="an event of the request request-1 cannot be read"):
            store.find("request-1")


def test_a_file_that_another_process_holds_is_an_error_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / DATABASE
    with EventStore(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        store._database.execute("PRAGMA busy_timeout = 50")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(EnvironmentFault, match="database is locked") as raised:
            store.append([a_prediction(1)])
        assert (raised.value.place, "another process" in raised.value.fix) == (str(path), True)
        other.execute("ROLLBACK")
        assert store.append([a_prediction(1)]) == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "monitor").write_text("a file")
    with pytest.raises(EnvironmentFault, match="the folder of the events cannot be made") as raised:
        EventStore(tmp_path / "monitor" / DATABASE)
    assert raised.value.place == str(tmp_path / "monitor")


def test_a_folder_in_the_place_of_the_file_is_an_error_of_the_surroundings(tmp_path: Path) -> None:
    (tmp_path / DATABASE).mkdir()
    with pytest.raises(EnvironmentFault, match="unable to open database file"):
        EventStore(tmp_path / DATABASE)
