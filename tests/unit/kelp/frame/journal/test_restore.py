# SPDX-License-Identifier: Apache-2.0
"""A history that is restored against one that never ended."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelp.errors import RequestError
from kelp.frame.history import History
from kelp.frame.journal.folder import StateFolder
from kelp.frame.journal.records import Reading
from kelp.frame.transform import Transform
from tests.unit.kelp.frame.asked import Request, a_history, ask, requests, state_of
from tests.unit.kelp.frame.journal.keeping import a_version, keep, killed, loaded
from tests.unit.kelp.frame.test_history import ALL, RowsOf, rows
from tests.unit.kelp.frame.windowed import columns_of, demand, quotes, window

PAST: RowsOf = [{"at": at, "sku": sku, "price": 2.0, "shelf": 1} for at, sku in ((0.5, "a"), (1.0, "b"), (1.0, "a"))]
A_FEW: list[Request] = [
    ("answer", [{"at": 2.0, "sku": "a", "customer": "x", "price": 1.0}, {"at": 2.0, "sku": "c", "price": 3.0}]),
    ("observe", [{"at": 1.5, "sku": "b", "customer": "ü", "shelf": 2, "price": 0.5}]),
    ("answer", [{"at": 9.0, "sku": "d", "price": None}, {"at": 9.5, "sku": "a", "customer": "y"}]),
    ("answer", [{"at": 11.0, "sku": "e", "customer": "z", "price": 7.0}]),
]


def states_after_each(version: Path, sent: list[Request], transform: Transform = ALL) -> list[object]:
    """The state of a history that never ends, before the first request and after each."""
    history = loaded(version, transform)
    states: list[object] = [state_of(history)]
    for request in sent:
        ask(history, request)
        states.append(state_of(history))
    return states


@pytest.fixture
def version(tmp_path: Path) -> Path:
    return a_version(tmp_path / "version", past=PAST)


@pytest.fixture
def left(tmp_path: Path, version: Path) -> Path:
    """What a kill leaves after a few requests, with a snapshot after the second one."""
    history = loaded(version)
    kept = keep(tmp_path / "state", history, version)
    for position, request in enumerate(A_FEW):
        if position == 2:
            kept.compact()
        ask(history, request)
    return killed(tmp_path / "state", kept)


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and message of each line of log but those about the small limits of these histories."""
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("kelp.frame.journal")
    ]


def restored(folder: Path, version: Path) -> History:
    history = loaded(version)
    keep(folder, history, version).close()
    return history


FEWER = settings(max_examples=40, deadline=None)  # each syncs files to a disk
events = st.lists(requests | st.sampled_from(["kill", "close", "compact"]), max_size=15)


@FEWER
@given(events, st.lists(rows, max_size=3))
def test_history_that_ends_and_is_restored_any_number_of_times_is_as_one_that_never_ends(
    happens: list[Request | str], past: RowsOf
) -> None:
    with TemporaryDirectory() as root:
        folder, version = Path(root) / "state", a_version(Path(root) / "version", past=past)
        unbroken, history = loaded(version), loaded(version)
        kept = keep(folder, history, version)
        for event in happens:
            match event:
                case "kill":
                    folder, history = killed(folder, kept), loaded(version)
                    kept = keep(folder, history, version)
                case "close":
                    kept.close()
                    history = loaded(version)
                    kept = keep(folder, history, version)
                case "compact":
                    kept.compact()
                case _:
                    ask(unbroken, event)  # type: ignore[arg-type]  # the strings were matched
                    ask(history, event)  # type: ignore[arg-type]
            assert state_of(history) == state_of(unbroken)
        kept.close()
        assert not list(folder.glob("unusable*"))


sold = st.fixed_dictionaries(
    {
        "day": st.integers(0, 8).map(lambda number: number * 5.0),
        "store": st.just(1),
        "product": st.sampled_from(["a", "b"]),
        "units": st.none() | st.integers(0, 9).map(float),
    }
)


@FEWER
@given(st.lists(st.lists(sold, min_size=1, max_size=3), max_size=8))
def test_forecast_refuses_and_corrects_after_a_restart_as_before(sent: list[RowsOf]) -> None:
    transform = demand()
    with TemporaryDirectory() as root:
        folder, version = Path(root) / "state", a_version(Path(root) / "version", transform)
        unbroken = loaded(version, transform)
        for request in sent:
            history = loaded(version, transform)
            kept = keep(folder, history, version)
            said = [answer_of(one, request) for one in (unbroken, history)]
            assert said[0] == said[1]
            assert state_of(history) == state_of(unbroken)
            folder = killed(folder, kept)


def answer_of(history: History, sent: RowsOf) -> str:
    try:
        return repr(history.answer(columns_of(history.transform, sent), len(sent)))
    except RequestError as error:
        return str(error)


