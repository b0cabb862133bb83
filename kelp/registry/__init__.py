# SPDX-License-Identifier: Apache-2.0
"""The registry: versions of models in a store, and the aliases that say which one counts.

A version directory is written once. Aliases (`champion`, `challenger`) and the counter `latest` are moved only by the
audit log's one writer, each move a record; `<model>/aliases.json` is a copy of them for readers.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from kelp.audit.log import AuditLog, PublishAliases
from kelp.audit.opening import open_log
from kelp.errors import Conflict, IntegrityError, NotFound
from kelp.home import Home
from kelp.parquet import file_digest
from kelp.registry.manifest import MANIFEST, SIGNATURE, check_files, read_manifest
from kelp.store import Store, get_folder, open_store, put_folder

__all__ = ["LATEST", "Registry", "Version", "alias_publisher", "check_files"]

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version: its number, its manifest and the aliases that point at it."""

    model: str
    number: int
    manifest: dict[str, Any]
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Registry:
    """Versions and aliases of every model of a home."""

    store: Store
    log: AuditLog

    @classmethod
    def open(cls, home: Home, actor: str) -> Self:
        """The registry of a home, acting as `actor` in the audit log."""
        return cls(open_store(home.registry, home), open_log(home, actor, publish_aliases=alias_publisher(home)))

    def aliases(self, model: str) -> dict[str, int]:
        """The versions that aliases point at."""
        return {name: number for name, number in self.log.aliases(model).items() if name != LATEST}

    def champion(self, model: str) -> int | None:
        """The version that serves, or None before the first one."""
        return self.aliases(model).get("champion")

    def champion_folder(self, model: str, into: Path) -> Path | None:
        """Bring the champion's directory to `into`, checked; None when there is no champion."""
        number = self.champion(model)
        return None if number is None else self.fetch(model, number, into)

    def fetch(self, model: str, number: int, into: Path) -> Path:
        """Bring a version's directory to `into`, every file checked against the manifest.

        Args:
            model: the model's name.
            number: the version's.
            into: does not exist yet, or is empty.

        Raises:
            NotFound: there is no such version.
            Conflict: `into` has something in it.
            IntegrityError: a file was changed, added or removed; `into` is gone, so that nobody uses it.
        """
        if not self.store.exists(f"{model}/{number}/{MANIFEST}"):
            raise NotFound(f"there is no version {number}", place=model, fix=f"kelp models {model} lists them")
        get_folder(self.store, f"{model}/{number}", into)
        try:
            check_files(into)
        except IntegrityError:
            shutil.rmtree(into)
            raise
        return into

    def models(self) -> list[str]:
        """Names of all models that have a version."""
        return sorted({item.key.split("/")[0] for item in self.store.list("") if item.key.endswith(f"/{MANIFEST}")})

    def versions(self, model: str) -> list[Version]:
        """Every registered version of a model, oldest first.

        Raises:
            IntegrityError: a manifest is not what `add` wrote.
        """
        pointing = self.aliases(model)
        found = []
        for item in self.store.list(model):
            _, number, *rest = item.key.split("/")
            if rest == [MANIFEST] and number.isascii() and number.isdigit():
                manifest = read_manifest(self.store.read_bytes(item.key), item.key)
                names = tuple(sorted(name for name, version in pointing.items() if version == int(number)))
                found.append(Version(model, int(number), manifest, names))
        return sorted(found, key=lambda version: version.number)

    def add(self, model: str, run_id: str, folder: Path) -> int:
        """Give the signed directory a number and keep it; the same run gets the same number again.

        The manifest is written last: a version without one does not exist, and its number is never used again.

        Args:
            model: the model's name.
            run_id: of the run that made the version, as in its manifest.
            folder: the whole version directory, signed.

        Returns:
            The version's number, from 1.

        Raises:
            IntegrityError: the directory does not fit its manifest, or the run registered another one before.
        """
        check_files(folder)
        number = self._number_of_run(model, run_id)
        if number is None:
            number = self._take_number(model, run_id)
            put_folder(self.store, folder, f"{model}/{number}", last=MANIFEST)
        self._record(model, number, run_id, file_digest(folder / MANIFEST))
        return number

    def move(self, model: str, alias: str, number: int, why: str) -> None:
        """Point an alias at a version; nothing happens when it already does.

        Raises:
            Conflict: somebody else moved it in the meantime.
        """
        present = self.log.aliases(model).get(alias)
        if present != number:
            self.log.move_alias(model, alias, expected=present, version=number, detail={"why": why})

    def close(self, model: str, number: int, status: str) -> None:
        """Record that a version goes no further."""
        self.log.append("version.close", f"{model}/{number}", {"status": status}, key=f"close:{model}/{number}")

    def _record(self, model: str, number: int, run_id: str, expected: str) -> None:
        """Append what was stored under the number; nothing happens when that was done before."""
        key = f"{model}/{number}/{MANIFEST}"
        content = self.store.read_bytes(key)
        detail = {"run": run_id, "manifest": _digest(content), "result": read_manifest(content, key)["result"]}
        if detail["manifest"] != expected:
            raise IntegrityError(
                f"the run {run_id} registered it before, with another manifest", place=key, fix="start a new run"
            )
        signature = f"{model}/{number}/{SIGNATURE}"
        if self.store.exists(signature):
            detail["signature"] = _digest(self.store.read_bytes(signature))
        self.log.append("version.register", f"{model}/{number}", detail, key=f"register:{run_id}")

    def _take_number(self, model: str, run_id: str) -> int:
        while True:
            latest = self.log.aliases(model).get(LATEST)
            number = (latest or 0) + 1
            try:
                self.log.move_alias(model, LATEST, expected=latest, version=number, detail={"run": run_id})
            except Conflict:
                continue  # another run took it: the next number is ours, or theirs again
            return number

    def _number_of_run(self, model: str, run_id: str) -> int | None:
        return next((v.number for v in reversed(self.versions(model)) if v.manifest["run"] == run_id), None)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def alias_publisher(home: Home) -> PublishAliases:
    """The function by which the audit log's one writer keeps `<model>/aliases.json` up to date."""
    store = open_store(home.registry, home)

    def publish(model: str, aliases: Mapping[str, int]) -> None:
        readable = {name: number for name, number in sorted(aliases.items()) if name != LATEST}
        store.write_bytes(f"{model}/aliases.json", json.dumps(readable).encode())

    return publish
