# SPDX-License-Identifier: Apache-2.0
"""Versions, and histories of them that are kept, for the tests of their journals."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from kelp.frame.history import History
from kelp.frame.journal import Kept, keep_history
from kelp.frame.transform import Transform
from tests.unit.kelp.frame.asked import a_history
from tests.unit.kelp.frame.test_history import ALL, RowsOf
from tests.unit.kelp.frame.windowed import columns_of

NEVER_S = 3600.0


def a_version(folder: Path, transform: Transform = ALL, past: RowsOf | None = None) -> Path:
    """The files of a version that a history starts from."""
    folder.mkdir(parents=True)
    history = History(transform)
    history.observe(columns_of(transform, past or []))
    (folder / "transform.json").write_text(transform.to_json(), encoding="utf-8")
    pq.write_table(history.to_table(), folder / "history.parquet")
    return folder


def loaded(version: Path, transform: Transform = ALL) -> History:
    """A history that starts as the version does, as a server loads it."""
    history = a_history(transform)
    history.start_again(pq.read_table(version / "history.parquet"))
    return history


def keep(folder: Path, history: History, version: Path, **options: Any) -> Kept:
    """Keep a history, with a thread that does nothing before the end."""
    return keep_history(folder, history, version, **{"tend_s": NEVER_S, **options})


def killed(folder: Path, kept: Kept) -> Path:
    """What a kill -9 leaves at this moment, in another folder; then end what is kept."""
    left = folder.with_name(f"{folder.name}+")
    shutil.copytree(folder, left)
    kept.close()
    return left
