# SPDX-License-Identifier: Apache-2.0
"""Processes that keep a history: `python -m tests.local.journal_takers COMMAND FOLDER`.

FOLDER/version is what the history starts from, FOLDER/state is where it is kept. A line is printed only after the row
that it names was answered, as a server acknowledges it.
"""

import json
import logging
import resource
import shutil
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from kelp.frame.history import History
from kelp.frame.journal import Kept, keep_history
from kelp.frame.transform import Transform
from tests.unit.kelp.frame.windowed import TAKES, columns_of, quotes, window

NEVER_S = 3600.0


def a_version(folder: Path) -> Path:
    """Write what a history starts from: windows of two groups, and one row."""
    version = folder / "version"
    version.mkdir()
    transform = quotes(
        *(window(take) for take in TAKES),
        window("distinct", over="customer", unit=1.0),
        window("mean", by=("shelf", "sku"), name="mean_by_shelf"),
    )
    history = History(transform)
    history.observe(columns_of(transform, [a_row(0)]))
    (version / "transform.json").write_text(transform.to_json(), encoding="utf-8")
    pq.write_table(history.to_table(), version / "history.parquet")
    return version


def a_history(folder: Path) -> History:
    """A history as a server loads it, so small that entities are forgotten on the way."""
    transform = Transform.from_json((folder / "version" / "transform.json").read_bytes())
    history = History(transform, most_events=20, most_entities=10)
    history.start_again(pq.read_table(folder / "version" / "history.parquet"))
    return history


def a_row(number: int) -> dict[str, Any]:
    """The row of that number; every fifth is late."""
    return {
        "at": number / 10 - (3.0 if number % 5 == 0 else 0.0),
        "sku": f"sku-{number * number % 13}",
        "customer": f"customer ü{number % 7}",
        "shelf": number % 3,
        "price": number % 11 / 4,
    }


def answered(history: History, number: int) -> dict[str, list[str]]:
    """What the row is answered, to the last bit."""
    found = history.answer(columns_of(history.transform, [a_row(number)]), 1)
    return {name: [value.hex() for value in values.tolist()] for name, values in found.items()}


def take_for_ever(folder: Path) -> None:
    """Take the next rows in until killed; the journal is so short that snapshots are written all the time."""
    history = a_history(folder)
    keep_history(folder / "state", history, folder / "version", journal_limit=1, tend_s=0.001)
    print(json.dumps(history.facts()), flush=True)
    for number in count(history.facts()["restoredRows"] + 1):
        print(json.dumps([number, answered(history, number)]), flush=True)


def take_on_a_full_disk(folder: Path) -> None:
    """Do what each line of stdin says, and answer with a line: `row`, `tend`, `facts`, `room BYTES` for any file."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    history = a_history(folder)
    kept = keep_history(folder / "state", history, folder / "version", tend_s=NEVER_S)
    number = history.facts()["restoredRows"]
    print(json.dumps(history.facts()), flush=True)
    for line in sys.stdin:
        what, *argument = line.split()
        if what == "row":
            number += 1
            print(json.dumps([number, answered(history, number)]), flush=True)
        else:
            _do(what, argument, kept)
            print(json.dumps(history.facts()), flush=True)


def _do(what: str, argument: list[str], kept: Kept) -> None:
    if what == "tend":
        kept.tend()
    elif what == "room":
        most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(argument[0]) if argument else most, most))


def compact_step_by_step(folder: Path) -> None:
    """Compact once, and copy the state before every call that this makes of the system: to FOLDER/step-0 and on."""
    history = a_history(folder)
    kept = keep_history(folder / "state", history, folder / "version", tend_s=NEVER_S)
    for number in range(1, 31):
        answered(history, number)
    seen: list[dict[str, bytes]] = []
    is_looking = True

    def look(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal is_looking
        if is_looking:
            is_looking = False
            found = {path.name: path.read_bytes() for path in (folder / "state").iterdir()}
            if found not in seen:
                seen.append(found)
                shutil.copytree(folder / "state", folder / f"step-{len(seen) - 1}")
            is_looking = True

    sys.addaudithook(look)
    kept.compact()
    look("", ())
    is_looking = False
    kept.close()


if __name__ == "__main__":
    command, folder = sys.argv[1:]
    commands = (take_for_ever, take_on_a_full_disk, compact_step_by_step)
    {one.__name__: one for one in commands}[command](Path(folder))
