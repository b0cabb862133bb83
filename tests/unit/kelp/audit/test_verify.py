# SPDX-License-Identifier: Apache-2.0
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelp.audit.note import Checkpoint, Signer
from kelp.audit.schema import DATABASE
from kelp.audit.tree import Frontier, leaf_hash
from kelp.audit.verify import UNKNOWABLE, Report, verify
from kelp.errors import InputError, NotFound
from tests.unit.kelp.audit.log_factory import ORIGIN, SEED, a_log, fill

VKEY = str(Signer(ORIGIN, SEED).verifier)
RECORDS = 12
Edit = Callable[[sqlite3.Connection], object]


@cache
def filled_files(batch: int) -> dict[str, bytes]:
    """The files of a log of 12 records; the last two are alias moves when each record has its own commit."""
    with TemporaryDirectory() as folder:
        with a_log(Path(folder)) as log:
            fill(log, RECORDS - 2 if batch == 1 else RECORDS, batch=batch)
            if batch == 1:
                log.move_alias("fraud", "champion", expected=None, version=1)
                log.move_alias("fraud", "champion", expected=1, version=2)
        return {name: (Path(folder) / name).read_bytes() for name in (DATABASE, "checkpoint")}


def a_filled_log(folder: Path, *, batch: int = 1) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in filled_files(batch).items():
        (folder / name).write_bytes(content)
    return folder / DATABASE


def tamper(database: Path, edit: Edit) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        edit(connection)


def sql(*statements: str) -> Edit:
    return lambda database: [database.execute(statement) for statement in statements]


def body_of(database: sqlite3.Connection, seq: int) -> bytes:
    body: bytes = database.execute("SELECT body FROM records WHERE seq = ?", (seq,)).fetchone()[0]
    return body


def rewrite(seq: int) -> Edit:
    """Change a record into another one that is well formed."""

    def edit(database: sqlite3.Connection) -> None:
        body = body_of(database, seq).replace(b'"alice"', b'"mallory"')
        database.execute("UPDATE records SET body = ? WHERE seq = ?", (body, seq))

    return edit


def rebuild_tree(database: sqlite3.Connection) -> None:
    """Make the stored tree fit the records as they are now, as a careful forger would."""
    database.execute("DELETE FROM nodes")
    frontier = Frontier()
    for (body,) in database.execute("SELECT body FROM records ORDER BY seq").fetchall():
        frontier, completed = frontier.add(leaf_hash(body))
        rows = [(node.level, node.index, node.hash) for node in completed]
        database.executemany("INSERT INTO nodes VALUES (?, ?, ?)", rows)


def sign_again(database: sqlite3.Connection, *, seed: bytes = SEED, every: bool = True) -> None:
    """Sign what stands in the log now; with the log's own seed this is what its owner could do."""
    signer, frontier = Signer(ORIGIN, seed), Frontier()
    database.execute("DELETE FROM checkpoints")
    bodies = [body for (body,) in database.execute("SELECT body FROM records ORDER BY seq")]
    for body in bodies:
        frontier, _ = frontier.add(leaf_hash(body))
        if every or frontier.size == len(bodies):
            note = signer.sign(Checkpoint(ORIGIN, frontier.size, frontier.root()).text())
            database.execute("INSERT INTO checkpoints VALUES (?, ?)", (frontier.size, note))


def in_turn(*edits: Edit) -> Edit:
    return lambda database: [edit(database) for edit in edits]


def named(report: Report) -> list[int]:
    """The records that problems are about, each once."""
    return [seq for seq in range(-1, RECORDS + 2) if report.names(seq)]


def messages(report: Report) -> str:
    return "\n".join(map(str, report.problems))


@pytest.mark.parametrize("batch", [1, 5, 12], ids="batches-of-{}".format)
def test_an_honest_log_is_sound(tmp_path: Path, batch: int) -> None:
    report = verify(a_filled_log(tmp_path, batch=batch), VKEY)
    assert report.is_sound
    assert report.size == RECORDS
    assert report.checkpoint == (tmp_path / "checkpoint").read_text()
    assert UNKNOWABLE in report.notes


def test_an_empty_log_is_sound(tmp_path: Path) -> None:
    a_log(tmp_path).close()
    report = verify(tmp_path / DATABASE, VKEY)
    assert report.is_sound
    assert report.size == 0


def test_an_honest_log_extends_every_checkpoint_it_ever_signed(tmp_path: Path) -> None:
    kept = []
    with a_log(tmp_path) as log:
        for _ in range(5):
            kept.append(log.checkpoint())
            fill(log, 1)
    for checkpoint in kept:
        report = verify(tmp_path / DATABASE, VKEY, checkpoint)
        assert report.is_sound
        assert UNKNOWABLE not in report.notes


