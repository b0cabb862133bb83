# SPDX-License-Identifier: Apache-2.0
"""A journal: a file with a record for each request whose rows a history took in, in that order.

A record is a line of ASCII: eight hexadecimal digits, a space, and JSON, of whose bytes the digits are the CRC-32. The
first one says which journal this is and what it goes on from:

    {"journal": 4, "after": [3, 5120]}    every row before is in journal 3 up to its byte 5120, or before that
    {"journal": 4, "after": null}         some rows before are in no journal; a snapshot at its start has them

Any other holds the rows of the request for each group of the history: a list of [entity, time in microseconds, the
event in each stream]. An entity is a string, or a list of strings where several columns name it, or null.

What was written survives the process at once, and the machine once it was synced.
"""

import ctypes
import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from sys import intern
from typing import Any
from zlib import crc32

from kelp.frame.group import Row

Place = tuple[int, int]
"""The number of a journal and a position in it, in bytes."""

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_decode = json.JSONDecoder().raw_decode  # half the time of `decode`, which also looks for white space around


class Journal:
    """A new journal that is being written; who calls it sees to it that one thread does so at a time.

    Attributes:
        number: of the journal; it is in the file's name.
        size: bytes of the whole records in it.
    """

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        self.number = number
        self.size = 0
        self._synced = 0
        self._write = _libc_write()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)

    def begin(self, after: Place | None) -> None:
        """Write the first record.

        Raises:
            OSError: as `append`.
        """
        self._append({"journal": self.number, "after": after})

    def append(self, rows: Sequence[Sequence[Row]]) -> None:
        """Write the rows of a request, for each group.

        Raises:
            OSError: the system could not write all of the record; it is not in the journal.
        """
        self._append(rows)

    def _append(self, content: Any) -> None:
        payload = _encode(content).encode("ascii")
        record = b"%08x %b\n" % (crc32(payload), payload)
        written = self._write(self._descriptor, record, len(record))
        if written != len(record):
            number = ctypes.get_errno() if written < 0 else 0
            self._cut_off()
            raise OSError(number, os.strerror(number) if number else "No space left for a whole record")
        self.size += len(record)

    def _cut_off(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError:
            return  # a reader tells the torn record by its checksum

    def sync(self) -> None:
        """Make what was written survive the machine.

        Raises:
            OSError: the system cannot say that it does.
        """
        size = self.size
        if size != self._synced:
            os.fsync(self._descriptor)
            self._synced = size

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Reading:
    """The records of a journal; iterating ends at the first that is damaged.

    Attributes:
        number: of the journal, by its first record; None where that is damaged.
        after: what the journal goes on from, by its first record.
        end: bytes of the whole records that were read.
        is_damaged: whether anything stands behind them.
        lost: whole records that stand behind a damaged one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number: int | None = None
        self.after: Place | None = None
        self.end = 0
        self.is_damaged = False
        self.lost = 0
        self._contents = self._read()
        match next(self._contents, None):
            case {"journal": int(number), "after": [int(before), int(end)]}:
                self.number, self.after = number, (before, end)
            case {"journal": int(number), "after": None}:
                self.number = number

    def __iter__(self) -> Iterator[list[list[Row]]]:
        for content in self._contents:
            yield [[_row(*row) for row in rows] for rows in content]

    def _read(self) -> Iterator[Any]:
        with self.path.open("rb") as file:
            for line in file:
                if not _is_whole(line):
                    self.is_damaged = True
                    break
                self.end += len(line)
                yield _decode(line[9:].decode("ascii"))[0]
            self.lost = sum(map(_is_whole, file))


def _is_whole(line: bytes) -> bool:
    return line[-1:] == b"\n" and line[:9] == b"%08x " % crc32(line[9:-1])


def _row(key: Any, at: int, values: Any) -> Row:
    # Texts as `Stream.read` gives them: one object however often one stands.
    values = [intern(value) if type(value) is str else value for value in values]
    return tuple(key) if type(key) is list else key, at, values


@cache
def _libc_write() -> Callable[[int, bytes, int], int]:
    """write(2) that keeps the interpreter.

    `os.write` lets go of it for the microsecond that a write to the page cache takes, and beside a thread that is busy
    waits up to half a millisecond, or five, to have it back; every request would.
    """
    write = ctypes.PyDLL(None, use_errno=True).write
    write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
    write.restype = ctypes.c_ssize_t
    return write
