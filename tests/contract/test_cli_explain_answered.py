# SPDX-License-Identifier: Apache-2.0
"""`kelp explain REQUEST_ID`: from the event of an answered request to what came and what moved its score."""

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kelp.events import Prediction
from kelp.frame.contributions import REFERENCE_FILE
from kelp.frame.pseudonym import pseudonym
from kelp.frame.rows import columns_from_instances
from kelp.frame.scorer import Scorer
from kelp.frame.transform import Feature, RawColumn, Transform, Window
from kelp.home import SIGNING_KEY
from kelp.registry import Registry
from kelp.registry.signature import sign
from monitoring.events.store import EventStore
from tests.contract.command_line import CommandLine, command_line
from tests.local.serving.conftest import linear_model
from tests.unit.kelp.frame.explained import a_version
from tests.unit.monitoring.events.made import a_prediction

HIDDEN = pseudonym(b"the key of then", "Ann Smith")
SPENT = Transform(
    task="regression",
    classes=(),
    time="at",
    columns=(
        RawColumn(name="customer", type="string", nullable=True, private=True),
        RawColumn(name="amount", type="float", nullable=False),
        RawColumn(name="at", type="timestamp", nullable=False),
    ),
    windows=(Window(name="spent", by=("customer",), over="amount", take="sum", start_us=10**9, end_us=1),),
    features=(
        Feature(name="customer", column="customer", kind="category", categories=(HIDDEN,)),
        Feature(name="amount", column="amount", kind="number"),
        Feature(name="hour", column="at", kind="hour"),
        Feature(name="spent", column="spent", kind="number", fill=-1),
    ),
)
CHURN: dict[str, list[Any]] = {"a": [0.5, 9], "b": [None, 1], "c": [-1.0, 2], "at": ["2024-05-01T10:00:00Z", None]}
PAID: dict[str, list[Any]] = {"customer": [HIDDEN, None], "amount": [3, 7.5], "at": [0, 7200], "spent": [40.25, None]}
EVIL = "\x1b]0;owned\x07\x1b[2J\n\x9b2J\u202e\r"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\n\x9b2J\u202e\r"


def register(typed: CommandLine, model: str, write: Callable[[Path], object], *, is_champion: bool) -> Scorer:
    """Add a signed version, with whatever `write` puts into its folder."""
    folder = typed.folder / "packaged" / f"{model}-{len(list(typed.folder.glob('packaged/*')))}"
    folder.mkdir(parents=True)
    write(folder)
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    (folder / "manifest.json").write_text(json.dumps({"run": folder.name, "result": "pass", "files": files}))
    sign(folder, Path(typed.home.keys) / SIGNING_KEY)
    registry = Registry.open(typed.home, "user:test")
    with registry.log:
        number = registry.add(model, folder.name, folder)
        if is_champion:
            registry.move(model, "champion", number, "passed")
    return Scorer.load(folder)


def write_spent(folder: Path) -> None:
    rows = pa.table(
        {
            "customer": [HIDDEN, "another", None],
            "amount": [1.0, 2.0, 30.0],
            "at": pa.array([0, 3_600_000_000, 7_200_000_000], pa.timestamp("us", "UTC")),
            "spent": [0.0, 5.0, None],
        }
    )
    pq.write_table(rows, folder / REFERENCE_FILE)
    (folder / "transform.json").write_text(SPENT.to_json())
    (folder / "model.onnx").write_bytes(linear_model("regression"))


def write_noted(folder: Path) -> None:
    """A model of a column whose name was not chosen kindly."""
    noted = Transform(
        task="regression",
        classes=(),
        columns=(
            RawColumn(name="amount", type="float", nullable=False),
            RawColumn(name=EVIL, type="string", nullable=True),
        ),
        features=(
            Feature(name="amount", column="amount", kind="number"),
            *(Feature(name=name, column=EVIL, kind="category", categories=("a",)) for name in (EVIL, "b", "c")),
        ),
    )
    (folder / "transform.json").write_text(noted.to_json())
    (folder / "model.onnx").write_bytes(linear_model("regression"))
    pq.write_table(pa.table({"amount": [1.0, 2.0], EVIL: ["a", "b"]}), folder / REFERENCE_FILE)


@pytest.fixture
def kelp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return command_line(tmp_path, monkeypatch, capsys)


def keep(typed: CommandLine, *events: Prediction) -> Path:
    with EventStore(typed.folder / ".kelp" / "monitor" / "events.db") as store:
        store.append(events)
    return store.path


def churned(scorer: Scorer, number: int = 1, **changes: Any) -> Prediction:
    """Two rows as a version of churn answers them."""
    scores = scorer.score(
        scorer.transform.apply(
            {
                **{name: np.array(CHURN[name], dtype=np.float64) for name in "abc"},
                "at": np.array([1_714_557_600.0, np.nan]),
            }
        )
    )
    best = scores.max(axis=1) if scorer.transform.is_multiclass else scores
    answer = {"scores": best.tolist(), "labels": scorer.label(scores), "inputs": CHURN}
    return a_prediction(number, **{"model": "churn", "version": "1", "request_id": "r-1", **answer, **changes})


