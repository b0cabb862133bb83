# SPDX-License-Identifier: Apache-2.0
import hashlib
import re
from base64 import b64encode
from pathlib import Path

from kelp.cli.runs_page import runs_page
from kelp.runs.facts import run_facts
from kelp.runs.record import Failure
from tests.unit.kelp.runs.run_folders import MadeUp

HOSTILE = "<script>alert(1)</script>"


def test_a_row_says_what_came_of_a_run_and_links_its_report(tmp_path: Path) -> None:
    run_dir = MadeUp().write(tmp_path / "runs")
    (run_dir / "report.html").write_text("<p>")
    page = runs_page([run_facts(run_dir)], tmp_path / "pages")

    assert f'href="../runs/{run_dir.name}/report.html"' in page
    for wanted in ("succeeded", "champion", "✔", "1 pass", "0.5 to 0.7", "2026-08-01 12:00:00", "pr_auc", "1 run"):
        assert wanted in page, wanted


def test_values_to_sort_by_are_beside_what_is_shown_and_empty_where_nothing_is_known(tmp_path: Path) -> None:
    young = run_facts(MadeUp(run="young", state="failed", until="").write(tmp_path))
    page = runs_page([run_facts(MadeUp(pr_auc=0.625).write(tmp_path)), young], tmp_path)
    first, second = re.findall(r"<tr>(<th scope=\"row\".*?)</tr>", page)

    assert re.findall('data-value="([^"]*)"', first) == [
        "fraud-20260801-120000-beef", "fraud", "succeeded", "2026-08-01T12:00:00Z", "90.0", "1", "pass", "0.625",
        "manual",
    ]  # fmt: skip
    assert re.findall('data-value="([^"]*)"', second)[5:8] == ["", "", ""]
    assert "href" not in second


def test_headings_are_buttons_and_the_order_is_said(tmp_path: Path) -> None:
    page = runs_page([], tmp_path)
    headings = re.findall(r'<th scope="col" aria-sort="(\w+)"( data-number="")?><button type="button">([^<]+)', page)
    assert [name for sort, _, name in headings if sort == "descending"] == ["started"]
    assert [name for _, is_number, name in headings if is_number] == ["seconds", "version"]
    assert "0 runs" in page


def test_text_from_runs_cannot_become_markup(tmp_path: Path) -> None:
    failure = Failure(step="ingest", type="DataError", message=HOSTILE)
    made_up = MadeUp(run="a&b", model=HOSTILE, reason=HOSTILE, until="", state="failed", failure=failure)
    page = runs_page([run_facts(made_up.write(tmp_path))], tmp_path)

    assert HOSTILE not in page
    assert page.count("&lt;script&gt;") >= 3


def test_the_policy_allows_only_the_script_of_the_page(tmp_path: Path) -> None:
    page = runs_page([], tmp_path)
    (script,) = re.findall("<script>(.*?)</script>", page, re.DOTALL)
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page
    assert "http" not in re.sub("http-equiv", "", page)
