# SPDX-License-Identifier: Apache-2.0
"""The report of a real run, from CSV to page, and one of every task, opened in headless Chromium."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from components.evaluate import evaluate
from components.ingest import ingest
from components.prepare import prepare
from components.train import train
from kelp.home import ensure_home, load_home
from kelp.spec import Model, model_from_json
from tests.unit.components.evaluate.conftest import Problem, written
from tests.unit.components.evaluate.forecast_problem import ForecastProblem, written_forecast

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LONG = "a_column_with_a_name_that_is_much_longer_than_any_telephone_is_wide_" * 2
HOSTILE = "<script>document.title='ran'</script>"

# A frame has the width of its own viewport, whatever smallest window the browser allows.
FRAME = """<!doctype html><iframe src="report.html" width="{width}" height="900" onload="
  const page = this.contentDocument, root = page.documentElement;
  document.body.dataset.found = JSON.stringify({{
    overflow: root.scrollWidth - root.clientWidth,
    width: root.clientWidth,
    title: page.title,
    paper: getComputedStyle(page.body).backgroundColor,
    heading: page.querySelector('h1').innerText,
    headingTop: page.querySelector('h1').getBoundingClientRect().top,
    sections: page.querySelectorAll('section').length,
  }})"></iframe>"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    model, home = _model(), load_home(ensure_home(root / ".kelp"))
    _write_csv(root / "data" / "payments.csv")
    snapshot, prepared, trained, evaluation = (
        root / name for name in ("snapshot", "prepared", "trained", "evaluation")
    )
    for folder in (snapshot, prepared, trained, evaluation):
        folder.mkdir()
    ingest(model, home, "", snapshot)
    prepare(model, home, snapshot, prepared)
    train(model, prepared, 7, trained)
    lineage = {"run": "r-1", "checkpoint": "kelp.dev/log\n12\n" + "A" * 200 + "\n"}
    evaluate(model, snapshot, prepared, trained, None, lineage, evaluation)
    return evaluation / "report.html"


def _model() -> Model:
    spec = {
        "task": "binary",
        "data": {
            "source": "data://payments.csv",
            "target": "is_fraud",
            "positive": "yes",
            "columns": {"band": {"type": "category", "protected": True, "feature": False}},
        },
        "train": {"params": {"rounds": 20}},
        "gates": [
            {"metric": "roc_auc", "atLeast": 0.6},
            {"metric": "recall", "gapAcross": "band", "atMost": 0.2},
            {"metric": "log_loss", "notWorseThan": "dummy"},
        ],
    }
    content = {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": "fraud"}, "spec": spec}
    return model_from_json(json.dumps(content))


def _write_csv(path: Path) -> None:
    rng = np.random.default_rng(0)
    path.parent.mkdir(parents=True)
    values = rng.normal(size=(1_500, 2))
    labels = values.sum(axis=1) + rng.logistic(size=1_500) > 0.5
    bands = rng.choice(["18-30", "31-50", "51+", HOSTILE], 1_500)
    lines = [f'"{LONG}","{HOSTILE}",band,is_fraud']
    lines += [
        f'{a:.4f},{b:.4f},"{band}",{"yes" if label else "no"}'
        for (a, b), band, label in zip(values, bands, labels, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")


def look(report: Path, profile: Path, width: int, *options: str) -> dict[str, str | float]:
    """Open the report in a frame of that width and return what the browser made of it."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    frame = report.with_name(f"frame-{width}.html")
    frame.write_text(FRAME.format(width=width))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    command += ["--allow-file-access-from-files", "--virtual-time-budget=10000", "--dump-dom", *options]
    page = subprocess.run([*command, frame.as_uri()], capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r'data-found="([^"]*)"', page)
    assert found is not None, page[:2_000]
    values: dict[str, str | float] = json.loads(found[1].replace("&quot;", '"'))
    return values


@pytest.mark.parametrize(
    "width", [pytest.param(400, id="telephone"), pytest.param(768, id="tablet"), pytest.param(1280, id="desk")]
)
def test_the_report_is_never_wider_than_the_screen(report: Path, tmp_path: Path, width: int) -> None:
    found = look(report, tmp_path, width)
    assert found["overflow"] == 0
    assert width - 40 <= float(found["width"]) <= width


@pytest.mark.parametrize("width", [pytest.param(400, id="telephone"), pytest.param(1280, id="desk")])
@pytest.mark.parametrize("task", [pytest.param(name, id=name) for name in ("binary", "text", "regression", "forecast")])
def test_no_task_makes_the_report_wider_than_the_screen(tmp_path: Path, task: str, width: int) -> None:
    problem = written_forecast(ForecastProblem(), tmp_path) if task == "forecast" else written(Problem(task), tmp_path)
    problem.evaluate(tmp_path / "evaluation")
    found = look(tmp_path / "evaluation" / "report.html", tmp_path / "profile", width)
    assert found["overflow"] == 0
    assert width - 40 <= float(found["width"]) <= width


def test_the_result_is_what_one_sees_first_and_no_script_runs(report: Path, tmp_path: Path) -> None:
    found = look(report, tmp_path, 1280)
    assert re.search("Pass|Fail|Undecided", str(found["heading"]))
    assert float(found["headingTop"]) < 200
    assert str(found["title"]).startswith("fraud: ")
    assert float(found["sections"]) >= 7


def test_the_page_follows_the_colour_scheme_of_the_reader(report: Path, tmp_path: Path) -> None:
    schemes = {"dark": "--blink-settings=preferredColorScheme=0", "light": "--blink-settings=preferredColorScheme=1"}
    papers = {name: look(report, tmp_path, 1280, option)["paper"] for name, option in schemes.items()}
    assert papers == {"dark": "rgb(20, 23, 27)", "light": "rgb(255, 255, 255)"}