def spent(**changes: Any) -> Prediction:
    """Two rows as the version of spent answers them: a tenth of the sum of its features."""
    answer = {"scores": [4.425, 0.85], "labels": [], "inputs": PAID}
    return a_prediction(1, **{"model": "spent", "version": "1", "request_id": "r-2", **answer, **changes})


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_request_is_explained_as_its_rows_are_by_the_version_that_answered(kelp: CommandLine, task: str) -> None:
    scorer = register(kelp, "churn", lambda folder: a_version(folder, task), is_champion=False)
    register(kelp, "churn", lambda folder: a_version(folder, "regression", scale=2), is_champion=True)
    keep(kelp, churned(scorer))
    rows = [{name: values[row] for name, values in CHURN.items()} for row in range(2)]
    (kelp.folder / "rows.json").write_text(json.dumps(rows))
    said = kelp("explain", "r-1", "--json")
    by_rows = kelp("explain", "churn", "--version", "1", "--input", "rows.json", "--json")
    assert (said.code, said.err) == (0, "")
    assert said.json["explanations"] == by_rows.json["explanations"]
    request = said.json["request"]
    assert (request["id"], request["events"], request["model"], request["version"]) == ("r-1", 1, "churn", "1")
    assert (request["time"], request["arm"]) == ("2023-11-14T22:13:21.250000Z", "champion")
    assert [row["inputs"] for row in request["rows"]] == rows
    assert [row["score"] for row in request["rows"]] == [row["score"] for row in said.json["explanations"]]


def test_a_person_sees_what_came_what_was_answered_and_what_moved_it(kelp: CommandLine) -> None:
    scorer = register(kelp, "churn", lambda folder: a_version(folder, "binary"), is_champion=True)
    keep(kelp, churned(scorer))
    said = kelp("explain", "r-1", "--limit", "1")
    lines = [line.rstrip() for line in said.out.splitlines()]
    assert lines[:3] == [
        "request  r-1",
        "time     2023-11-14 22:13:21.250 UTC, took 1 ms",
        "model    churn version 1, arm champion",
    ]
    assert lines[4].startswith("row 1: answered 0.")
    assert lines[4].endswith((" yes", " no"))
    assert lines[5:10] == ["input  value", "a      0.5", "b      missing", "c      -1", "at     2024-05-01T10:00:00Z"]
    assert any(line.startswith("row 1: score of yes 0.") for line in lines)
    assert "moves the log-odds by" in said.out
    assert "row 2" not in said.out


def test_private_values_are_pseudonyms_already_and_windows_are_those_of_then(kelp: CommandLine) -> None:
    register(kelp, "spent", write_spent, is_champion=True)
    keep(kelp, spent())
    said = kelp("explain", "r-2")
    assert (said.code, said.err) == (0, "")
    assert HIDDEN not in said.out
    assert len(re.findall("customer +private", said.out)) == 4  # of two rows, as input and beside its contribution
    assert "spent     40.25" in said.out
    found = kelp("explain", "r-2", "--json").json
    assert [row["inputs"]["customer"] for row in found["request"]["rows"]] == ["private", "private"]
    assert [row["inputs"]["spent"] for row in found["request"]["rows"]] == [40.25, None]
    assert [row["score"] for row in found["explanations"]] == pytest.approx([4.425, 0.85], rel=1e-6)


def test_rows_that_came_transformed_are_explained_by_their_features(kelp: CommandLine) -> None:
    register(kelp, "spent", write_spent, is_champion=True)
    matrix = np.array([[1, 3, 0, 40.25], [0, 7.5, 2, -1]], dtype="<f4")
    keep(kelp, spent(inputs={}, features=matrix.tobytes()))
    said = kelp("explain", "r-2")
    assert (said.code, said.err) == (0, "")
    assert "feature   value" in said.out
    assert "hour      2" in said.out
    found = kelp("explain", "r-2", "--json").json
    assert found["request"]["rows"][0]["features"] == {"customer": 1, "amount": 3, "hour": 0, "spent": 40.25}


def test_what_a_caller_sent_is_shown_and_never_obeyed(kelp: CommandLine) -> None:
    scorer = register(kelp, "noted", write_noted, is_champion=True)
    inputs: dict[str, list[Any]] = {"amount": [3.0], EVIL: [EVIL]}
    scores = scorer.score(
        scorer.transform.apply(columns_from_instances(scorer.transform, [{"amount": 3.0, EVIL: EVIL}]))
    )
    others = {"request_id": EVIL, "arm": EVIL, "labels": [EVIL]}
    keep(kelp, spent(model="noted", inputs=inputs, scores=scores.tolist(), **others))
    said = kelp("explain", EVIL)
    assert said.code == 0, said.err
    assert all(letter.isprintable() for letter in said.out.replace("\n", ""))
    lines = said.out.splitlines()
    assert lines[0] == f"request  {SHOWN}"
    assert lines[2].endswith(f", arm {SHOWN}")
    assert lines[4] == f"row 1: answered {scores[0]:.6g} {SHOWN}"
    assert any(re.fullmatch(f"{re.escape(SHOWN)} +{re.escape(SHOWN)} *", line) for line in lines)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(spent(model=EVIL), id="model"),
        pytest.param(spent(version=EVIL), id="version"),
        pytest.param(spent(inputs={**PAID, "amount": [EVIL, 1]}), id="value"),
        pytest.param(spent(inputs={**PAID, EVIL: [1, 2], "amount": [None, 2]}), id="column"),
    ],
)
def test_an_error_about_what_a_caller_sent_shows_it_and_obeys_nothing(kelp: CommandLine, event: Prediction) -> None:
    register(kelp, "spent", write_spent, is_champion=True)
    keep(kelp, event)
    said = kelp("explain", "r-2")
    assert said.code == 2
    assert all(letter.isprintable() for letter in said.err.replace("\n", ""))
    assert said.err.count("\n") <= 2


