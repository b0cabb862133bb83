# SPDX-License-Identifier: Apache-2.0
"""Verify a log's database offline with nothing but its public key and, better, a checkpoint kept elsewhere.

Everything is computed anew from the records' bytes. The answer is a `Report`, not an exception: a log that was
tampered with is a finding. docs/audit-log.md says what this can prove and what it cannot.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kelp.audit.diagnosis import (
    Problem,
    Vouched,
    compare,
    missing_fit,
    name_range,
    runs,
    stored_tree_problems,
    vouch,
)
from kelp.audit.evidence import Evidence, read_evidence
from kelp.audit.note import Checkpoint, Verifier, open_checkpoint, parse_vkey
from kelp.audit.projection import CHECKPOINT_FILE
from kelp.audit.record import Record
from kelp.audit.tree import root
from kelp.errors import InputError, IntegrityError

UNKNOWABLE = (
    "no checkpoint kept elsewhere was given: this shows that the records are what the log's key signed last, not "
    "that the owner of the key did not cut off the end, or rewrite the log, and sign again"
)


@dataclass(frozen=True, slots=True)
class Report:
    """What verification found; the log is sound when `problems` is empty."""

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]  # what was taken for granted, and what could not be known
    size: int  # records found
    checkpoint: str | None  # the latest checkpoint whose signature is good

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.problems

    def names(self, seq: int) -> bool:
        """Tell whether some problem is about record `seq`."""
        return any(problem.names(seq) for problem in self.problems)


def verify(database: Path, vkey: str, against: str | None = None) -> Report:
    """Check every record, node, checkpoint and alias of the log in `database`, which is only read.

    Args:
        database: path of an `audit.db`, the log's own or a copy.
        vkey: the log's public key, from a source that is trusted.
        against: a checkpoint of this log kept elsewhere earlier; shows that nothing was cut or rewritten since.

    Raises:
        InputError: the vkey is not one.
        NotFound: there is no such file.
        EnvironmentFault: the file cannot be read.
    """
    verifier = parse_vkey(vkey)
    evidence = read_evidence(database)
    signed, problems = _signed_checkpoints(evidence.notes, verifier)
    stored = {index: node for (level, index), node in evidence.nodes.items() if level == 0}
    vouched = vouch(evidence.leaves, stored, signed)
    size = signed[-1].size if signed else len(evidence.leaves)
    expected = {seq: leaf for seq, leaf in stored.items() if seq < size} | dict(enumerate(vouched.leaves))
    problems = [
        *map(Problem, evidence.damage),
        *problems,
        *missing_fit(evidence.leaves, vouched),
        *compare(evidence.leaves, expected, size),
        *_malformed(evidence, vouched),
    ]
    if vouched.failed is None and signed:
        problems += stored_tree_problems(evidence.nodes, vouched)
    problems += replay_problems(evidence.moves, evidence.aliases)
    problems += _beside(database, verifier, vouched, size)
    notes = [f"the log is {verifier.name}; its times are its writer's clock"]
    if evidence.backdated:
        notes.append(f"the writer's clock was set back before record {evidence.backdated[0]}")
    if against is None:
        notes.append(UNKNOWABLE)
    else:
        problems += _against(against, verifier, vouched, size, "the checkpoint kept elsewhere")
    latest = evidence.notes[signed[-1].size] if signed else None
    return Report(tuple(problems), tuple(notes), len(evidence.leaves), latest)


def replay_problems(moves: list[Record], table: Mapping[tuple[str, str], int]) -> list[Problem]:
    """Replay the alias moves and compare the outcome with the alias table."""
    problems, stands, moved_by = [], dict[tuple[str, str], object](), dict[tuple[str, str], int]()
    for move in moves:
        name = (move.subject, str(move.detail.get("alias")))
        source, target = move.detail.get("from"), move.detail.get("to")
        if stands.get(name) != source:
            message = f"record {move.seq} moves {name[1]} of {name[0]} from {source}, where it did not stand"
            problems.append(Problem(message, move.seq, move.seq))
        stands[name] = target
        moved_by[name] = move.seq
    for model, alias in sorted(stands.keys() | table.keys()):
        recorded, found = stands.get((model, alias)), table.get((model, alias))
        if recorded != found:
            seq = moved_by.get((model, alias))
            by = "no record moved it" if seq is None else f"record {seq} moved it to {recorded}"
            problems.append(Problem(f"the alias table has {alias} of {model} at {found}: {by}", seq, seq))
    return problems


def _signed_checkpoints(notes: Mapping[int, str], verifier: Verifier) -> tuple[list[Checkpoint], list[Problem]]:
    signed: list[Checkpoint] = []
    refused: dict[str, list[int]] = {}
    for size, note in sorted(notes.items()):
        try:
            checkpoint = open_checkpoint(note, verifier)
        except (InputError, IntegrityError) as error:
            refused.setdefault(error.message, []).append(size)
            continue
        if checkpoint.size == size:
            signed.append(checkpoint)
        else:
            refused.setdefault(f"it was signed for size {checkpoint.size}", []).append(size)
    problems = [
        Problem(f"the checkpoint of {_sizes(first, last)} is false: {message}")
        for message, sizes in refused.items()
        for first, last in runs(sizes)
    ]
    if not signed:
        problems.append(Problem(f"no checkpoint is signed by the key of {verifier.name}: nothing can be vouched for"))
    return signed, problems


def _sizes(first: int, last: int) -> str:
    return f"size {first}" if first == last else f"each size from {first} to {last}"


def _malformed(evidence: Evidence, vouched: Vouched) -> list[Problem]:
    """Name records that were signed as they are and still are not records: a fault of the writer."""
    return [
        Problem(f"record {seq} {reason}", seq, seq)
        for seq, reason in evidence.malformed.items()
        if seq < len(vouched.leaves) and vouched.leaves[seq] == evidence.leaves[seq]
    ]


def _beside(database: Path, verifier: Verifier, vouched: Vouched, size: int) -> list[Problem]:
    """Use the `checkpoint` file in the same folder, where there is one."""
    try:
        note = (database.parent / CHECKPOINT_FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return _against(note, verifier, vouched, size, "the file `checkpoint` beside the database")


def _against(note: str, verifier: Verifier, vouched: Vouched, size: int, what: str) -> list[Problem]:
    """Check that the log, signed up to `size`, extends an older checkpoint."""
    try:
        earlier = open_checkpoint(note, verifier)
    except (InputError, IntegrityError) as error:
        return [Problem(f"{what} is not one of this log: {error.message}")]
    if earlier.size > size:
        missing = name_range(size, earlier.size - 1)
        message = f"the log was cut back: {missing} of {what} (size {earlier.size}) are gone, it ends at size {size}"
        return [Problem(message, size, earlier.size - 1)]
    if earlier.size <= len(vouched.leaves) and root(vouched.leaves[: earlier.size]) != earlier.root:
        message = f"{what}, of size {earlier.size}, has another root: the log was rewritten below it and signed again"
        return [Problem(message, 0, earlier.size - 1)]
    return []