def test_journal_cut_at_any_byte_gives_the_state_after_some_prefix_of_the_requests(
    tmp_path: Path, version: Path, left: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = states_after_each(version, A_FEW)
    (journal,) = left.glob("journal-*")
    content = journal.read_bytes()
    lines = content.splitlines(keepends=True)
    for size in range(len(content), -1, -1):
        folder = tmp_path / f"cut{size}"
        shutil.copytree(left, folder)
        (folder / journal.name).write_bytes(content[:size])
        caplog.clear()
        found = state_of(restored(folder, version))
        whole = sum(len(b"".join(lines[: count + 1])) <= size for count in range(1, len(lines)))
        assert found == expected[2 + whole]
        is_torn = size not in (len(b"".join(lines[: count + 1])) for count in range(len(lines)))
        assert [level for level, _ in said(caplog)] == ["WARNING"] * is_torn, size
        assert state_of(restored(folder, version)) == found
        shutil.rmtree(folder)


def test_any_changed_byte_of_a_journal_gives_a_prefix_and_nothing_is_deleted(
    tmp_path: Path, version: Path, left: Path
) -> None:
    expected = states_after_each(version, A_FEW)
    (journal,) = left.glob("journal-*")
    content = journal.read_bytes()
    for position in range(0, len(content), 3):
        folder = tmp_path / f"changed{position}"
        shutil.copytree(left, folder)
        changed = content[:position] + bytes([content[position] ^ 0x04]) + content[position + 1 :]
        (folder / journal.name).write_bytes(changed)
        assert state_of(restored(folder, version)) in expected[2:]
        behind = content[position:].count(b"\n") > 1
        aside = [path.read_bytes() for path in folder.glob("unusable-1/journal-*")]
        assert aside == [changed] * behind or not aside, position
        shutil.rmtree(folder)


def test_journal_with_whole_records_behind_a_damaged_one_is_kept_aside(
    version: Path, left: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (journal,) = left.glob("journal-*")
    content = bytearray(journal.read_bytes())
    content[content.index(b"\n") + 12] ^= 1
    journal.write_bytes(content)
    history = loaded(version)
    kept = keep(left, history, version)
    assert state_of(history) == states_after_each(version, A_FEW)[2]
    end = "is cut off at byte 39: the record there is damaged, and whole records behind it cannot be used: 1"
    assert said(caplog) == [("WARNING", f"{journal} {end}")]
    kept.compact()
    kept.close()
    assert (left / "unusable-1" / journal.name).read_bytes() == content


def other_transform(version: Path) -> None:
    content = json.loads((version / "transform.json").read_text())
    content["features"][0]["fill"] = 3.0
    (version / "transform.json").write_text(json.dumps(content))


def other_history(version: Path) -> None:
    history = a_history()
    history.observe(columns_of(ALL, PAST[:1]))
    pq.write_table(history.to_table(), version / "history.parquet")


def change(name: str, how: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        (folder / name).write_bytes(how((folder / name).read_bytes()))

    return edit


def with_metadata(folder: Path, name: bytes, said: bytes) -> None:
    table = pq.read_table(folder / "history.parquet")
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, name: said}), folder / "history.parquet")


MISFITS = [
    pytest.param(other_transform, None, "belongs to a version with another transform.json", id="transform"),
    pytest.param(other_history, None, "belongs to a version with another history.parquet", id="history"),
    pytest.param(None, change("state.json", lambda _: b"{"), "has no state.json", id="state-is-no-json"),
    pytest.param(None, change("state.json", lambda _: b"[]"), "has no state.json", id="state-is-a-list"),
    pytest.param(None, change("state.json", lambda _: b"{}"), "has no state.json", id="state-says-nothing"),
    pytest.param(None, lambda folder: (folder / "state.json").unlink(), "has no state.json", id="no-state"),
    pytest.param(
        None, change("state.json", lambda found: found.replace(b'"form": 1', b'"form": 2')), "the form 2", id="form"
    ),
    pytest.param(None, change("history.parquet", lambda found: found[:-9]), "cannot be read", id="snapshot-is-cut"),
    pytest.param(None, change("history.parquet", lambda _: b""), "cannot be read", id="snapshot-is-empty"),
    pytest.param(None, lambda folder: with_metadata(folder, b"journal", b"x"), "cannot be read", id="no-number"),
    pytest.param(None, lambda folder: with_metadata(folder, b"dropped", b"[[]]"), "cannot be read", id="no-count"),
    pytest.param(
        None,
        lambda folder: shutil.copy(folder.parent / "version" / "history.parquet", folder),
        "cannot be read",
        id="snapshot-of-nobody",
    ),
]


