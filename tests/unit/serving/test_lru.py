# SPDX-License-Identifier: Apache-2.0
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from serving.lru import Lru

STEPS = st.lists(st.tuples(st.sampled_from(["ask", "release", "drop"]), st.sampled_from("abcdef")), max_size=60)


@given(
    steps=STEPS, sizes=st.fixed_dictionaries({key: st.integers(0, 40) for key in "abcdef"}), budget=st.integers(1, 100)
)
def test_the_budget_is_kept_and_nothing_in_use_leaves(
    steps: list[tuple[str, str]], sizes: dict[str, int], budget: int
) -> None:
    lru: Lru[str] = Lru(budget)
    uses: Counter[str] = Counter()
    order: list[str] = []  # of what is held, the one used last at the end
    for step, key in steps:
        if step == "ask" and key in lru:
            lru.use(key)
            uses[key] += 1
            order = [*(other for other in order if other != key), key]
        elif step == "ask":
            in_use = sum(sizes[other] for other in order if uses[other])
            gone = lru.take(key, sizes[key])
            assert (gone is None) == (in_use + sizes[key] > budget)
            if gone is not None:
                assert not any(uses[other] for other in gone)
                idle = [other for other in order if not uses[other]]
                assert gone == idle[: len(gone)], "those used longest ago leave first"
                order = [*(other for other in order if other not in gone), key]
                uses[key] += 1
        elif step == "release" and uses[key]:
            uses[key] -= 1
            if lru.release(key):
                order.remove(key)
        elif step == "drop" and key in lru and lru.drop(key):
            assert not uses[key]
            order.remove(key)
        assert lru.used == sum(sizes[other] for other in order) <= budget
        assert all((other in lru) == (other in order) for other in "abcdef")
        assert all(other in lru for other, count in uses.items() if count)


def test_no_more_leave_than_is_needed() -> None:
    lru: Lru[str] = Lru(10)
    for key in "abc":
        lru.take(key, 3)
        lru.release(key)
    assert lru.take("d", 4) == ["a"]


def test_what_is_dropped_in_use_leaves_with_its_last_use_and_stays_if_used_again() -> None:
    lru: Lru[str] = Lru(10)
    lru.take("a", 3)
    lru.use("a")
    assert lru.drop("a") is False
    assert lru.release("a") is False
    assert lru.release("a") is True
    assert (lru.used, "a" in lru) == (0, False)
    lru.take("b", 3)
    lru.drop("b")
    lru.use("b")
    assert [lru.release("b"), lru.release("b"), "b" in lru] == [False, False, True]
