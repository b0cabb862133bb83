# SPDX-License-Identifier: Apache-2.0
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.audit.tree import (
    EMPTY_ROOT,
    Frontier,
    NodeAt,
    consistency_proof,
    frontier_of,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

# The eight inputs of the certificate-transparency reference tests, and the roots over the first n of them.
CT_INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LARGEST = 39


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(f"record {number}".encode()) for number in range(size)]


def nodes_over(leaves: list[bytes]) -> NodeAt:
    nodes: dict[tuple[int, int], bytes] = {}
    frontier = Frontier()
    for leaf in leaves:
        frontier, completed = frontier.add(leaf)
        nodes.update(((node.level, node.index), node.hash) for node in completed)
    return lambda level, index: nodes[level, index]


def root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(root_by_definition(leaves[:split]), root_by_definition(leaves[split:]))


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", range(1, 9), ids="size-{}".format)
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert root(leaf_hash(data) for data in CT_INPUTS[:size]).hex() == CT_ROOTS[size - 1]


@pytest.mark.parametrize("size", range(LARGEST + 1), ids="size-{}".format)
def test_the_frontier_gives_the_root_by_definition_and_can_be_read_back_from_the_nodes(size: int) -> None:
    leaves = leaves_of(size)
    stored = frontier_of(nodes_over(leaves), size)
    assert root(leaves) == root_by_definition(leaves) == stored.root()
    assert stored.size == size


@pytest.mark.parametrize("size", range(1, LARGEST + 1), ids="size-{}".format)
def test_every_inclusion_proof_holds_for_its_leaf_and_for_no_other_place_leaf_or_root(size: int) -> None:
    leaves = leaves_of(size)
    node_at, whole = nodes_over(leaves), root(leaves)
    for index, leaf in enumerate(leaves):
        proof = inclusion_proof(node_at, index, size)
        assert verify_inclusion(leaf, index, size, proof, whole)
        assert not verify_inclusion(leaf_hash(b"another"), index, size, proof, whole)
        assert not verify_inclusion(leaf, index, size, proof, leaf_hash(b"another"))
        assert not verify_inclusion(leaf, index, size, (*proof, whole), whole)
        for other in range(size):
            assert (other == index) == verify_inclusion(leaf, other, size, proof, whole)


@pytest.mark.parametrize("size", range(LARGEST + 1), ids="size-{}".format)
def test_every_consistency_proof_holds_for_its_trees_and_for_no_other_root(size: int) -> None:
    leaves = leaves_of(size)
    node_at, whole = nodes_over(leaves), root(leaves)
    for old_size in range(size + 1):
        old_root = root(leaves[:old_size])
        proof = consistency_proof(node_at, old_size, size)
        assert verify_consistency(old_size, size, old_root, whole, proof)
        assert not verify_consistency(old_size, size, leaf_hash(b"another"), whole, proof)
        assert not verify_consistency(old_size, size, old_root, whole, (*proof, whole))
        if old_size not in (0, size):
            assert not verify_consistency(old_size, size, old_root, leaf_hash(b"another"), proof)
            assert not verify_consistency(old_size, size, old_root, whole, proof[:-1])


@pytest.mark.parametrize(
    ("index", "size"),
    [
        pytest.param(-1, 3, id="before-the-first"),
        pytest.param(3, 3, id="past-the-last"),
        pytest.param(0, 0, id="in-nothing"),
    ],
)
def test_a_leaf_outside_the_tree_is_in_no_tree(index: int, size: int) -> None:
    leaf = leaf_hash(b"")
    assert not verify_inclusion(leaf, index, size, (), leaf)


def test_a_smaller_tree_extends_no_larger_one() -> None:
    leaves = leaves_of(3)
    assert not verify_consistency(3, 2, root(leaves), root(leaves[:2]), ())
    assert not verify_consistency(-1, 2, EMPTY_ROOT, root(leaves[:2]), ())


@given(st.lists(st.binary(max_size=8), max_size=80))
def test_adding_a_leaf_always_changes_the_root(data: list[bytes]) -> None:
    roots = [root(leaf_hash(one) for one in data[:size]) for size in range(len(data) + 1)]
    assert all(earlier != later for earlier, later in pairwise(roots))
