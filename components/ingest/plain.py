# SPDX-License-Identifier: Apache-2.0
"""The bytes of a CSV file as plain UTF-8: without compression, and whatever encoding people saved it in.

Everything is streamed. Truncated archives are errors here: DuckDB reads a gzip file that was cut off without a word.
"""

import bz2
import codecs
import gzip
import lzma
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

from components.ingest.source import SourceFile
from kelp.errors import DataError

_CHUNK = 1 << 20
_BAD_BYTE = re.compile("[\udc80-\udcff]")  # how a byte that is not UTF-8 looks after `surrogateescape`
_LETTER = re.compile("[\x80-\ud7ff\ue000-\U0010ffff]")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
PACKED = (".gz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True, slots=True)
class Plain:
    """A file that is UTF-8, and what had to be assumed to make it so (empty if nothing)."""

    path: Path
    assumed: str = ""


def plain_file(file: SourceFile, encoding: str | None, scratch: Path) -> Plain:
    """Return the file as UTF-8: itself, or a copy in the folder `scratch`.

    Without a declared encoding a byte order mark decides, else UTF-8. A file with bytes that are not UTF-8 is read as
    windows-1252, unless other bytes in it are UTF-8 beyond ASCII: then it is UTF-8 with broken lines.

    Raises:
        DataError: the text cannot be decoded or has NUL bytes.
        OSError, EOFError, ValueError, zlib.error, lzma.LZMAError: the archive is none, was cut off, or is damaged.
    """
    path = _unpacked(file.path, scratch / "unpacked")
    if encoding is None:
        encoding = _detected(path, file.name)
        assumed = f"is not UTF-8; it was read as {encoding}" if encoding == "windows-1252" else ""
    else:
        assumed = ""
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
        _refuse_nul(path, file.name)
        return Plain(path)
    plain = scratch / "plain"
    with path.open("rb") as source, plain.open("w", encoding="utf-8", newline="") as target:
        for text in _decoded(source, encoding, file.name):
            target.write(text)
    _refuse_nul(plain, file.name)
    return Plain(plain, assumed)


def open_packed(path: Path) -> BinaryIO:
    """Open a file for reading what is in it, by its name's ending."""
    import pyarrow as pa

    match path.suffix.lower():
        case ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        case ".bz2":
            return cast(BinaryIO, bz2.open(path, "rb"))
        case ".xz":
            return cast(BinaryIO, lzma.open(path, "rb"))
        case ".zst":
            return cast(BinaryIO, pa.input_stream(str(path), compression="zstd"))
    return path.open("rb")


def _unpacked(path: Path, target: Path) -> Path:
    if path.suffix.lower() not in PACKED:
        return path
    with open_packed(path) as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy, _CHUNK)
    return target


def _detected(path: Path, name: str) -> str:
    """The encoding of a plain file, from its mark or from all of its bytes."""
    with path.open("rb") as file:
        if file.read(2) in _UTF16_MARKS:
            return "utf-16"
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        has_bad_bytes = False
        for chunk in _chunks(file):
            text = decoder.decode(chunk)
            if text.isascii():
                continue
            if _LETTER.search(text):
                return "utf-8"
            has_bad_bytes = has_bad_bytes or _BAD_BYTE.search(text) is not None
        has_bad_bytes = has_bad_bytes or bool(decoder.decode(b"", final=True))
    return "windows-1252" if has_bad_bytes else "utf-8"


def _decoded(source: BinaryIO, encoding: str, name: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    line = 1
    try:
        for chunk in chain(_chunks(source), (b"",)):
            text = decoder.decode(chunk, final=not chunk)
            line += text.count("\n")
            yield text
    except UnicodeDecodeError as error:
        line += error.object[: error.start].count(b"\n")
        found = error.object[error.start : error.end][:4].hex(" ")
        raise DataError(
            f"expected text in {encoding}, found bytes {found} near line {line}",
            place=name,
            fix="save the file as UTF-8, or declare its encoding in spec.data.csv.encoding",
        ) from error


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _refuse_nul(path: Path, name: str) -> None:
    line = 1
    with path.open("rb") as file:
        for chunk in _chunks(file):
            position = chunk.find(b"\0")
            if position >= 0:
                line += chunk.count(b"\n", 0, position)
                raise DataError(
                    "expected text, found a NUL byte: it is binary, cut off, or in another encoding",
                    place=f"{name}, line {line}",
                    fix="save the file as UTF-8, or declare its encoding in spec.data.csv.encoding",
                )
            line += chunk.count(b"\n")
