# SPDX-License-Identifier: Apache-2.0
"""Whole folders in and out of any store."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from kelp.errors import Conflict, InputError, IntegrityError, NotFound
from kelp.store.atomic import make_folders, sync_folder, unfinished
from kelp.store.faults import disk_faults
from kelp.store.keys import check_key
from kelp.store.protocol import Digest, Store


def put_folder(store: Store, folder: Path, prefix: str, *, last: str = "") -> dict[str, Digest]:
    """Store every file below a folder under `prefix`; empty folders are left out.

    The files appear one by one. Let readers wait for the one named by `last`: it appears when all others
    are there.

    Args:
        store: where to.
        folder: holds regular files and folders only.
        prefix: the folder of keys to store them in; "" is the whole store.
        last: the file stored after all others, relative to `folder`; "" leaves it to the order of names.

    Returns:
        The digest of each file by its POSIX path relative to `folder`.

    Raises:
        NotFound: there is no such folder, or no file `last` in it.
        InputError: the folder is empty, or holds a symbolic link, a special file or a name that cannot be
            a key; nothing was stored.
        EnvironmentFault: reading or storing failed; files stored before that stay.
    """
    with disk_faults(str(folder), "read"):
        if not folder.is_dir():
            raise NotFound("there is no such folder to store", place=str(folder))
        names = _names(folder)
    if last and last not in names:
        raise NotFound(f"there is no file {last} in the folder to store", place=str(folder))
    below = f"{prefix}/" if prefix else ""
    for name in names:
        check_key(below + name)
    in_order = sorted(names, key=lambda name: (name == last, name))
    return {name: store.put(below + name, folder / name) for name in in_order}


def get_folder(
    store: Store, prefix: str, folder: Path, *, sha256: Mapping[str, str] | None = None
) -> dict[str, Digest]:
    """Fetch every key below `prefix` into a new folder, which appears when it is complete.

    Args:
        store: where from.
        prefix: the folder of keys; "" is the whole store.
        folder: does not exist yet, or is empty; the folders above it are created.
        sha256: the files and digests that must be there, no more and no fewer; None accepts any.

    Returns:
        The digest of each file by its path relative to `prefix`.

    Raises:
        NotFound: there is no key below `prefix`.
        Conflict: `folder` exists and is not empty.
        IntegrityError: a digest differs, or files are missing or too many; `folder` is as it was.
        EnvironmentFault: fetching or writing failed; `folder` is as it was.
    """
    below = f"{prefix}/" if prefix else ""
    names = [item.key.removeprefix(below) for item in store.list(prefix)]
    place = f"{store.location}/{below}"
    if not names:
        raise NotFound("does not exist", place=place, fix="list the keys around it")
    if sha256 is not None:
        _require_names(place, expected=set(sha256), found=set(names))
    with disk_faults(str(folder), "written"):
        _require_free(folder)
        make_folders(folder.parent)
        staging = unfinished(folder.parent)
        try:
            digests = {
                name: store.get(below + name, staging / name, sha256=sha256[name] if sha256 else None) for name in names
            }
            _require_free(folder)
            os.rename(staging, folder)
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return digests


def _names(folder: Path) -> list[str]:
    """The POSIX path of every file below a folder, relative to it."""
    names: list[str] = []
    for parent, folders, files in os.walk(folder, onerror=_fail):
        for path in (Path(parent, name) for name in [*folders, *files]):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise InputError(
                    "is a symbolic link or a special file; only regular files can be stored",
                    place=str(path),
                    fix="replace it by a file, or remove it",
                )
        names.extend(Path(parent, name).relative_to(folder).as_posix() for name in files)
    if not names:
        raise InputError("holds no file to store", place=str(folder))
    return names


def _fail(error: OSError) -> None:
    """What os.walk would pass over in silence."""
    raise error


def _require_names(place: str, *, expected: set[str], found: set[str]) -> None:
    if expected != found:
        raise IntegrityError(
            f"missing: {_listed(expected - found)}; unexpected: {_listed(found - expected)}",
            place=place,
            fix="restore the missing files and remove the others",
        )


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _require_free(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise Conflict("exists already and is not an empty folder", place=str(folder), fix="choose another folder")
