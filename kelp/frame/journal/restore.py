# SPDX-License-Identifier: Apache-2.0
"""Restore a history from the folder where it is kept: its snapshot, then every row of its journals, in order.

Whatever is killed at any point leaves a folder from which the state after some prefix of the rows is restored: journals
that are older than the snapshot are read by nobody, and another is only read where it goes on from exactly what was
restored before it. What cannot be used is set aside with a WARNING, never deleted.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from kelp.errors import IntegrityError
from kelp.frame.history import History
from kelp.frame.history_table import HISTORY_FILE
from kelp.frame.journal.folder import STATE_FILE, StateFolder, snapshot_said
from kelp.frame.journal.records import Place, Reading

TRANSFORM_FILE = "transform.json"
_FORM = 1  # of the folder's files; another one is set aside

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which version a history is of: the SHA-256 (hex) of its transform and of the events that it started from."""

    transform: str
    history: str

    @classmethod
    def of(cls, version: Path) -> Self:
        """Read a version directory.

        Raises:
            OSError: a file cannot be read.
        """
        return cls(_digest(version / TRANSFORM_FILE), _digest(version / HISTORY_FILE))


@dataclass(frozen=True, slots=True)
class Restored:
    """What a history was restored from.

    Attributes:
        rows: that were taken in since the version's own history.
        journal_rows: of them, those of the journals.
        first: number of the journal that goes on from the snapshot.
        after: where the last journal ends, which the next one goes on from.
        snapshot_bytes: of the snapshot; 0 without one.
        journal_bytes: of the journals that were read.
        unused: the journals that were not.
        kept_at: seconds since 1970 when the newest of the files was written; None where there was none.
    """

    rows: int = 0
    journal_rows: int = 0
    first: int = 1
    after: Place = (0, 0)
    snapshot_bytes: int = 0
    journal_bytes: int = 0
    unused: Sequence[Path] = ()
    kept_at: float | None = None


def restore(folder: StateFolder, history: History, version: Path) -> Restored:
    """Bring a history that starts as the version does to the state that is kept in a folder, if any is.

    Raises:
        OSError: the folder cannot be written, or the version not read.
    """
    import pyarrow as pa

    identity = Identity.of(version)
    if reason := _misfit(folder, identity):
        folder.set_aside(folder.files(), reason)
    try:
        restored = _restored(folder, history)
    except (IntegrityError, OSError, TypeError, ValueError, OverflowError, pa.ArrowException) as error:
        folder.set_aside(folder.files(), f"cannot be read ({error})")
        history.start_again(_table(version / HISTORY_FILE))
        restored = Restored()
    if restored.unused:
        folder.set_aside(restored.unused, "does not go on from what was restored")
    folder.remove_before(restored.first)
    if not folder.state.exists():
        content = json.dumps({"form": _FORM, **asdict(identity)}).encode()
        folder.publish(folder.unfinished(content), folder.state)
    return restored


def _misfit(folder: StateFolder, identity: Identity) -> str:
    """Why what is there cannot be of that version; empty if it is, or nothing is there."""
    if not folder.files():
        return ""
    try:
        found = json.loads(folder.state.read_bytes())
        form, kept = found.pop("form"), Identity(**found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return f"has no {STATE_FILE} that says which version it is of ({error!r})"
    if form != _FORM:
        return f"is in the form {form}, and {_FORM} was expected"
    for name, file in (("transform", TRANSFORM_FILE), ("history", HISTORY_FILE)):
        if getattr(kept, name) != getattr(identity, name):
            return f"belongs to a version with another {file}"
    return ""


@dataclass(slots=True)
class _Replay:
    """The journals that go on from each other, as far as they do."""

    first: int
    end: Place
    rows: int = 0
    size: int = 0
    read: list[Path] = field(default_factory=list)
    damage: Reading | None = None  # of the last one

    def goes_on(self, reading: Reading) -> bool:
        """Whether a journal goes on from the last one, or from the snapshot."""
        return reading.after == self.end if self.read else reading.number == self.first

    def take(self, reading: Reading, history: History) -> None:
        """Take in the rows of a journal."""
        for request in reading:
            history.take_in(request)
            self.rows += len(request[0])
        self.end = reading.number or 0, reading.end
        self.size += reading.end
        self.read.append(reading.path)
        self.damage = reading if reading.is_damaged else None


def _restored(folder: StateFolder, history: History) -> Restored:
    first, rows, size = 1, 0, 0
    if folder.snapshot.exists():
        table = _table(folder.snapshot)
        (first, rows), size = snapshot_said(table), folder.snapshot.stat().st_size
        history.start_again(table)
    replay = _Replay(first, (first - 1, 0))
    paths = [path for number, path in folder.journals() if number >= first]
    for path in paths:
        reading = Reading(path)
        if not replay.goes_on(reading):
            break
        replay.take(reading, history)
        if reading.lost:
            folder.is_damaged(path)
    if replay.damage is not None:
        _warn_of(replay.damage)
    folder.sync(replay.read)  # the next journal goes on from there, and must not survive what it goes on from
    times = [path.stat().st_mtime for path in (folder.snapshot, *replay.read) if path.exists()]
    return Restored(
        rows=rows + replay.rows,
        journal_rows=replay.rows,
        first=first,
        after=replay.end,
        snapshot_bytes=size,
        journal_bytes=replay.size,
        unused=paths[len(replay.read) :],
        kept_at=max(times, default=None),
    )


def _warn_of(reading: Reading) -> None:
    found = f"damaged, and whole records behind it cannot be used: {reading.lost}" if reading.lost else "torn"
    logger.warning("%s is cut off at byte %d: the record there is %s", reading.path, reading.end, found)


def _table(path: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
