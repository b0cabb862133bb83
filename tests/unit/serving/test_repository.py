# SPDX-License-Identifier: Apache-2.0
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.errors import EnvironmentFault, IntegrityError, NotFound
from serving.lease import Lease, State
from serving.repository import RETRY_S, Repository
from serving.source import Source, estimated_bytes

SIZE = 10


class Shelf:
    """A loader that counts, fails where it is told to, and can be held up."""

    def __init__(self) -> None:
        self.loads: Counter[Source] = Counter()
        self.broken: set[Source] = set()
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.may_end.set()
        self.now = 0.0

    def load(self, source: Source) -> str:
        self.loads[source] += 1
        self.began.set()
        assert self.may_end.wait(60)
        if source in self.broken:
            raise IntegrityError("its SHA-256 differs", place=f"{source.name}/{source.version}")
        return f"{source.name} {source.version}"

    def repository(self, budget: int = 3 * SIZE) -> Repository[str]:
        return Repository(budget, self.load, lambda folder: SIZE, lambda: self.now)


def version(name: str, number: int = 1) -> Source:
    return Source(name, number, Path(name, str(number)))


@contextmanager
def borrowed(repository: Repository[str], name: str) -> Iterator[Lease[str]]:
    """A loan that lasts as long as the block."""
    lease = repository.lend_loaded(name)
    try:
        yield lease
    finally:
        repository.give_back(lease)


def asked(repository: Repository[str], name: str) -> str:
    with borrowed(repository, name) as lease:
        return lease.loaded


def test_a_model_is_loaded_by_its_first_request_only() -> None:
    shelf = Shelf()
    repository = shelf.repository()
    repository.point(version("a"))
    assert repository.state("a") == State("cold", 1, None)
    assert [asked(repository, "a") for _ in range(3)] == ["a 1"] * 3
    assert shelf.loads == {version("a"): 1}
    assert repository.state("a") == State("ready", 1, 1)


def test_many_requests_for_a_cold_model_load_it_once() -> None:
    shelf = Shelf()
    repository = shelf.repository()
    repository.point(version("a"))
    shelf.may_end.clear()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(asked, repository, "a") for _ in range(8)]
        assert shelf.began.wait(60)
        assert repository.state("a").status == "loading"
        shelf.may_end.set()
        assert [answer.result(60) for answer in answers] == ["a 1"] * 8
    assert shelf.loads == {version("a"): 1}


def test_a_load_keeps_nobody_else_waiting() -> None:
    shelf = Shelf()
    repository = shelf.repository()
    for name in "ab":
        repository.point(version(name))
    asked(repository, "b")
    shelf.began.clear()
    shelf.may_end.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(asked, repository, "a")
        assert shelf.began.wait(60)
        assert asked(repository, "b") == "b 1"
        shelf.may_end.set()
        assert slow.result(60) == "a 1"


@given(
    asks=st.lists(st.tuples(st.sampled_from("abcdefg"), st.booleans()), max_size=40),
    budget=st.integers(1, 5),
)
def test_the_budget_is_never_exceeded_and_a_loan_lasts(asks: list[tuple[str, bool]], budget: int) -> None:
    """Some requests end at once, others only at the end of all."""
    shelf = Shelf()
    repository = shelf.repository(budget * SIZE)
    for name in "abcdefg":
        repository.point(version(name))
    lent: set[str] = set()
    with ExitStack() as ends:
        for name, is_long in asks:
            if len(lent) >= budget and name not in lent:
                with pytest.raises(EnvironmentFault, match="too many in use"):
                    asked(repository, name)
            elif is_long:
                assert ends.enter_context(borrowed(repository, name)).loaded == f"{name} 1"
                lent.add(name)
            else:
                assert asked(repository, name) == f"{name} 1"
            assert repository.used <= budget * SIZE
            assert all(repository.state(other).status == "ready" for other in lent)
    assert repository.used <= budget * SIZE


def test_the_one_used_longest_ago_is_loaded_again() -> None:
    shelf = Shelf()
    repository = shelf.repository(2 * SIZE)
    for name in "abc":
        repository.point(version(name))
    for name in "abacab":
        asked(repository, name)
    assert shelf.loads == {version("a"): 1, version("b"): 2, version("c"): 1}


def test_threads_that_ask_for_more_than_fits_get_it_one_after_the_other_or_are_told() -> None:
    shelf = Shelf()
    repository = shelf.repository(2 * SIZE)
    for name in "abcdef":
        repository.point(version(name))

    def many(start: int) -> int:
        refused = 0
        for step in range(300):
            name = "abcdef"[(start + step * (start + 1)) % 6]
            try:
                assert asked(repository, name) == f"{name} 1"
            except EnvironmentFault:
                refused += 1
            assert repository.used <= 2 * SIZE
        return refused

    with ThreadPoolExecutor(4) as pool:
        refused = sum(pool.map(many, range(4)))
    assert refused < 1200
    assert repository.used <= 2 * SIZE


