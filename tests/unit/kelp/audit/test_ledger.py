# SPDX-License-Identifier: Apache-2.0
import logging
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from kelp.audit.log import Event
from kelp.audit.note import Signer, open_checkpoint, parse_checkpoint
from kelp.audit.schema import DATABASE
from kelp.errors import EnvironmentFault, InputError, IntegrityError
from tests.unit.kelp.audit.log_factory import ORIGIN, SEED, a_log, fill


class Registry:
    """Receives the aliases' copies; refuses while it is down."""

    def __init__(self) -> None:
        self.copies: dict[str, dict[str, int]] = {}
        self.calls = 0
        self.is_down = False

    def publish(self, model: str, aliases: Mapping[str, int]) -> None:
        self.calls += 1
        if self.is_down:
            raise EnvironmentFault("the registry is down")
        self.copies[model] = dict(aliases)


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What the log warned of, also after another test configured kelp's loggers."""
    logger = logging.getLogger("kelp.audit")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def edit(folder: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as database, database:
        database.execute(statement, values)


def test_a_new_log_has_a_signed_checkpoint_of_nothing(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        checkpoint = open_checkpoint(log.checkpoint(), Signer(ORIGIN, SEED).verifier)
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, 0)


def test_logs_are_named_apart(tmp_path: Path) -> None:
    from kelp.audit.ledger import Ledger

    origins = set()
    for name in ("one", "two"):
        ledger = Ledger(tmp_path / name, seed=SEED)
        origins.add(ledger.signer.verifier.name)
        ledger.close()
    assert len(origins) == 2
    assert all(origin.startswith("kelp.dev/log/") for origin in origins)


def test_the_files_beside_the_database_are_up_to_date_after_each_append(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        for _ in range(3):
            fill(log, 1)
            assert (tmp_path / "checkpoint").read_text() == log.checkpoint()
        assert (tmp_path / "vkey").read_text().strip() == log.vkey()


def test_a_batch_is_one_commit_under_one_checkpoint(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        entries = log.append_many([Event(action="step.done", subject=str(n)) for n in range(5)])
        assert [entry.seq for entry in entries] == [0, 1, 2, 3, 4]
        assert {entry.checkpoint for entry in entries} == {log.checkpoint()}


def test_a_batch_with_a_wrong_event_appends_nothing(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        with pytest.raises(InputError, match="action"):
            log.append_many([Event(action="step.done", subject="a"), Event(action="wrong", subject="b")])
        assert log.size() == 0


def test_an_empty_batch_signs_nothing(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        before = log.checkpoint()
        assert log.append_many([]) == []
        assert log.checkpoint() == before


def test_a_key_used_twice_within_a_batch_counts_once(tmp_path: Path) -> None:
    event = Event(action="step.done", subject="a", key="k")
    with a_log(tmp_path) as log:
        first, second = log.append_many([event, event])
        assert first == second
        assert log.size() == 1


def test_a_moved_alias_is_published_with_its_models_other_aliases(tmp_path: Path) -> None:
    registry = Registry()
    with a_log(tmp_path, publish_aliases=registry.publish) as log:
        log.move_alias("fraud", "latest", expected=None, version=1)
        log.move_alias("fraud", "champion", expected=None, version=1)
        log.move_alias("fraud", "latest", expected=1, version=None)
    assert registry.copies == {"fraud": {"champion": 1}}


def test_a_copy_that_could_not_be_written_is_reported_and_written_at_the_next_opening(tmp_path: Path) -> None:
    registry = Registry()
    registry.is_down = True
    with a_log(tmp_path, publish_aliases=registry.publish) as log:
        with pytest.raises(EnvironmentFault, match=r"was moved \(record 0\), but .* the registry is down"):
            log.move_alias("fraud", "champion", expected=None, version=1)
        assert log.aliases("fraud") == {"champion": 1}
    registry.is_down = False
    a_log(tmp_path, publish_aliases=registry.publish).close()
    assert registry.copies == {"fraud": {"champion": 1}}


def test_a_copy_that_was_written_is_not_written_again(tmp_path: Path) -> None:
    registry = Registry()
    with a_log(tmp_path, publish_aliases=registry.publish) as log:
        log.move_alias("fraud", "champion", expected=None, version=1)
    a_log(tmp_path, publish_aliases=registry.publish).close()
    assert registry.calls == 1


def test_a_repeated_move_writes_the_copy_that_failed(tmp_path: Path) -> None:
    registry = Registry()
    with a_log(tmp_path, publish_aliases=registry.publish) as log:
        registry.is_down = True
        with pytest.raises(EnvironmentFault):
            log.move_alias("fraud", "champion", expected=None, version=1, key="k")
        registry.is_down = False
        assert log.move_alias("fraud", "champion", expected=None, version=1, key="k").seq == 0
    assert registry.copies == {"fraud": {"champion": 1}}


def test_a_registry_that_is_down_does_not_keep_the_log_from_opening(
    tmp_path: Path, warned: pytest.LogCaptureFixture
) -> None:
    registry = Registry()
    with a_log(tmp_path) as log:
        log.move_alias("fraud", "champion", expected=None, version=1)
    registry.is_down = True
    with a_log(tmp_path, publish_aliases=registry.publish) as log:
        fill(log, 1)
    assert "the registry is down" in warned.text


def test_a_checkpoint_file_that_cannot_be_written_loses_no_record(
    tmp_path: Path, warned: pytest.LogCaptureFixture
) -> None:
    with a_log(tmp_path) as log:
        (tmp_path / ".checkpoint.new").mkdir()
        fill(log, 1)
        assert log.size() == 1
    assert "could not be written" in warned.text


def test_an_unreadable_checkpoint_file_is_written_anew(tmp_path: Path, warned: pytest.LogCaptureFixture) -> None:
    with a_log(tmp_path) as log:
        fill(log, 2)
    (tmp_path / "checkpoint").write_bytes(b"\xff")
    with a_log(tmp_path) as log:
        assert (tmp_path / "checkpoint").read_text() == log.checkpoint()
    assert "is written anew" in warned.text


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        pytest.param(
            ["DELETE FROM checkpoints WHERE size > 2", "DELETE FROM records WHERE seq >= 2"],
            "cut back: it ends at 2 records, 4 were signed",
            id="cut-back",
        ),
        pytest.param(["DELETE FROM records WHERE seq = 3"], "the highest seq found is 2", id="last-removed"),
        pytest.param(
            ["INSERT INTO records SELECT 4, body FROM records WHERE seq = 3"], "the highest seq found is 4", id="added"
        ),
        pytest.param(["UPDATE nodes SET hash = zeroblob(32)"], "stored tree is not the one", id="tree-rewritten"),
        pytest.param(["DELETE FROM nodes"], "is missing", id="tree-removed"),
        pytest.param(["DELETE FROM checkpoints"], "no checkpoint", id="no-checkpoint"),
        pytest.param(["UPDATE checkpoints SET note = 'x'"], "latest checkpoint is false", id="false-checkpoint"),
        pytest.param(["DROP TABLE nodes"], "no such table", id="no-table"),
    ],
)
def test_a_log_that_is_not_what_was_signed_is_never_extended(
    tmp_path: Path, statements: list[str], message: str, warned: pytest.LogCaptureFixture
) -> None:
    with a_log(tmp_path) as log:
        fill(log, 4)
    evidence = (tmp_path / "checkpoint").read_bytes()
    for statement in statements:
        edit(tmp_path, statement)
    with a_log(tmp_path) as log, pytest.raises(IntegrityError, match=message):
        log.append("step.done", "x")
    assert "nothing more is signed" in warned.text
    assert (tmp_path / "checkpoint").read_bytes() == evidence


def test_an_old_backup_put_back_under_an_open_log_is_not_extended(tmp_path: Path) -> None:
    with a_log(tmp_path / "log") as log:
        fill(log, 2)
    shutil.copytree(tmp_path / "log", tmp_path / "backup")
    with a_log(tmp_path / "log") as log:
        fill(log, 1)
    shutil.copy(tmp_path / "backup" / DATABASE, tmp_path / "log" / DATABASE)
    with a_log(tmp_path / "log") as log, pytest.raises(IntegrityError, match="cut back"):
        fill(log, 1)


def test_a_rewritten_log_signed_again_is_not_extended_under_its_old_checkpoint(tmp_path: Path) -> None:
    with a_log(tmp_path / "log") as log:
        fill(log, 3)
    with a_log(tmp_path / "rewritten") as log:
        log.append("step.done", "something else")
        fill(log, 3)
    shutil.copy(tmp_path / "rewritten" / DATABASE, tmp_path / "log" / DATABASE)
    with a_log(tmp_path / "log") as log, pytest.raises(IntegrityError, match="first 3 records are not those"):
        fill(log, 1)


def test_a_lost_database_is_not_begun_anew(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        fill(log, 1)
    (tmp_path / DATABASE).unlink()
    with pytest.raises(IntegrityError, match="database is gone"):
        a_log(tmp_path)


def test_another_key_does_not_open_the_log(tmp_path: Path) -> None:
    a_log(tmp_path).close()
    with pytest.raises(InputError, match="begun with another key"):
        a_log(tmp_path, seed=bytes(32))


def test_another_database_is_not_taken_for_a_log(tmp_path: Path) -> None:
    edit(tmp_path, "CREATE TABLE something (x)")
    with pytest.raises(InputError, match="another SQLite database"):
        a_log(tmp_path)


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    a_log(tmp_path).close()
    edit(tmp_path, "PRAGMA user_version = 2")
    with pytest.raises(InputError, match="format 1 was expected, found 2"):
        a_log(tmp_path)


def test_a_file_that_is_no_database_is_an_integrity_error(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database at all" * 1000)
    with pytest.raises(IntegrityError, match="damaged"):
        a_log(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_environment_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault):
        a_log(tmp_path / "file" / "log")


def test_a_changed_record_is_not_shown_as_if_nothing_were(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        fill(log, 2)
    edit(tmp_path, "UPDATE records SET body = zeroblob(1) WHERE seq = 1")
    with a_log(tmp_path) as log, pytest.raises(IntegrityError, match="record 1 is not a record"):
        log.entries()


def test_a_repeated_key_returns_the_checkpoint_that_first_covered_the_record(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        first = log.append("run.start", "fraud", key="k")
        fill(log, 3)
        again = log.append("run.start", "fraud", key="k")
    assert again == first
    assert again.checkpoint is not None
    assert parse_checkpoint(again.checkpoint).size == 1
