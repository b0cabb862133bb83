# SPDX-License-Identifier: Apache-2.0
"""The page of runs in headless Chromium: sorting by a heading's button, filtering by words."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from kelp.cli.runs_page import runs_page
from kelp.runs.facts import run_facts
from tests.unit.kelp.runs.run_folders import MadeUp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# A frame has the width of its own viewport; the page's own policy lets no script of a test run inside.
FRAME = """<!doctype html><iframe src="runs.html" width="400" height="900" onload="
  const page = this.contentDocument, root = page.documentElement, found = [];
  const look = () => found.push({
    rows: [...page.querySelectorAll('tbody tr')].filter((row) => !row.hidden).map((row) => row.cells[0].innerText),
    sorted: [...page.querySelectorAll('th[aria-sort]')].filter((head) => head.ariaSort !== 'none')
      .map((head) => head.innerText.trim() + ' ' + head.ariaSort),
    count: page.querySelector('#count').textContent,
    overflow: root.scrollWidth - root.clientWidth,
  });
  const heading = [...page.querySelectorAll('thead button')].find((button) => button.innerText === 'pr_auc');
  const filter = page.querySelector('#filter');
  look();
  heading.click(); look();
  heading.click(); look();
  filter.value = 'fraud FAILED'; filter.dispatchEvent(new Event('input')); look();
  document.body.dataset.found = JSON.stringify(found);
"></iframe>"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What one sees at first, after one click, after a second one, and after typing."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    folder = tmp_path_factory.mktemp("pages")
    runs = [
        MadeUp(run="middle", pr_auc=0.09),
        MadeUp(run="none", until="ingest", state="failed"),
        MadeUp(run="best", pr_auc=0.7),
        MadeUp(run="worst", pr_auc=0.01),
    ]
    page = runs_page([run_facts(run.write(folder / "runs")) for run in runs], folder)
    (folder / "runs.html").write_text(page, encoding="utf-8")
    frame = folder / "frame.html"
    frame.write_text(FRAME, encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command += ["--allow-file-access-from-files", "--virtual-time-budget=10000", "--dump-dom", frame.as_uri()]
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    match = re.search(r'data-found="([^"]*)"', dumped)
    assert match is not None, dumped[:2_000]
    values: list[dict[str, Any]] = json.loads(match[1].replace("&quot;", '"'))
    return values


def test_the_order_is_that_of_the_list_until_a_heading_is_pressed(found: list[dict[str, Any]]) -> None:
    assert found[0]["rows"] == ["middle", "none", "best", "worst"]
    assert found[0]["sorted"] == ["started descending"]


def test_a_heading_sorts_numbers_as_numbers_and_then_the_other_way_unknown_ones_last(
    found: list[dict[str, Any]],
) -> None:
    assert (found[1]["rows"], found[1]["sorted"]) == (["worst", "middle", "best", "none"], ["pr_auc ascending"])
    assert (found[2]["rows"], found[2]["sorted"]) == (["best", "middle", "worst", "none"], ["pr_auc descending"])


def test_only_rows_with_all_words_are_left(found: list[dict[str, Any]]) -> None:
    assert (found[3]["rows"], found[3]["count"]) == (["none"], "1 of 4")


def test_the_page_is_not_wider_than_a_telephone(found: list[dict[str, Any]]) -> None:
    assert [one["overflow"] for one in found] == [0, 0, 0, 0]