def test_verifying_leaves_a_copy_as_it_is(tmp_path: Path) -> None:
    a_filled_log(tmp_path / "log")
    (tmp_path / "copy").mkdir()
    copy = Path(shutil.copy(tmp_path / "log" / DATABASE, tmp_path / "copy"))
    before = copy.read_bytes()
    assert verify(copy, VKEY).is_sound
    assert [path.name for path in copy.parent.iterdir()] == [DATABASE]
    assert copy.read_bytes() == before


def test_a_log_that_is_open_for_writing_is_verified_up_to_its_last_commit(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        fill(log, 3)
        assert verify(tmp_path / DATABASE, VKEY, log.checkpoint()).size == 3


TAMPERINGS = [
    pytest.param(rewrite(4), [4], "record 4 was changed", id="changed"),
    pytest.param(in_turn(rewrite(4), rewrite(9)), [4, 9], "record 9 was changed", id="two-changed"),
    pytest.param(sql("DELETE FROM records WHERE seq = 4"), [4], "record 4 was removed", id="removed"),
    pytest.param(sql("DELETE FROM records WHERE seq = 0"), [0], "record 0 was removed", id="first-removed"),
    pytest.param(
        sql("DELETE FROM records WHERE seq >= 9"), [9, 10, 11], "records 9 to 11 were removed", id="end-removed"
    ),
    pytest.param(
        sql(
            "UPDATE records SET seq = -2 WHERE seq = 3",
            "UPDATE records SET seq = 3 WHERE seq = 7",
            "UPDATE records SET seq = 7 WHERE seq = -2",
        ),
        [3, 7],
        "record 3 stands at 7",
        id="swapped",
    ),
    pytest.param(
        sql("INSERT INTO records SELECT 12, body FROM records WHERE seq = 3"),
        [12],
        "record 12 was inserted",
        id="inserted-at-the-end",
    ),
    pytest.param(
        sql("INSERT INTO records SELECT -1, body FROM records WHERE seq = 3"),
        [-1],
        "record -1 was inserted",
        id="inserted-before-the-first",
    ),
    pytest.param(
        sql("UPDATE records SET body = (SELECT body FROM records WHERE seq = 2) WHERE seq = 6"),
        [6],
        "record 6 was changed",
        id="overwritten-with-another",
    ),
    pytest.param(
        sql(
            "DELETE FROM records WHERE seq = 4",
            *(f"UPDATE records SET seq = {seq - 1} WHERE seq = {seq}" for seq in range(5, RECORDS)),
        ),
        [4, 5, 6, 7, 8, 9, 10, 11],
        "record 4 was removed\nrecords 5 to 11 stand at 4 to 10",
        id="removed-and-closed-up",
    ),
    pytest.param(
        sql(
            *(f"UPDATE records SET seq = {seq + 1} WHERE seq = {seq}" for seq in reversed(range(4, RECORDS))),
            "INSERT INTO records VALUES (4, x'7b7d')",
        ),
        [4, 5, 6, 7, 8, 9, 10, 11],
        "record 4 was inserted: no signature covers it\nrecords 4 to 11 stand at 5 to 12",
        id="inserted-and-moved-on",
    ),
]


@pytest.mark.parametrize("batch", [1, 5], ids="batches-of-{}".format)
@pytest.mark.parametrize(("edit", "seqs", "message"), TAMPERINGS)
def test_tampering_with_records_is_named(
    tmp_path: Path, edit: Edit, seqs: Sequence[int], message: str, batch: int
) -> None:
    database = a_filled_log(tmp_path, batch=batch)
    tamper(database, edit)
    report = verify(database, VKEY)
    assert message in messages(report)
    assert named(report) == seqs


@pytest.mark.parametrize("seq", range(RECORDS), ids="record-{}".format)
def test_a_record_changed_together_with_the_stored_tree_is_named(tmp_path: Path, seq: int) -> None:
    database = a_filled_log(tmp_path)
    tamper(database, in_turn(rewrite(seq), rebuild_tree))
    report = verify(database, VKEY)
    assert f"record {seq} changed, and the stored tree with it" in messages(report)
    assert report.problems[0].names(seq)
    assert not any(report.names(other) for other in range(RECORDS) if other not in (seq, 10, 11))


def test_a_record_removed_together_with_its_tree_is_named(tmp_path: Path) -> None:
    database = a_filled_log(tmp_path)
    tamper(database, in_turn(sql("DELETE FROM records WHERE seq = 11"), rebuild_tree))
    assert "record 11 was removed" in messages(verify(database, VKEY))


def test_a_record_changed_with_the_tree_within_a_batch_is_named_by_its_batch(tmp_path: Path) -> None:
    database = a_filled_log(tmp_path, batch=5)
    tamper(database, in_turn(rewrite(7), rebuild_tree))
    assert "one or more of records 5 to 9 changed" in messages(verify(database, VKEY))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_of_any_record_is_named(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("log")
    database = a_filled_log(folder, batch=data.draw(st.sampled_from([1, 5, 12])))
    seq = data.draw(st.integers(0, RECORDS - 1))

    def flip(connection: sqlite3.Connection) -> None:
        body = bytearray(body_of(connection, seq))
        body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
        connection.execute("UPDATE records SET body = ? WHERE seq = ?", (bytes(body), seq))

    tamper(database, flip)
    report = verify(database, VKEY)
    assert report.problems[0].message == f"record {seq} was changed after it was logged"
    assert (report.problems[0].first, report.problems[0].last) == (seq, seq)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_flipped_byte_of_the_file_is_reported_or_changes_nothing_that_was_logged(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("log")
    database = a_filled_log(folder)
    logged = contents(database)
    content = bytearray(database.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    database.write_bytes(content)
    if verify(database, VKEY).is_sound:
        assert contents(database) == logged


def contents(database: Path) -> list[object]:
    with closing(sqlite3.connect(f"{database.as_uri()}?immutable=1", uri=True)) as connection:
        tables = ("records", "nodes", "checkpoints", "aliases")
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        pytest.param(
            sql(
                "UPDATE checkpoints SET note = replace(note, char(10) || '7' || char(10), char(10) || '8' || char(10))"
            ),
            "the checkpoint of size 7 is false: the signature of",
            id="changed-size",
        ),
        pytest.param(
            sql("UPDATE checkpoints SET note = 'not a note' WHERE size = 5"),
            "the checkpoint of size 5 is false: a signed note was expected",
            id="no-note",
        ),
        pytest.param(
            sql("UPDATE checkpoints SET note = (SELECT note FROM checkpoints WHERE size = 4) WHERE size = 5"),
            "the checkpoint of size 5 is false: it was signed for size 4",
            id="of-another-size",
        ),
        pytest.param(
            lambda database: sign_again(database, seed=bytes(32)),
            "the checkpoint of each size from 1 to 12 is false: it bears no signature",
            id="signed-by-another-key",
        ),
        pytest.param(sql("DELETE FROM checkpoints"), "no checkpoint is signed by the key", id="no-checkpoints"),
        pytest.param(
            sql("DELETE FROM checkpoints WHERE size = 12"), "record 11 was inserted: no signature covers it", id="last"
        ),
    ],
)
def test_false_checkpoints_are_named(tmp_path: Path, edit: Edit, message: str) -> None:
    database = a_filled_log(tmp_path)
    tamper(database, edit)
    (tmp_path / "checkpoint").unlink()
    assert message in messages(verify(database, VKEY))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        pytest.param(
            sql("UPDATE aliases SET version = 1"), "champion of fraud at 1: record 11 moved it to 2", id="moved"
        ),
        pytest.param(sql("DELETE FROM aliases"), "champion of fraud at None: record 11 moved it to 2", id="removed"),
        pytest.param(
            sql("INSERT INTO aliases VALUES ('fraud', 'latest', 9)"),
            "latest of fraud at 9: no record moved it",
            id="added",
        ),
        pytest.param(sql("DELETE FROM nodes WHERE level = 2"), "the stored tree has 3 false nodes", id="nodes-gone"),
        pytest.param(
            sql("UPDATE nodes SET hash = zeroblob(32) WHERE level = 0 AND position = 5"),
            "the stored tree has 1 false nodes, the first at level 0, position 5",
            id="leaf-node",
        ),
        pytest.param(
            sql("INSERT INTO nodes VALUES (9223372036854775807, -1, x'00')"),
            "the stored tree has 1 false nodes",
            id="absurd-node",
        ),
        pytest.param(
            sql("CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM records; END"),
            "holds more than an audit log: CREATE TRIGGER t",
            id="trigger",
        ),
        pytest.param(sql("DROP TABLE requests"), "lacks a table: CREATE TABLE requests", id="table-dropped"),
        pytest.param(
            sql("ALTER TABLE records RENAME TO r", "CREATE VIEW records AS SELECT 'x' AS seq, 1 AS body"),
            "an integer was expected, found bytes",
            id="view-of-nonsense",
        ),
    ],
)
def test_tampering_beside_the_records_is_named(tmp_path: Path, edit: Edit, message: str) -> None:
    database = a_filled_log(tmp_path)
    tamper(database, edit)
    assert message in messages(verify(database, VKEY))


