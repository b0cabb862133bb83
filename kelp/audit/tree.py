# SPDX-License-Identifier: Apache-2.0
"""The Merkle tree of RFC 9162 section 2.1: roots, inclusion proofs, consistency proofs and their verifiers.

Pure functions of hashes; it knows no record, no file and no key. `kelp.audit.ledger` grows a tree with
`Frontier` and keeps the hashes of its perfect subtrees; every proof is read from those.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

# (level, index) -> hash of the perfect subtree over the leaves [index * 2**level, (index + 1) * 2**level)
NodeAt = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """Hash one record's bytes into a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two neighbouring subtrees into their parent."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Node:
    """The hash of one perfect subtree, addressed as in `NodeAt`."""

    level: int
    index: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that is needed to grow a tree: its size and its perfect subtrees, largest (leftmost) first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def add(self, leaf: bytes) -> tuple["Frontier", list[Node]]:
        """Add one leaf hash; return the grown frontier and the perfect subtrees this completed."""
        node = Node(0, self.size, leaf)
        completed = [node]
        peaks = list(self.peaks)
        while node.index & 1:
            node = Node(node.level + 1, node.index >> 1, node_hash(peaks.pop(), node.hash))
            completed.append(node)
        return Frontier(self.size + 1, (*peaks, node.hash)), completed

    def root(self) -> bytes:
        """Return the tree's root hash."""
        if not self.peaks:
            return EMPTY_ROOT
        *rest, hashed = self.peaks
        for peak in reversed(rest):
            hashed = node_hash(peak, hashed)
        return hashed


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier, _ = frontier.add(leaf)
    return frontier.root()


def frontier_of(node_at: NodeAt, size: int) -> Frontier:
    """Read the frontier of the first `size` leaves."""
    peaks, start = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            peaks.append(node_at(level, start >> level))
            start += 1 << level
    return Frontier(size, tuple(peaks))


def _range_hash(node_at: NodeAt, start: int, end: int) -> bytes:
    """Hash the leaves [start, end); `start` MUST be a multiple of the largest power of two below end - start."""
    width = end - start
    left = _split(width)
    if left * 2 == width or width == 1:
        return node_at(width.bit_length() - 1, start // width)
    return node_hash(node_at(left.bit_length() - 1, start // left), _range_hash(node_at, start + left, end))


def _split(width: int) -> int:
    """Return the largest power of two smaller than `width` (1 for a width of 1)."""
    return 1 << max((width - 1).bit_length() - 1, 0)


def inclusion_proof(node_at: NodeAt, index: int, size: int) -> tuple[bytes, ...]:
    """Prove that leaf `index` is in the tree of `size` leaves (RFC 9162 section 2.1.3.1); 0 <= index < size."""
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range_hash(node_at, middle, end))
            end = middle
        else:
            proof.append(_range_hash(node_at, start, middle))
            start = middle
    return tuple(reversed(proof))


def consistency_proof(node_at: NodeAt, old_size: int, size: int) -> tuple[bytes, ...]:
    """Prove that the tree of `size` extends the one of `old_size` (section 2.1.4.1); 0 <= old_size <= size.

    Empty for `old_size` 0 (every tree extends the empty one) and for equal sizes.
    """
    if old_size in (0, size):
        return ()
    proof: list[bytes] = []
    start, end = 0, size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            proof.append(_range_hash(node_at, middle, end))
            end = middle
        else:
            proof.append(_range_hash(node_at, start, middle))
            start = middle
    if start > 0:
        proof.append(_range_hash(node_at, start, end))
    return tuple(reversed(proof))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Tell whether `proof` leads from `leaf` at `index` to the root of `size` leaves (section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, hashed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            hashed = node_hash(sibling, hashed)
            position, last = _climb(position, last)
        else:
            hashed = node_hash(hashed, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and hashed == expected_root


def verify_consistency(old_size: int, size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether `proof` shows that the tree of `size` extends the one of `old_size` (section 2.1.4.2)."""
    if not 0 <= old_size <= size:
        return False
    if old_size in (0, size):
        return not proof and old_root == (EMPTY_ROOT if old_size == 0 else new_root)
    # An old tree that is one perfect subtree starts the path itself.
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    position, last = old_size - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    return bool(path) and _both_roots(position, last, path) == (old_root, new_root)


def _both_roots(position: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Climb from the last subtree of the old tree to the old root and the new one; None if the path misses them."""
    old_hash = new_hash = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if position & 1 or position == last:
            old_hash, new_hash = node_hash(sibling, old_hash), node_hash(sibling, new_hash)
            position, last = _climb(position, last)
        else:
            new_hash = node_hash(new_hash, sibling)
        position, last = position >> 1, last >> 1
    return (old_hash, new_hash) if last == 0 else None


def _climb(position: int, last: int) -> tuple[int, int]:
    """Skip the levels at which a right edge has no sibling."""
    while not position & 1 and position:
        position, last = position >> 1, last >> 1
    return position, last