def test_of_a_request_that_was_tried_again_the_newest_event_is_explained(kelp: CommandLine) -> None:
    scorer = register(kelp, "churn", lambda folder: a_version(folder, "binary"), is_champion=True)
    keep(kelp, churned(scorer, 2, arm="second"), churned(scorer, 1, arm="first"), churned(scorer, 3, request_id="r-9"))
    said = kelp("explain", "r-1")
    assert "arm second\nevents   2 of this request id, of which this is the newest\n" in said.out
    assert kelp("explain", "r-1", "--json").json["request"]["events"] == 2


def test_a_score_that_is_computed_otherwise_now_is_4_after_all_is_shown(kelp: CommandLine) -> None:
    register(kelp, "spent", write_spent, is_champion=True)
    keep(kelp, spent(scores=[4.425, 0.850002]), spent(id="2", request_id="near", scores=[4.425, 0.8500005]))
    said = kelp("explain", "r-2", "--limit", "1")
    assert said.code == 4
    assert "row 1: score 4.425" in said.out
    assert (
        "spent/1: row 2 was answered with the score 0.850002, and the same version now computes 0.849999964" in said.err
    )
    assert kelp("explain", "near").code == 0


def test_an_unknown_request_is_2_and_says_how_events_come(kelp: CommandLine) -> None:
    scorer = register(kelp, "churn", lambda folder: a_version(folder, "binary"), is_champion=True)
    said = kelp("explain", "r-1")
    assert said.code == 2
    assert ".kelp/monitor/events.db: no events are kept here" in said.err
    assert "kelp up keeps the newest events" in said.err
    assert not (kelp.folder / ".kelp" / "monitor").exists()
    keep(kelp, churned(scorer))
    said = kelp("explain", "r-0")
    assert said.code == 2
    assert ".kelp/monitor/events.db: no event of the request 'r-0'" in said.err
    assert "kelp up keeps the newest events" in said.err


def test_a_model_without_rows_is_2_and_says_what_is_missing(kelp: CommandLine) -> None:
    register(kelp, "churn", lambda folder: a_version(folder, "binary"), is_champion=True)
    said = kelp("explain", "churn")
    assert said.code == 2
    assert "kelp explain churn --input FILE" in said.err


def test_a_request_has_the_version_that_answered_it(kelp: CommandLine) -> None:
    said = kelp("explain", "r-1", "--version", "2")
    assert said.code == 2
    assert "--version: a request has the version that answered it" in said.err


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        pytest.param(spent(version="9"), "spent: there is no version 9", id="a version that is gone"),
        pytest.param(spent(version="nine"), "expected the number of a version, found 'nine'", id="no number"),
        pytest.param(
            spent(inputs={name: values for name, values in PAID.items() if name != "spent"}),
            "expected the windows that were answered with, spent is absent",
            id="no windows",
        ),
        pytest.param(
            spent(inputs={**PAID, "amount": [3, None]}), "does not fit the version: instances[1].amount", id="no value"
        ),
        pytest.param(spent(inputs={}, features=bytes(24)), "expected rows of 4 features, found 3", id="another width"),
    ],
)
def test_an_event_that_does_not_fit_the_registry_is_2_and_says_why(
    kelp: CommandLine, event: Prediction, problem: str
) -> None:
    register(kelp, "spent", write_spent, is_champion=True)
    keep(kelp, event)
    said = kelp("explain", "r-2")
    assert (said.code, problem in said.err) == (2, True), said.err


def test_a_version_that_was_changed_since_is_4(kelp: CommandLine) -> None:
    register(kelp, "spent", write_spent, is_champion=True)
    keep(kelp, spent())
    (kelp.folder / ".kelp" / "registry" / "spent" / "1" / "model.onnx").write_bytes(b"something else")
    said = kelp("explain", "r-2")
    assert (said.code, "model.onnx was changed" in said.err) == (4, True)


def test_a_damaged_store_is_4_and_named(kelp: CommandLine) -> None:
    path = keep(kelp, spent())
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE events SET body = x'00'")
        other.commit()
    said = kelp("explain", "r-2")
    assert (said.code, f"{path}: the store of events is damaged" in said.err) == (4, True)