def test_a_record_that_moves_an_alias_from_where_it_did_not_stand_is_named(tmp_path: Path) -> None:
    def forge(database: sqlite3.Connection) -> None:
        body = body_of(database, 11).replace(b'"from":1', b'"from":7')
        database.execute("UPDATE records SET body = ? WHERE seq = 11", (body,))
        rebuild_tree(database)
        sign_again(database)

    database = a_filled_log(tmp_path)
    tamper(database, forge)
    assert "record 11 moves champion of fraud from 7, where it did not stand" in messages(verify(database, VKEY))


def test_an_end_cut_off_and_signed_again_with_the_real_key_is_caught_by_a_checkpoint_kept_elsewhere(
    tmp_path: Path,
) -> None:
    database = a_filled_log(tmp_path)
    kept = (tmp_path / "checkpoint").read_text()
    (tmp_path / "checkpoint").unlink()
    tamper(
        database,
        in_turn(sql("DELETE FROM records WHERE seq >= 8", "DELETE FROM aliases"), rebuild_tree, sign_again),
    )
    alone = verify(database, VKEY)
    assert alone.is_sound
    assert UNKNOWABLE in alone.notes
    report = verify(database, VKEY, kept)
    assert "the log was cut back: records 8 to 11" in messages(report)
    assert named(report) == [8, 9, 10, 11]


