# SPDX-License-Identifier: Apache-2.0
"""From a source's address to the files it means."""

import fnmatch
from dataclasses import dataclass
from pathlib import Path

from kelp.errors import DataError
from kelp.home import Home
from kelp.store import open_store

FORMATS = {".parquet": "parquet", ".csv": "csv", ".csv.gz": "csv"}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source: its name below the source's root, where it lies, and how to read it."""

    name: str
    path: Path
    format: str


def resolve(address: str, home: Home, workplace: Path) -> list[SourceFile]:
    """The files behind `data://`, `file://` or `s3://`, sorted by name.

    Args:
        address: a file, a folder or a glob; `data://` starts at the home's data root.
        home: the data root and the object store's access.
        workplace: a folder on the same disk; `s3://` files are brought to a folder beside it.

    Raises:
        DataError: nothing is there, it cannot be read, or formats are mixed.
    """
    location = address
    if address.startswith("data://"):
        location = f"{home.data_root.rstrip('/')}/{address.removeprefix('data://')}"
    if location.startswith("s3://"):
        found = _from_s3(location, home, workplace.with_name(f"{workplace.name}.source"))
    else:
        found = _from_folder(Path(location.removeprefix("file://")))
    files = [SourceFile(name, path, FORMATS[_ending(name)]) for name, path in found if _ending(name)]
    if not files:
        raise DataError(
            f"no Parquet or CSV file is there (looked in {location})",
            place=address,
            fix="check spec.data.source and dataRoot in .kelp/home.toml",
        )
    formats = sorted({file.format for file in files})
    if len(formats) > 1:
        raise DataError(f"expected one format, found {' and '.join(formats)}", place=address, fix="narrow the glob")
    return files


def _ending(name: str) -> str:
    return next((ending for ending in FORMATS if name.lower().endswith(ending)), "")


def _from_folder(path: Path) -> list[tuple[str, Path]]:
    """Files of a folder, of a glob in the last part of a path, or the one file."""
    try:
        if path.is_dir():
            found = sorted(child for child in path.iterdir() if child.is_file())
        elif any(sign in path.name for sign in "*?["):
            found = sorted(child for child in path.parent.glob(path.name) if child.is_file())
        else:
            found = [path] if path.is_file() else []
        for child in found:
            with child.open("rb"):
                pass
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", place=str(error.filename or path)) from error
    return [(child.name, child) for child in found]


def _from_s3(location: str, home: Home, target: Path) -> list[tuple[str, Path]]:
    bucket, _, pattern = location.removeprefix("s3://").partition("/")
    folder = pattern.split("*")[0].rpartition("/")[0]
    store = open_store(f"s3://{bucket}", home)
    target.mkdir(exist_ok=True)
    found = []
    for index, item in enumerate(store.list(folder)):
        is_meant = fnmatch.fnmatch(item.key, pattern) or item.key.startswith(f"{pattern.rstrip('/')}/")
        if is_meant and _ending(item.key):
            local = target / f"{index}-{Path(item.key).name}"
            store.get(item.key, local)
            found.append((item.key, local))
    return found
