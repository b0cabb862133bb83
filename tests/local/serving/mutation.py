# SPDX-License-Identifier: Apache-2.0
"""What requests are fuzzed with: wrong values, changed documents and damaged bytes, each from a generator of random
numbers whose seed hypothesis chooses. Drawn choice by choice, two of five requests came twice, and most of the rest
failed at the first look. The builders of requests and the fuzz tests, over HTTP and over gRPC, call it.
"""

import struct
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

QUICK, SLOW = 220, 4000  # requests of each of seven kinds
CHANCES = st.randoms(use_true_random=True)

NUMBERS = [0, 1, -1, 2, 0.5, -0.0, 1e39, 1e308, 5e-324, 2**31, 2**53, -(2**63), 2**63, 2**64, 10**30]
TEXTS = [
    "",
    "a",
    "shop",
    "rows",
    "true",
    "1.5",
    "NaN",
    "\0",
    "caf\u00e9",
    "\U0001f600",
    "x" * 300,
    "2026-03-02T12:00:00Z",
]
DATATYPES = ["BOOL", "INT8", "INT64", "UINT64", "FP16", "FP32", "FP64", "BYTES", "fp32", ""]
NO_JSON = [float("nan"), float("inf"), "\ud800", 10**400]
PACKED = struct.pack("<4f", 12.5, 2, 1, 2)
TEXT = b"\x04\0\0\0shop"


def weird(chance: Random) -> Any:
    """A value that is seldom the right one."""
    kinds: list[Callable[[], Any]] = [
        lambda: chance.choice([None, True, False, [], {}, [[]], [None], {"a": 1}]),
        lambda: chance.choice(NUMBERS),
        lambda: chance.choice(TEXTS),
        lambda: chance.choice(DATATYPES),
        lambda: chance.choices([*NUMBERS, *TEXTS, None, True], k=chance.randrange(6)),
        lambda: chance.randrange(-5, 9),
        lambda: chance.getrandbits(chance.randrange(1, 70)),
        lambda: chance.uniform(-9, 9) * 10.0 ** chance.randrange(-40, 40),
        lambda: "".join(chr(chance.randrange(1, 0xD800)) for _ in range(chance.randrange(5))),
        lambda: chance.choice(NO_JSON) if chance.random() < 0.1 else None,
    ]
    return chance.choice(kinds)()


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every value in a JSON document, as what holds it and the key in that."""
    found: list[tuple[Any, Any]] = []
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        found.append((tree, key))
        found += places(tree[key])
    return found


def mutated(chance: Random, document: Any) -> Any:
    """The document after one to three changes, seldom of all of it."""
    tree = {"document": deepcopy(document)}
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        holder, key = chance.choice(places(tree if chance.random() < 0.1 else tree["document"]) or places(tree))
        match chance.choice(["replace"] * 12 + ["drop"] * 3 + ["twice", "rename", "wrap", "repeat", "many"]):
            case "drop" if holder is not tree:
                del holder[key]
            case "twice" if isinstance(holder, list):
                holder.insert(key, deepcopy(holder[key]))
            case "rename" if isinstance(holder, dict) and holder is not tree:
                holder[chance.choice(TEXTS)] = holder.pop(key)
            case "wrap":
                holder[key] = [holder[key]]
            case "repeat" | "many" as size if isinstance(holder[key], list):
                holder[key] = holder[key] * (2 if size == "repeat" else 1100)
            case _:
                holder[key] = deepcopy(weird(chance))
    return tree["document"]


def damaged(chance: Random, content: bytes) -> bytes:
    """The bytes, mostly as they are; else cut short, with some of them changed, repeated, longer, or others."""
    at, more = chance.randrange(len(content) + 1), chance.randbytes(chance.randrange(1, 9))
    match chance.choice(["none"] * 30 + ["cut", "changed", "repeated", "longer", "other"]):
        case "cut":
            return content[:at]
        case "changed":
            return content[:at] + more + content[at + len(more) :]
        case "repeated":
            return content * chance.randrange(2, 30)
        case "longer":
            return content + more
        case "other":
            return chance.choice([b"", b"\0", b"null", b"{", b"[" * 5000, b"\xef\xbb\xbf{}", b"\xff\xfe"])
        case _:
            return content


def same(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Hypothesis with as many examples, the same ones every time, however long one takes."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