@pytest.mark.parametrize(("change_version", "change_state", "reason"), MISFITS)
def test_state_that_does_not_fit_is_moved_aside_whole_and_the_version_starts_anew(
    version: Path,
    left: Path,
    caplog: pytest.LogCaptureFixture,
    change_version: Callable[[Path], None] | None,
    change_state: Callable[[Path], None] | None,
    reason: str,
) -> None:
    if change_version is not None:
        change_version(version)
    if change_state is not None:
        change_state(left)
    before = {path.name: path.read_bytes() for path in left.iterdir() if path.name != "lock"}
    assert state_of(restored(left, version)) == state_of(loaded(version))
    assert {path.name: path.read_bytes() for path in (left / "unusable-1").iterdir()} == before
    assert reason in caplog.text
    assert {level for level, _ in said(caplog)} == {"WARNING"}
    caplog.clear()
    history = loaded(version)
    kept = keep(left, history, version)
    assert history.facts()["restoredRows"] == 0
    ask(history, A_FEW[0])
    again = killed(left, kept)
    assert state_of(restored(again, version)) == state_of(history)
    assert not said(caplog)


def test_second_unusable_state_does_not_replace_the_first(version: Path, left: Path) -> None:
    for _ in range(2):
        (left / "state.json").write_text("{")
        restored(left, version)
    assert sorted(path.name for path in left.glob("unusable-*")) == ["unusable-1", "unusable-2"]


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(b"7", id="no-list"),
        pytest.param(b"[[]]", id="too-few-groups"),
        pytest.param(b'[[["a"]],[],[]]', id="short-row"),
        pytest.param(b'[[["a","1",[1,1,1,1]]],[],[]]', id="time-is-no-number"),
        pytest.param(b'[[["a",1e400,[1,1,1,1]]],[],[]]', id="time-is-infinite"),
        pytest.param(b'[[["a",9223372036854775808,[1,1,1,1]]],[],[]]', id="time-is-too-great"),
        pytest.param(b"[[[{},1,[1,1,1,1]]],[],[]]", id="entity-is-an-object"),
        pytest.param(b'[[["a",1,["x",1,1,1]]],[],[]]', id="number-is-a-text"),
        pytest.param(b"]", id="no-json"),
    ],
)
def test_whole_record_that_fits_no_row_sets_the_state_aside(
    version: Path, left: Path, record: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (journal,) = left.glob("journal-*")
    with journal.open("ab") as file:
        file.write(b"%08x %b\n" % (crc32(record), record))
    assert state_of(restored(left, version)) == state_of(loaded(version))
    assert "cannot be read" in caplog.text
    assert (left / "unusable-1" / journal.name).exists()


def test_journals_are_read_only_where_they_go_on_from_each_other(
    tmp_path: Path, version: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "state"
    expected = states_after_each(version, A_FEW)
    for request in A_FEW:
        history = loaded(version)
        kept = keep(folder, history, version)
        ask(history, request)
        folder = killed(folder, kept)
    names = sorted(path.name for path in folder.glob("journal-*"))
    assert names == [f"journal-{number:06}.log" for number in (1, 2, 3, 4)]
    content = (folder / names[1]).read_bytes()
    (folder / names[1]).write_bytes(content[:-1])
    caplog.clear()
    assert state_of(restored(folder, version)) == expected[1]
    assert sorted(path.name for path in (folder / "unusable-1").iterdir()) == names[2:]
    assert f"{folder / names[1]} is cut off" in caplog.text
    assert "does not go on from what was restored" in caplog.text


def test_version_whose_file_is_in_the_old_form_still_starts_a_history(tmp_path: Path, version: Path) -> None:
    assert pq.read_schema(version / "history.parquet").names == ["by", "over", "entity", "time_us", "number", "text"]
    assert state_of(restored(tmp_path / "state", version)) == state_of(loaded(version))


def test_limits_that_were_lowered_drop_what_is_too_many(tmp_path: Path, version: Path) -> None:
    history = History(ALL)
    kept = keep(tmp_path / "state", history, version)
    for request in A_FEW:
        ask(history, request)
    folder = killed(tmp_path / "state", kept)
    assert history.facts()["droppedEntities"] == 0
    assert restored(folder, version).facts()["droppedEntities"] > 0


def test_private_texts_that_no_window_reads_are_not_written(tmp_path: Path, version: Path) -> None:
    transform = quotes(window("count", over="customer"))
    folder = a_version(tmp_path / "counts", transform)
    history = loaded(folder, transform)
    kept = keep(tmp_path / "state", history, folder)
    ask(history, ("answer", [{"at": 1.0, "sku": "a", "customer": "not to be found"}]))
    (journal,) = (tmp_path / "state").glob("journal-*")
    assert len(list(Reading(journal))) == 1
    assert b"not to be found" not in journal.read_bytes()
    kept.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
def test_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(PermissionError):
        StateFolder(tmp_path / "state")
