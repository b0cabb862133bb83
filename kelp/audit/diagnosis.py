# SPDX-License-Identifier: Apache-2.0
"""Find out which records are not the ones that were logged. Pure: hashes and checkpoints in, problems out.

Two accounts of each leaf exist, the record's bytes and the stored node, and a signed root over every commit.
`vouch` walks the commits and takes for each the account its signature confirms; `compare` then names the records
that are not the vouched ones: changed, removed, inserted or moved.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kelp.audit.note import Checkpoint
from kelp.audit.tree import Frontier


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `first` and `last` are the seqs of the records it is about, if it is about any."""

    message: str
    first: int | None = None
    last: int | None = None

    def __str__(self) -> str:
        return self.message

    def names(self, seq: int) -> bool:
        """Tell whether the problem is about record `seq`."""
        return self.first is not None and self.last is not None and self.first <= seq <= self.last


@dataclass(slots=True)
class Vouched:
    """What the signatures vouch for: the leaves of the longest prefix, and its tree."""

    leaves: list[bytes] = field(default_factory=list)
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    frontier: Frontier = field(default_factory=Frontier)
    failed: Checkpoint | None = None  # the first checkpoint that neither account leads to

    def extend(self, leaves: Iterable[bytes]) -> Frontier:
        """Return the frontier with `leaves` added, leaving this as it is."""
        frontier = self.frontier
        for leaf in leaves:
            frontier, _ = frontier.add(leaf)
        return frontier

    def accept(self, leaves: Sequence[bytes]) -> None:
        """Take `leaves` as vouched for."""
        for leaf in leaves:
            self.frontier, completed = self.frontier.add(leaf)
            self.nodes.update(((node.level, node.index), node.hash) for node in completed)
            self.leaves.append(leaf)


def vouch(recorded: Mapping[int, bytes], stored: Mapping[int, bytes], signed: Iterable[Checkpoint]) -> Vouched:
    """Walk the signed checkpoints and keep the leaves they confirm, from the records or from the stored tree.

    Args:
        recorded: seq -> leaf hash of the record's bytes.
        stored: seq -> leaf hash in the stored tree.
        signed: checkpoints whose signatures are good, by size.
    """
    vouched = Vouched()
    for checkpoint in signed:
        span = range(vouched.frontier.size, checkpoint.size)
        for account in (recorded, stored):
            leaves = [account[seq] for seq in span if seq in account]
            if len(leaves) == len(span) and vouched.extend(leaves).root() == checkpoint.root:
                vouched.accept(leaves)
                break
        else:
            vouched.failed = checkpoint
            break
    return vouched


def compare(recorded: Mapping[int, bytes], expected: Mapping[int, bytes], size: int) -> list[Problem]:
    """Name every record that is not the one expected at its place.

    Args:
        recorded: seq -> leaf hash of what stands there.
        expected: seq -> leaf hash of what was logged; a seq that is missing here cannot be judged.
        size: how many records were signed for.
    """
    home = {leaf: seq for seq, leaf in expected.items()}
    moved: dict[int, int] = {}  # where a record was logged -> where it stands
    strange: set[int] = set()  # places of bytes that were never logged
    for place, leaf in sorted(recorded.items()):
        if expected.get(place) == leaf:
            continue
        logged = home.get(leaf)
        if logged is not None and recorded.get(logged) != leaf:
            moved[logged] = place
        elif place in expected or not 0 <= place < size:
            strange.add(place)
    lost = [seq for seq in range(size) if seq not in moved and not _is_in_place(seq, recorded, expected)]
    changed = [seq for seq in lost if seq in strange]
    return [
        *_runs(changed, "changed after {pronoun} logged"),
        *_runs([seq for seq in lost if seq not in strange], "removed"),
        *_runs(sorted(strange.difference(changed)), "inserted: no signature covers {object}"),
        *_shifts(moved),
    ]


def _is_in_place(seq: int, recorded: Mapping[int, bytes], expected: Mapping[int, bytes]) -> bool:
    return seq in recorded and recorded[seq] == expected.get(seq, recorded[seq])


def stored_tree_problems(stored: Mapping[tuple[int, int], bytes], vouched: Vouched) -> list[Problem]:
    """Compare the stored tree with the vouched one: a false node makes false proofs, though no record changed."""
    wrong = sorted(
        address for address in stored.keys() | vouched.nodes.keys() if stored.get(address) != vouched.nodes.get(address)
    )
    if not wrong:
        return []
    level, index = wrong[0]
    over = (index << level, ((index + 1) << level) - 1) if 0 <= level < 64 else (None, None)
    message = f"the stored tree has {len(wrong)} false nodes, the first at level {level}, position {index}"
    return [Problem(f"{message}: proofs made from them are wrong", *over)]


def missing_fit(recorded: Mapping[int, bytes], vouched: Vouched) -> list[Problem]:
    """Name the first record that the signed checkpoints contradict, when the stored tree was rewritten with it."""
    failed = vouched.failed
    start = len(vouched.leaves)
    if failed is None or any(seq not in recorded for seq in range(start, failed.size)):
        return []  # a missing record is named as removed
    several = "" if failed.size - start == 1 else "one or more of "
    return [
        Problem(
            f"{several}{name_range(start, failed.size - 1)} changed, and the stored tree with it: the checkpoint "
            f"signed at size {failed.size} has another root",
            start,
            failed.size - 1,
        )
    ]


def name_range(first: int, last: int) -> str:
    """Return `record 3` or `records 3 to 5`."""
    return f"record {first}" if first == last else f"records {first} to {last}"


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Join consecutive numbers, given in order, into (first, last) pairs."""
    joined: list[tuple[int, int]] = []
    for number in numbers:
        if joined and joined[-1][1] == number - 1:
            joined[-1] = (joined[-1][0], number)
        else:
            joined.append((number, number))
    return joined


def _runs(seqs: Iterable[int], what: str) -> list[Problem]:
    problems = []
    for first, last in runs(seqs):
        one = first == last
        words = what.format(pronoun="it was" if one else "they were", object="it" if one else "them")
        problems.append(Problem(f"{name_range(first, last)} {'was' if one else 'were'} {words}", first, last))
    return problems


def _shifts(moved: Mapping[int, int]) -> list[Problem]:
    problems = []
    by_distance: dict[int, list[int]] = {}
    for logged, place in sorted(moved.items()):
        by_distance.setdefault(place - logged, []).append(logged)
    for distance, seqs in by_distance.items():
        for first, last in runs(seqs):
            verb = "stands" if first == last else "stand"
            where = f"at {first + distance}" if first == last else f"at {first + distance} to {last + distance}"
            problems.append(Problem(f"{name_range(first, last)} {verb} {where}, not where logged", first, last))
    return problems
