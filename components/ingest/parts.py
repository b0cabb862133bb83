# SPDX-License-Identifier: Apache-2.0
"""What is kept of each file of a source, so that one which did not change is not read again.

    parts/<file>/look.json          its columns and their statistics
    parts/<file>/<decision>.json    the digest of
    parts/<file>/<decision>.parquet its checked rows

`<file>` is a digest of the file's bytes, of what is declared about CSV, and of this package's code; `<decision>` one
of the SQL that made the rows: of types, limits and reasons. Nothing is put in the store before a source is accepted.
"""

import functools
import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.ingest.source import SourceFile
from kelp.errors import IntegrityError, NotFound
from kelp.parquet import file_digest
from kelp.spec.data import Csv
from kelp.store import Store

_log = logging.getLogger(__name__)


class Parts:
    """The parts of one source: fetched from the store to a folder, or made there and kept at the end."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._made: dict[str, Path | Mapping[str, Any]] = {}  # by key

    def path(self, number: int) -> Path:
        """Where the checked rows of a file lie for this run."""
        return self._folder / f"{number:06}.parquet"

    def look(self, name: str, key: str) -> dict[str, Any] | None:
        """What `made` was told about `look.json` in an earlier run; None if nothing, or if it is damaged."""
        return self._read(name, f"parts/{key}/look.json")

    def fetch(self, name: str, key: str, decision: str, number: int) -> bool:
        """Bring the checked rows of an earlier run to `path(number)`; false if there are none, or they are damaged."""
        rows = f"parts/{key}/{decision}"
        kept = self._read(name, f"{rows}.json")
        if kept is None:
            return False
        try:
            self._store.get(f"{rows}.parquet", self.path(number), sha256=str(kept["sha256"]))
        except (NotFound, IntegrityError):
            _log.warning("%s: what was kept of it in %s is damaged; the file is read again", name, self._store.location)
            return False
        return True

    def made_look(self, key: str, look: Mapping[str, Any]) -> None:
        """Remember to keep what was found in a file."""
        self._made[f"parts/{key}/look.json"] = look

    def made_rows(self, key: str, decision: str, number: int) -> None:
        """Remember to keep the rows at `path(number)`."""
        self._made[f"parts/{key}/{decision}.parquet"] = self.path(number)
        self._made[f"parts/{key}/{decision}.json"] = {"sha256": file_digest(self.path(number))}

    def keep(self) -> None:
        """Put in the store what was made."""
        for key, content in self._made.items():
            if isinstance(content, Path):
                self._store.put(key, content)
            else:
                text = _canonical(content)
                self._store.write_bytes(key, f"{_sha256(text)}\n{text}".encode())

    def _read(self, name: str, key: str) -> dict[str, Any] | None:
        """A JSON object behind the digest of its text."""
        if not self._store.exists(key):
            return None
        digest, _, text = self._store.read_bytes(key).decode("utf-8", "replace").partition("\n")
        if _sha256(text) != digest:
            _log.warning("%s: what was kept of it in %s is damaged; the file is read again", name, self._store.location)
            return None
        return dict(json.loads(text))


def file_key(file: SourceFile, sha256: str, declared: Csv) -> str:
    """Return the digest of all that decides what is found in a file.

    Args:
        file: its name's ending says how to unpack it.
        sha256: of its bytes.
        declared: about CSV.
    """
    return _sha256(_canonical([sha256, file.format, file.path.suffix.lower(), declared.model_dump(), _code_version()]))


def decision_key(sql: str) -> str:
    """Return the digest of the SQL that makes checked rows."""
    return _sha256(sql)


@functools.cache
def _code_version() -> str:
    """A digest of this package's sources and of DuckDB's version."""
    import duckdb

    sources = sorted(Path(__file__).parent.glob("*.py"))
    return _sha256(_canonical([duckdb.__version__, *(file_digest(path) for path in sources)]))


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
