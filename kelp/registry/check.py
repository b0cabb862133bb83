# SPDX-License-Identifier: Apache-2.0
"""Hold the registry and the snapshots against what the audit log says of them.

The chain: a `version.register` record has the digest of the manifest, the manifest has the digest of every file and
of the snapshot, and a snapshot's name in the store is its own digest.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from kelp.errors import KelpError
from kelp.home import Home
from kelp.registry import MANIFEST, Registry
from kelp.store import Store, open_store

_CHUNK = 1 << 20


def check_everything(registry: Registry, home: Home) -> tuple[int, list[str]]:
    """Recompute the digest of every file that the log vouches for.

    Returns:
        How many files were checked, and a line for each that is missing or differs.
    """
    wanted = {
        (registry.store, key): (digest, origin)
        for record in _registrations(registry)
        for key, digest, origin in _files(registry.store, record)
    }
    snapshots = open_store(home.store, home)
    for record in _registrations(registry):
        manifest = _manifest(registry.store, record["subject"])
        if manifest and "snapshot" in manifest:
            key = f"snapshots/{manifest['snapshot']}.parquet"
            wanted[(snapshots, key)] = (manifest["snapshot"], f"manifest of {record['subject']}")
    problems = []
    for (store, key), (digest, origin) in wanted.items():
        found = _digest(store, key)
        if found != digest:
            what = "is missing" if found is None else f"was changed: expected sha256 {digest[:16]}, found {found[:16]}"
            problems.append(f"{key} {what} ({origin})")
    return len(wanted), problems


def _registrations(registry: Registry) -> Iterator[dict[str, Any]]:
    start = 0
    while entries := registry.log.entries(start, 1000):
        for entry in entries:
            if entry.record.action == "version.register":
                yield {"seq": entry.seq, "subject": entry.record.subject, "manifest": entry.record.detail["manifest"]}
        start += len(entries)


def _files(store: Store, record: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    subject = record["subject"]
    yield f"{subject}/{MANIFEST}", record["manifest"], f"record {record['seq']}"
    for name, digest in (_manifest(store, subject) or {}).get("files", {}).items():
        yield f"{subject}/{name}", digest, f"manifest of {subject}"


def _manifest(store: Store, subject: str) -> dict[str, Any] | None:
    """The manifest, or None when it is missing or no longer JSON, which its own digest will tell."""
    try:
        value = json.loads(store.read_bytes(f"{subject}/{MANIFEST}"))
    except (KelpError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _digest(store: Store, key: str) -> str | None:
    if not store.exists(key):
        return None
    total = hashlib.sha256()
    with store.open(key) as stream:
        while chunk := stream.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()