def test_a_new_version_replaces_the_old_one_which_ends_its_requests() -> None:
    shelf = Shelf()
    repository = shelf.repository()
    repository.point(version("a"))
    with borrowed(repository, "a") as old:
        repository.point(version("a", 2))
        assert asked(repository, "a") == "a 2"
        assert (old.version, old.loaded) == (1, "a 1")
        assert repository.used == 2 * SIZE
    assert repository.used == SIZE
    assert repository.state("a") == State("ready", 2, 2)


def test_the_old_version_answers_while_the_new_one_is_loaded() -> None:
    shelf = Shelf()
    repository = shelf.repository()
    repository.point(version("a"))
    asked(repository, "a")
    repository.point(version("a", 2))
    shelf.began.clear()
    shelf.may_end.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(asked, repository, "a")
        assert shelf.began.wait(60)
        assert asked(repository, "a") == "a 1"
        assert repository.state("a") == State("loading", 2, 1)
        shelf.may_end.set()
        assert first.result(60) == "a 2"


def test_a_version_that_fails_leaves_the_one_before_serving_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf()
    shelf.broken.add(version("a", 2))
    repository = shelf.repository()
    repository.point(version("a"))
    asked(repository, "a")
    repository.point(version("a", 2))
    with caplog.at_level(logging.ERROR):
        assert [asked(repository, "a") for _ in range(3)] == ["a 1"] * 3
    assert shelf.loads[version("a", 2)] == 1
    assert "a version 2 cannot be loaded: a/2: its SHA-256 differs" in caplog.text
    assert repository.state("a") == State("failed", 2, 1, "a/2: its SHA-256 differs")
    repository.unload("a")
    assert asked(repository, "a") == "a 1"
    shelf.broken.clear()
    shelf.now += RETRY_S
    assert asked(repository, "a") == "a 2"
    assert repository.state("a") == State("ready", 2, 2)


def test_a_first_version_that_fails_is_an_error_until_it_is_tried_again() -> None:
    shelf = Shelf()
    shelf.broken.add(version("a"))
    repository = shelf.repository()
    repository.point(version("a"))
    for _ in range(3):
        with pytest.raises(IntegrityError, match="a/1: its SHA-256 differs"):
            asked(repository, "a")
    assert (shelf.loads[version("a")], repository.used) == (1, 0)
    assert repository.state("a") == State("failed", 1, None, "a/1: its SHA-256 differs")
    shelf.broken.clear()
    repository.point(version("a"))
    assert asked(repository, "a") == "a 1"


def test_a_version_without_room_is_no_failure_of_the_version() -> None:
    shelf = Shelf()
    repository = shelf.repository(SIZE)
    for name in "ab":
        repository.point(version(name))
    with borrowed(repository, "a"), pytest.raises(EnvironmentFault, match="too many in use"):
        asked(repository, "b")
    assert repository.state("b").status == "cold"
    assert asked(repository, "b") == "b 1"


def test_unload_frees_memory_and_the_next_request_loads_again() -> None:
    shelf = Shelf()
    repository = shelf.repository()
    repository.point(version("a"))
    with borrowed(repository, "a"):
        repository.unload("a")
        assert repository.used == SIZE
        assert asked(repository, "a") == "a 1"
    repository.unload("a")
    assert repository.used == 0
    asked(repository, "a")
    assert shelf.loads[version("a")] == 2


def test_a_removed_name_is_not_found_and_its_request_ends_as_it_began() -> None:
    repository = Shelf().repository()
    repository.point(version("a"))
    with borrowed(repository, "a") as lease:
        repository.remove("a")
        assert lease.loaded == "a 1"
    assert (repository.names(), repository.used) == ([], 0)
    for method in (repository.state, repository.unload, repository.remove, lambda name: asked(repository, name)):
        with pytest.raises(NotFound, match="no model is called a"):
            method("a")


def test_a_name_that_is_removed_while_it_loads_leaves_nothing_behind() -> None:
    shelf = Shelf()
    repository = shelf.repository()
    repository.point(version("a"))
    shelf.may_end.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(asked, repository, "a")
        assert shelf.began.wait(60)
        repository.remove("a")
        shelf.may_end.set()
        assert first.result(60) == "a 1"
    assert repository.used == 0


def test_estimates_grow_with_the_files_and_leave_what_is_gone_to_the_load(tmp_path: Path) -> None:
    (tmp_path / "transform.json").write_bytes(b"x" * 100)
    (tmp_path / "model.onnx").write_bytes(b"x" * 100_000)
    small = estimated_bytes(tmp_path)
    assert 600_000 < small < 1_000_000
    (tmp_path / "history.parquet").write_bytes(b"x" * 10_000)
    assert estimated_bytes(tmp_path) == small + 120_000
    assert estimated_bytes(tmp_path / "nowhere") < small
