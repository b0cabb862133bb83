# SPDX-License-Identifier: Apache-2.0
"""Catalogue: which models there are to serve, and in which folder the version of each is. It loads nothing.

Models are named one by one, or found in a folder laid out as the registry is: NAME/VERSION/, with the champion in
NAME/aliases.json; without such a file the greatest version counts.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from kelp.errors import EnvironmentFault, IntegrityError, NotFound
from kelp.registry.manifest import MANIFEST
from serving.source import Source

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
_ALIASES = "aliases.json"


class Catalogue:
    """Models by name. What is named comes before what is in the folder `root`, which is read whenever it is asked."""

    def __init__(self, named: Iterable[Source] = (), root: Path | None = None) -> None:
        self.named = {source.name: source for source in named}
        self._root = root

    def names(self) -> list[str]:
        """Every model that has a version.

        Raises:
            EnvironmentFault: the folder cannot be read.
        """
        return sorted({*self.named, *self._in_root()})

    def find(self, name: str) -> Source:
        """The version of a model that is to be served now.

        Raises:
            NotFound: there is no such model, or it has no version, or none of them is its champion.
            IntegrityError: its aliases are not readable, or name a version that is not there.
            EnvironmentFault: the folder cannot be read.
        """
        if name in self.named:
            return self.named[name]
        folder = self._root / name if self._root is not None and NAME.fullmatch(name) else None
        version = _version(folder) if folder is not None else None
        if folder is None or version is None:
            raise NotFound(f"no model is called {name[:80]}")
        return Source(name, version, folder / str(version))

    def version(self, name: str, number: int) -> Source:
        """That version of a model, which `find` has returned once."""
        if self._root is None or name in self.named:
            return self.named[name]
        return Source(name, number, self._root / name / str(number))

    def _in_root(self) -> Iterator[str]:
        if self._root is None:
            return
        try:
            found = [entry.name for entry in self._root.iterdir() if NAME.fullmatch(entry.name)]
        except OSError as error:
            raise EnvironmentFault(
                f"the repository cannot be read ({error.strerror})", place=str(self._root), fix="check --repository"
            ) from error
        yield from (name for name in found if _is_file(self._root / name / _ALIASES) or _versions(self._root / name))


def _version(folder: Path) -> int | None:
    """The champion's version, or without aliases the greatest one; None if there is no version at all."""
    path = folder / _ALIASES
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return max(_versions(folder), default=None)
    except (OSError, ValueError, RecursionError) as error:
        raise IntegrityError(f"cannot be read: {error}", place=str(path), fix="restore it from the registry") from error
    if not isinstance(content, dict):
        raise IntegrityError("expected an object", place=str(path), fix="restore it from the registry")
    version = content.get("champion")
    if version is None:
        raise NotFound("no version is the champion", place=folder.name, fix="promote one")
    if type(version) is not int or not _is_file(folder / str(version) / MANIFEST):
        found = str(version)[:40]
        raise IntegrityError(
            f"the champion is version {found}, which is not there", place=str(path), fix="fetch that version"
        )
    return version


def _versions(folder: Path) -> list[int]:
    try:
        entries = list(folder.iterdir())
    except OSError:
        return []  # no folder, or none of ours
    names = [entry.name for entry in entries if entry.name.isascii() and entry.name.isdigit()]
    return [int(name) for name in names if str(int(name)) == name and _is_file(folder / name / MANIFEST)]


def _is_file(path: Path) -> bool:
    """Whether a file is there, for all that this process may see."""
    try:
        return path.is_file()
    except OSError:
        return False