def test_a_history_rewritten_and_signed_again_is_caught_by_a_checkpoint_kept_elsewhere(tmp_path: Path) -> None:
    database = a_filled_log(tmp_path)
    kept = (tmp_path / "checkpoint").read_text()
    (tmp_path / "checkpoint").unlink()
    tamper(database, in_turn(rewrite(3), rebuild_tree, sign_again))
    assert verify(database, VKEY).is_sound
    assert "the log was rewritten below it and signed again" in messages(verify(database, VKEY, kept))


def test_a_forgotten_checkpoint_file_gives_a_cut_away(tmp_path: Path) -> None:
    database = a_filled_log(tmp_path)
    tamper(
        database,
        in_turn(sql("DELETE FROM records WHERE seq >= 8", "DELETE FROM aliases"), rebuild_tree, sign_again),
    )
    assert "of the file `checkpoint` beside the database (size 12) are gone" in messages(verify(database, VKEY))


def test_a_tree_rewritten_under_one_last_checkpoint_is_caught(tmp_path: Path) -> None:
    def keep_only_the_last(database: sqlite3.Connection) -> None:
        database.execute("DELETE FROM checkpoints WHERE size < 12")

    database = a_filled_log(tmp_path)
    tamper(database, in_turn(rewrite(3), rebuild_tree, keep_only_the_last))
    assert "one or more of records 0 to 11 changed" in messages(verify(database, VKEY))


@pytest.mark.parametrize(
    "against",
    [
        pytest.param("nonsense", id="no-checkpoint"),
        pytest.param(Signer(ORIGIN, bytes(32)).sign(Checkpoint(ORIGIN, 1, bytes(32)).text()), id="of-another-key"),
    ],
)
def test_a_kept_checkpoint_that_is_not_the_logs_is_a_problem(tmp_path: Path, against: str) -> None:
    report = verify(a_filled_log(tmp_path), VKEY, against)
    assert "the checkpoint kept elsewhere is not one of this log" in messages(report)


def test_another_logs_key_vouches_for_nothing(tmp_path: Path) -> None:
    other = str(Signer("kelp.dev/log/other", SEED).verifier)
    assert "nothing can be vouched for" in messages(verify(a_filled_log(tmp_path), other))


def test_a_clock_set_back_is_noted_and_no_problem(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        fill(log, 3)
    with a_log(tmp_path) as log:
        fill(log, 1)
    report = verify(tmp_path / DATABASE, VKEY)
    assert report.is_sound
    assert any("clock was set back before record 3" in note for note in report.notes)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no database" * 1000, id="no-database"),
        pytest.param(b"SQLite format 3\x00" + bytes(8192), id="header-only"),
    ],
)
def test_a_file_that_is_no_log_is_a_problem_with_a_message(tmp_path: Path, content: bytes) -> None:
    (tmp_path / DATABASE).write_bytes(content)
    assert not verify(tmp_path / DATABASE, VKEY).is_sound


@settings(max_examples=100, deadline=None)
@given(share=st.floats(0, 0.999))
def test_a_torn_file_is_a_problem_with_a_message(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    database = a_filled_log(tmp_path_factory.mktemp("log"))
    content = database.read_bytes()
    database.write_bytes(content[: int(len(content) * share)])
    assert not verify(database, VKEY).is_sound


def test_no_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        verify(tmp_path / DATABASE, VKEY)


def test_a_wrong_vkey_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="vkey"):
        verify(a_filled_log(tmp_path), "nonsense")
