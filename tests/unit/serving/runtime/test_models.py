# SPDX-License-Identifier: Apache-2.0
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kelp.errors import EnvironmentFault, IntegrityError, NotFound, NotReady
from kelp.frame.online import Online
from kelp.frame.scorer import Scorer
from serving.catalogue import Catalogue
from serving.runtime.metrics import Metrics
from serving.runtime.model import ServedModel
from serving.runtime.models import Models
from serving.source import Source
from tests.unit.serving.runtime.planes import AMOUNT, Doubling, a_model

SIZE = 10


class Shelf:
    """A folder of versions without content, and a loader that fails where it is told to and can be held up."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.broken: set[str] = set()
        self.loads: Counter[str] = Counter()
        self.closed: list[str] = []
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.may_end.set()
        self._metrics = Metrics("champion")

    def add(self, name: str, number: int, *, champion: bool = True) -> None:
        folder = self.root / name / str(number)
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
        if champion:
            self.alias(name, f'{{"champion": {number}}}')

    def alias(self, name: str, text: str) -> None:
        (self.root / name / "aliases.json").write_text(text)

    def load(self, source: Source) -> ServedModel:
        label = f"{source.name}/{source.version}"
        self.loads[label] += 1
        self.began.set()
        assert self.may_end.wait(60)
        if label in self.broken:
            raise IntegrityError("its SHA-256 differs", place=label, fix="fetch it again")
        return a_model(Online(Scorer(AMOUNT, Doubling())), self._metrics, str(source.version))

    def models(self, budget: int = 10 * SIZE, named: tuple[Source, ...] = ()) -> Models:
        catalogue = Catalogue(named, self.root)
        return Models(catalogue, budget, self.load, lambda model: self.closed.append(model.version), lambda _: SIZE)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def answers(models: Models, name: str, version: str | None = None) -> str:
    """The version that answers a request."""
    lease = models.lend_loaded(name, version)
    try:
        return lease.loaded.version
    finally:
        models.give_back(lease)


def entry(models: Models, name: str) -> dict[str, Any]:
    (found,) = [each for each in models.index() if each["name"] == name]
    return found


def test_every_model_is_known_and_none_is_loaded_before_it_is_asked_for(shelf: Shelf) -> None:
    for name in ("fraud", "churn"):
        shelf.add(name, 1)
    models = shelf.models()
    assert (models.names(), models.versions(), shelf.loads) == (["churn", "fraud"], {"churn": 1, "fraud": 1}, {})
    assert models.lend("fraud") is None
    assert entry(models, "fraud") == {
        "name": "fraud",
        "version": "1",
        "state": "UNAVAILABLE",
        "reason": "not in memory; the next request loads it",
    }
    assert [answers(models, "fraud") for _ in range(3)] == ["1"] * 3
    assert shelf.loads == {"fraud/1": 1}
    assert entry(models, "fraud") == {"name": "fraud", "version": "1", "state": "READY", "reason": ""}


def test_a_version_that_is_asked_for_must_be_the_one_served(shelf: Shelf) -> None:
    shelf.add("fraud", 3)
    models = shelf.models()
    assert answers(models, "fraud", "3") == "3"
    with pytest.raises(NotFound, match="version 4 is not served here") as caught:
        models.lend_loaded("fraud", "4")
    assert caught.value.fix == "served here: fraud 3"
    assert models.lend("fraud", "4") is None
    models.unload("fraud")
    assert shelf.closed == ["3"], "a refused loan was kept"


@pytest.mark.parametrize("name", ["../x", ".", "", "a" * 300, "nobody", "fraud\n"])
def test_a_name_that_is_no_model_is_not_found_by_any_way(shelf: Shelf, name: str) -> None:
    shelf.add("fraud", 1)
    models = shelf.models()
    assert models.lend(name) is None
    for ask in (models.lend_loaded, models.load, models.unload):
        with pytest.raises(NotFound, match="no model is called"):
            ask(name)
    assert [each["name"] for each in models.index()] == ["fraud"]


def test_load_switches_to_the_version_that_is_there_now(shelf: Shelf) -> None:
    shelf.add("fraud", 1)
    models = shelf.models()
    assert answers(models, "fraud") == "1"
    shelf.add("fraud", 2)
    assert answers(models, "fraud") == "1"
    assert models.load("fraud") == 2
    assert answers(models, "fraud") == "2"
    assert shelf.closed == ["1"]
    shelf.alias("fraud", '{"champion": 1}')
    assert (models.load("fraud"), answers(models, "fraud")) == (1, "1")


def test_a_refused_version_leaves_the_one_before_answering_and_the_index_says_why(shelf: Shelf) -> None:
    shelf.add("fraud", 1)
    models = shelf.models()
    models.load("fraud")
    shelf.add("fraud", 2)
    shelf.broken.add("fraud/2")
    with pytest.raises(NotReady, match="fraud: version 2 is refused: fraud/2: its SHA-256 differs") as caught:
        models.load("fraud")
    assert caught.value.fix == "version 1 is still served"
    assert answers(models, "fraud") == "1"
    assert entry(models, "fraud") == {
        "name": "fraud",
        "version": "1",
        "state": "READY",
        "reason": "version 2 is refused: fraud/2: its SHA-256 differs",
    }
    shelf.broken.clear()
    assert (models.load("fraud"), answers(models, "fraud")) == (2, "2")
    assert entry(models, "fraud")["reason"] == ""


def test_a_first_version_that_is_refused_cannot_answer_and_the_index_says_why(shelf: Shelf) -> None:
    shelf.add("fraud", 1)
    shelf.broken.add("fraud/1")
    models = shelf.models()
    for ask in (models.lend_loaded, models.load, models.lend_loaded):
        with pytest.raises(NotReady, match="its SHA-256 differs") as caught:
            ask("fraud")
        assert caught.value.fix == "fetch it again"
    assert entry(models, "fraud")["state"] == "UNAVAILABLE"
    assert entry(models, "fraud")["reason"] == "fraud/1: its SHA-256 differs"


def test_load_waits_for_a_load_of_the_same_version_that_a_request_began(shelf: Shelf) -> None:
    shelf.add("fraud", 1)
    models = shelf.models()
    models.load("fraud")
    shelf.add("fraud", 2)
    shelf.began.clear()
    shelf.may_end.clear()
    with ThreadPoolExecutor(2) as pool:
        commands = [pool.submit(models.load, "fraud") for _ in range(2)]
        assert shelf.began.wait(60)
        assert answers(models, "fraud") == "1"
        assert entry(models, "fraud") == {"name": "fraud", "version": "1", "state": "LOADING", "reason": ""}
        shelf.may_end.set()
        assert [command.result(60) for command in commands] == [2, 2]
    assert shelf.loads["fraud/2"] == 1


def test_an_unloaded_model_is_not_found_until_it_is_loaded(shelf: Shelf) -> None:
    shelf.add("fraud", 1)
    models = shelf.models()
    models.load("fraud")
    models.unload("fraud")
    assert (models.names(), models.lend("fraud"), shelf.closed) == ([], None, ["1"])
    for ask in (models.lend_loaded, models.unload):
        with pytest.raises(NotFound, match="fraud: the model is not served") as caught:
            ask("fraud")
        assert "POST /v2/repository/models/NAME/load" in caught.value.fix
    assert entry(models, "fraud")["state"] == "UNAVAILABLE"
    assert "load serves it" in entry(models, "fraud")["reason"]
    assert (models.load("fraud"), answers(models, "fraud")) == (1, "1")


def test_a_request_under_way_is_answered_though_its_model_is_unloaded(shelf: Shelf) -> None:
    shelf.add("fraud", 1)
    models = shelf.models()
    lease = models.lend_loaded("fraud")
    models.unload("fraud")
    assert (lease.loaded.version, shelf.closed) == ("1", [])
    models.give_back(lease)
    assert shelf.closed == ["1"]


def test_a_model_that_came_later_is_served_once_it_is_loaded(shelf: Shelf) -> None:
    models = shelf.models()
    shelf.add("fraud", 1)
    with pytest.raises(NotFound, match="fraud: the model is not served"):
        models.lend_loaded("fraud")
    assert "not served" in entry(models, "fraud")["reason"]
    assert (models.load("fraud"), answers(models, "fraud")) == (1, "1")


def test_a_served_model_whose_folder_is_gone_answers_on(shelf: Shelf) -> None:
    shelf.add("fraud", 1)
    models = shelf.models()
    models.load("fraud")
    (shelf.root / "fraud").rename(shelf.root / ".gone")
    with pytest.raises(NotFound):
        models.load("fraud")
    assert answers(models, "fraud") == "1"
    assert entry(models, "fraud")["state"] == "READY"


def test_broken_aliases_stop_one_model_and_no_other(shelf: Shelf) -> None:
    for name in ("fraud", "churn"):
        shelf.add(name, 1)
    shelf.alias("fraud", "{")
    models = shelf.models()
    assert answers(models, "churn") == "1"
    for ask in (models.lend_loaded, models.load, models.unload):
        with pytest.raises(NotReady, match=r"aliases\.json: cannot be read"):
            ask("fraud")
    assert entry(models, "fraud")["state"] == "UNAVAILABLE"
    assert "aliases.json: cannot be read" in entry(models, "fraud")["reason"]
    shelf.alias("fraud", '{"champion": 1}')
    assert (models.load("fraud"), answers(models, "fraud")) == (1, "1")
    assert entry(models, "fraud")["reason"] == ""


@pytest.mark.parametrize("text", ["{", '{"champion": 9}', "[]"])
def test_aliases_that_break_leave_the_version_answering_and_the_index_says_why(shelf: Shelf, text: str) -> None:
    shelf.add("fraud", 1)
    models = shelf.models()
    models.load("fraud")
    shelf.alias("fraud", text)
    with pytest.raises(NotReady, match=r"the model is refused: .*aliases\.json"):
        models.load("fraud")
    assert answers(models, "fraud") == "1"
    assert entry(models, "fraud")["state"] == "READY"
    assert "aliases.json" in entry(models, "fraud")["reason"]


def test_a_model_without_a_champion_is_not_found_and_the_index_says_why(shelf: Shelf) -> None:
    shelf.add("fraud", 1)
    shelf.alias("fraud", '{"champion": null}')
    models = shelf.models()
    for ask in (models.lend_loaded, models.load, models.unload):
        with pytest.raises(NotFound, match="no version is the champion"):
            ask("fraud")
    assert entry(models, "fraud") == {
        "name": "fraud",
        "state": "UNAVAILABLE",
        "reason": "fraud: no version is the champion",
    }


def test_models_beyond_the_budget_take_turns(shelf: Shelf) -> None:
    for name in ("a", "b", "c"):
        shelf.add(name, 1)
    models = shelf.models(budget=2 * SIZE)
    assert [answers(models, name) for name in "abcabc"] == ["1"] * 6
    assert shelf.loads == {"a/1": 2, "b/1": 2, "c/1": 2}
    assert [each["state"] for each in models.index()].count("READY") == 2


def test_a_version_without_room_is_refused_with_that_reason(shelf: Shelf) -> None:
    for name in ("a", "b"):
        shelf.add(name, 1)
    models = shelf.models(budget=SIZE)
    lease = models.lend_loaded("a")
    with pytest.raises(NotReady, match="too many in use") as caught:
        models.lend_loaded("b")
    assert caught.value.fix == "ask again later, or raise the budget"
    shelf.add("a", 2)
    with pytest.raises(NotReady, match="version 2 is refused: there is no memory for it"):
        models.load("a")
    models.give_back(lease)
    assert (answers(models, "b"), answers(models, "a")) == ("1", "2")


def test_named_models_are_served_beside_those_in_the_folder(shelf: Shelf) -> None:
    shelf.add("fraud", 1)
    models = shelf.models(named=(Source("price", 7, shelf.root / "elsewhere"),))
    assert (models.names(), answers(models, "price")) == (["fraud", "price"], "7")
    models.unload("price")
    assert (models.load("price"), models.versions()) == (7, {"fraud": 1, "price": 7})


def test_pointed_at_the_versions_of_others_they_serve_those_and_nothing_else(shelf: Shelf) -> None:
    for name in ("a", "b", "c"):
        shelf.add(name, 1)
    shelf.add("b", 2)
    models = shelf.models(named=(Source("d", 5, shelf.root),))
    assert models.versions() == {"a": 1, "b": 2, "c": 1, "d": 5}
    models.load("a")
    models.point({"a": 1, "b": 1, "d": 5})
    assert models.versions() == {"a": 1, "b": 1, "d": 5}
    assert [answers(models, name) for name in "abd"] == ["1", "1", "5"]
    assert (shelf.loads["a/1"], shelf.loads["b/2"]) == (1, 0)
    with pytest.raises(NotFound, match="c: the model is not served"):
        models.lend_loaded("c")
    assert models.load("b") == 2


def test_closing_frees_every_model(shelf: Shelf) -> None:
    for number, name in enumerate("ab", start=1):
        shelf.add(name, number)
    models = shelf.models()
    for name in "ab":
        models.load(name)
    models.close()
    assert sorted(shelf.closed) == ["1", "2"]


def test_a_folder_that_cannot_be_read_stops_the_start(shelf: Shelf) -> None:
    with pytest.raises(EnvironmentFault, match="the repository cannot be read"):
        Models(Catalogue(root=shelf.root / "nowhere"), SIZE, shelf.load)


def test_many_threads_load_unload_and_ask_without_an_error_of_our_own(shelf: Shelf) -> None:
    for name in ("a", "b"):
        shelf.add(name, 1)
        shelf.add(name, 2)
    models = shelf.models(budget=4 * SIZE)

    def many(start: int) -> int:
        found = 0
        for step in range(200):
            name = "ab"[(start + step) % 2]
            try:
                match (start * 3 + step) % 4:
                    case 0:
                        assert models.load(name) == 2
                    case 1 if step % 16 == 1:
                        models.unload(name)
                    case 2:
                        assert {each["name"] for each in models.index()} == {"a", "b"}
                    case _:
                        assert answers(models, name) == "2"
                found += 1
            except NotFound:
                pass  # unloaded in the meantime
        return found

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(many, range(4))) > 0
