# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.evaluate.document import plain
from components.evaluate.pictures.classes import each_class, most_confused
from components.evaluate.report import render
from tests.unit.components.evaluate.forecast_problem import ForecastProblem, written_forecast

AProblem = Callable[..., Any]
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;"
VOID = {"meta"}


class Reader(HTMLParser):
    """Collects elements, attributes and text, and checks that elements close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture
def hostile(a_problem: AProblem, tmp_path: Path) -> Reader:
    """A report in which every name and text that comes from data or from people is hostile."""
    written = a_problem(
        names=(HOSTILE, "b" + HOSTILE, "c" + HOSTILE, "javascript:alert(1)"),
        protected="p" + HOSTILE,
        groups=(HOSTILE, "\u202eevil", "</td></table><style>*{display:none}</style>"),
        gates=[{"metric": "recall", "gapAcross": "p" + HOSTILE, "atMost": 0.5}],
        lineage={"run" + HOSTILE: HOSTILE, "checkpoint": f"{HOSTILE}\n</pre>{HOSTILE}\n"},
    )
    spec = written.model.spec.model_copy(update={"owner": HOSTILE, "purpose": HOSTILE})
    written.model = written.model.model_copy(update={"spec": spec})
    written.evaluate(tmp_path / "evaluation")
    return read((tmp_path / "evaluation" / "report.html").read_text())


def test_text_from_data_never_becomes_markup(hostile: Reader) -> None:
    assert not {"script", "img", "iframe", "link", "object", "a"} & set(hostile.elements)
    assert hostile.elements.count("style") == 1
    assert not [name for name, _ in hostile.attributes if name.startswith("on") or name in ("src", "href", "style")]


def test_text_from_data_is_shown_as_it_is(hostile: Reader) -> None:
    assert HOSTILE in hostile.text
    assert f"{HOSTILE}\n</pre>{HOSTILE}\n" in hostile.text


def test_the_report_needs_nothing_from_a_network(a_problem: AProblem, tmp_path: Path) -> None:
    a_problem(has_legacy=True).evaluate(tmp_path / "evaluation")
    page = (tmp_path / "evaluation" / "report.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_the_result_comes_first(a_problem: AProblem, tmp_path: Path) -> None:
    found = a_problem(gates=[{"metric": "roc_auc", "atLeast": 0.999}]).evaluate(tmp_path / "evaluation")
    words = [text for text in read(render(found.document)).text if text.strip()]
    position = words.index("Fail") if "Fail" in words else words.index(" Fail")
    assert found.why in words
    assert position < words.index(found.why) < words.index("Gates") < words.index("Metrics") < words.index("Lineage")


@pytest.mark.parametrize(
    "task", [pytest.param(task, id=task) for task in ("binary", "multiclass", "text", "regression")]
)
def test_every_task_renders_well_formed_and_small(a_problem: AProblem, tmp_path: Path, task: str) -> None:
    found = a_problem(task=task, names=tuple(f"feature_{i}" for i in range(60))).evaluate(tmp_path / "evaluation")
    page = render(found.document)
    read(page)
    assert len(page.encode()) < 150_000
    assert "nan" not in page.replace("finance", "").lower().split()
    assert "None" not in page


def test_a_forecast_renders_well_formed_and_small(tmp_path: Path) -> None:
    problem = ForecastProblem(series=40, days=400, test_days=150)
    document = written_forecast(problem, tmp_path).evaluate(tmp_path / "evaluation").document
    page = render(document)
    assert any(text.endswith(": the largest") for text in read(page).text)
    assert len(page.encode()) < 150_000


def test_fifty_classes_are_drawn_and_listed_in_a_small_page(a_problem: AProblem, tmp_path: Path) -> None:
    document = a_problem(task="text").evaluate(tmp_path / "evaluation").document
    rng = np.random.default_rng(0)
    names = [f"class {position} with a rather long name" for position in range(50)]
    matrix = rng.integers(0, 9, (50, 50)) + 100 * np.eye(50, dtype=np.int64)
    document["pictures"] |= plain(
        {
            "confusion": {"classes": names, "matrix": matrix.tolist()},
            "classes": each_class(matrix, names, 0.95),
            "confused": most_confused(matrix, names),
        }
    )
    page = render(document)
    read(page)
    assert len(page.encode()) < 150_000
    assert "The most frequent mistakes" in page


def test_many_groups_are_cut_to_the_largest_and_said_so(a_problem: AProblem, tmp_path: Path) -> None:
    found = a_problem(groups=tuple(f"g{i}" for i in range(60))).evaluate(tmp_path / "evaluation")
    assert "the largest 30 of " in render(found.document)


def test_equal_documents_render_to_equal_text(a_problem: AProblem, tmp_path: Path) -> None:
    document = a_problem().evaluate(tmp_path / "evaluation").document
    assert render(document) == render(document)
