# SPDX-License-Identifier: Apache-2.0
"""Hold the registry and the snapshots against what the audit log says of them.

The chain: a `version.register` record has the digests of the manifest and of the signature, the manifest has the
digest of every file and of the snapshot, and a snapshot's name in the store is its own digest. A manifest that is not
the recorded one vouches for nothing: it is named, and not followed.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from kelp.audit import Record
from kelp.errors import InputError, NotFound
from kelp.home import Home
from kelp.registry import Registry
from kelp.registry.manifest import MANIFEST, SIGNATURE, read_manifest
from kelp.store import Store, open_store

_CHUNK = 1 << 20
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class _File:
    """A file that somebody vouches for; `origin` says who."""

    store: Store
    key: str
    digest: str
    origin: str


def check_everything(registry: Registry, home: Home) -> tuple[int, list[str]]:
    """Recompute the digest of every file that the log vouches for.

    Returns:
        How many files were checked, and a line for each that is missing, differs, or that nothing vouches for.
    """
    snapshots = open_store(home.store, home)
    vouched: dict[tuple[str, str], _File] = {}
    followed: dict[str, bool] = {}  # by version: whether its manifest is the recorded one
    for record in _registrations(registry):
        recorded = list(_recorded(registry.store, record))
        followed[record.subject] = _problem(recorded[0]) == ""
        listed = list(_listed(registry.store, snapshots, record.subject)) if followed[record.subject] else []
        vouched |= {(file.store.location, file.key): file for file in (*recorded, *listed)}
    problems = [problem for file in vouched.values() if (problem := _problem(file))]
    expected = {key for location, key in vouched if location == registry.store.location}
    problems += [*_strangers(registry.store, followed, expected), *_aliases(registry)]
    return len(vouched), problems


def _registrations(registry: Registry) -> Iterator[Record]:
    start = 0
    while entries := registry.log.entries(start, _PAGE):
        yield from (entry.record for entry in entries if entry.record.action == "version.register")
        start += len(entries)


def _recorded(store: Store, record: Record) -> Iterator[_File]:
    """The manifest, then the signature where the record has one."""
    origin = f"record {record.seq}"
    yield _File(store, f"{record.subject}/{MANIFEST}", str(record.detail.get("manifest")), origin)
    if "signature" in record.detail:
        yield _File(store, f"{record.subject}/{SIGNATURE}", str(record.detail["signature"]), origin)


def _listed(store: Store, snapshots: Store, subject: str) -> Iterator[_File]:
    """What the manifest of a version vouches for."""
    key = f"{subject}/{MANIFEST}"
    manifest, origin = read_manifest(store.read_bytes(key), key), f"manifest of {subject}"
    for name, digest in manifest["files"].items():
        yield _File(store, f"{subject}/{name}", digest, origin)
    if snapshot := manifest.get("snapshot"):
        yield _File(snapshots, f"snapshots/{snapshot}.parquet", snapshot, origin)


def _problem(file: _File) -> str:
    """What is wrong with a file, or nothing."""
    try:
        found = _digest(file.store, file.key)
    except NotFound:
        return f"{file.key} is missing ({file.origin})"
    except InputError as error:
        return f"{file.key} cannot be in a store ({file.origin}): {error.message}"
    if found == file.digest:
        return ""
    return f"{file.key} was changed: expected sha256 {file.digest[:16]}, found {found[:16]} ({file.origin})"


def _digest(store: Store, key: str) -> str:
    total = hashlib.sha256()
    with store.open(key) as stream:
        while chunk := stream.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def _strangers(store: Store, followed: dict[str, bool], expected: set[str]) -> Iterator[str]:
    """Files of the registry that nothing vouches for; what an interrupted registration left has no manifest."""
    for item in store.list():
        subject = "/".join(item.key.split("/")[:2])
        if item.key in expected or item.key.endswith("/aliases.json") or item.key == f"{subject}/{SIGNATURE}":
            continue  # a signature that no record has is of an older kelp; loading a version verifies it
        if subject not in followed and item.key == f"{subject}/{MANIFEST}":
            yield f"{item.key} is in no record; if a run is registering it, kelp run --resume finishes that"
        if followed.get(subject):
            yield f"{item.key} was added (not in the manifest of {subject})"


def _aliases(registry: Registry) -> Iterator[str]:
    """Copies of aliases that differ from the log's."""
    for model in registry.models():
        key, expected = f"{model}/aliases.json", registry.aliases(model)
        if not registry.store.exists(key):
            if expected:
                yield f"{key} is missing: expected {expected}"
            continue
        try:
            found = json.loads(registry.store.read_bytes(key))
        except ValueError:
            found = None
        if found != expected:
            yield f"{key} was changed: expected {expected}, found {found} (the log)"
