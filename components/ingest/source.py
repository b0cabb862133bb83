# SPDX-License-Identifier: Apache-2.0
"""From a source's address to the files it means, the same in a folder and in an object store."""

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kelp.errors import DataError
from kelp.home import Home
from kelp.store import open_store

_PACKED = ("", ".gz", ".bz2", ".xz", ".zst")
FORMATS = {".parquet": "parquet", **{text + packed: "csv" for text in (".csv", ".tsv") for packed in _PACKED}}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source: its own name, where it lies, and how to read it."""

    name: str
    path: Path
    format: str


def resolve(address: str, home: Home, scratch: Path) -> list[SourceFile]:
    """Find the files behind `data://`, `file://` or `s3://`, sorted by name.

    An address is a file, a folder (the files that lie in it, not below it) or a folder and a glob of names. Files
    whose names begin with a dot, or that are neither Parquet nor CSV, are passed over.

    Args:
        address: `data://` starts at the home's data root, which may be a folder or `s3://bucket/prefix`.
        home: the data root and the object store's access.
        scratch: an existing folder; files from `s3://` are brought to it.

    Raises:
        DataError: the address is malformed, nothing is there, it cannot be read, or formats are mixed.
    """
    location = _location(address, home)
    is_remote = location.startswith("s3://")
    found = _from_s3(location, home, scratch) if is_remote else _from_folder(Path(location), address)
    files = [SourceFile(path.name, path, FORMATS[_ending(path.name)]) for path in found]
    if not files:
        raise DataError(
            f"no Parquet or CSV file is there (looked in {location})",
            place=address,
            fix="check spec.data.source (a glob may stand in its last part only) and dataRoot in home.toml",
        )
    formats = sorted({file.format for file in files})
    if len(formats) > 1:
        raise DataError(f"expected one format, found {' and '.join(formats)}", place=address, fix="narrow the glob")
    return files


def _location(address: str, home: Home) -> str:
    """The folder path or `s3://` location that an address means."""
    scheme, _, path = address.partition("://")
    if scheme not in ("data", "file", "s3") or not path or "\0" in path or ".." in path.split("/"):
        raise DataError(
            f"expected data://, file:// or s3:// and a path without `..`, found {address!r}",
            place="spec.data.source",
            fix="write data://fraud/*.parquet for the files of data/fraud",
        )
    if scheme == "data":
        return f"{home.data_root.rstrip('/')}/{path}"
    return path if scheme == "file" else address


def _ending(name: str) -> str:
    return next((ending for ending in FORMATS if name.lower().endswith(ending)), "")


def _is_glob(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _wanted(names: Iterable[str], pattern: str) -> list[str]:
    """The names that match and can be read, sorted."""
    return sorted(
        name for name in names if fnmatch.fnmatchcase(name, pattern) and _ending(name) and not name.startswith(".")
    )


def _from_folder(path: Path, address: str) -> list[Path]:
    try:
        if path.is_file():
            folder, names = path.parent, [path.name] if _ending(path.name) else []
        else:
            folder, pattern = (path, "*") if path.is_dir() else (path.parent, path.name)
            children = folder.iterdir() if folder.is_dir() and _is_glob(pattern) else ()
            names = _wanted((child.name for child in children if child.is_file()), pattern)
        for name in names:
            with (folder / name).open("rb") as file:
                file.read(1)
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror})",
            place=str(error.filename or address),
            fix="check the permissions and the disk",
        ) from error
    return [folder / name for name in names]


def _from_s3(location: str, home: Home, scratch: Path) -> list[Path]:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    store = open_store(f"s3://{bucket}", home)
    key = key.rstrip("/")
    if _ending(key) and not _is_glob(key) and store.exists(key):
        folder, _, pattern = key.rpartition("/")
        names = [pattern]
    else:
        folder, _, pattern = key.rpartition("/") if _is_glob(key) else (key, "", "*")
        below = [item.key.rpartition("/") for item in store.list(folder)]
        names = _wanted((name for parent, _, name in below if parent == folder), pattern)
    for name in names:
        store.get(f"{folder}/{name}".lstrip("/"), scratch / name)
    return [scratch / name for name in names]
