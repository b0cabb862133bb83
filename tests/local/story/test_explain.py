# SPDX-License-Identifier: Apache-2.0
"""A customer asks why: from the id of an answer to what came, what was known then, and what moved the score."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.local.story.workplace import ROOT, Workplace, example_workplace

PAYMENTS: list[dict[str, Any]] = json.loads((ROOT / "examples" / "fraud" / "payments.json").read_text())
DATATYPES = {str: "BYTES", bool: "BOOL", int: "INT64", float: "FP64"}
ROW = [10.5, 3.0, 1.0, 0.0, 0.25, 1.0, 2.0, 1.0]


def server_of(workplace: Workplace, model: str, rows: list[dict[str, Any]]) -> str:
    """The address of the server, which answers."""
    workplace.kelp("predict", model, "--input", "-", "--wait", "60", text=json.dumps(rows))
    address: str = workplace.json("status")["server"]
    return address


def test_an_answer_of_either_protocol_is_explained_by_its_id(trained: Workplace) -> None:
    named = [
        {"name": name, "datatype": DATATYPES[type(value)], "shape": [1], "data": [value]}
        for name, value in PAYMENTS[0].items()
    ]
    transformed = [{"name": "rows", "datatype": "FP32", "shape": [1, len(ROW)], "data": [ROW]}]
    asked = {
        "v1": ("v1/models/fraud:predict", {"instances": PAYMENTS}),
        "v2": ("v2/models/fraud/infer", {"inputs": named}),
        "rows": ("v2/models/fraud/infer", {"inputs": transformed}),
    }
    with trained.serving("fraud"):
        server = server_of(trained, "fraud", PAYMENTS[:1])
        answers = {
            name: httpx.post(f"{server}/{path}", json=body, headers={"x-request-id": f"explain {name}"}).json()
            for name, (path, body) in asked.items()
        }
        unnamed = httpx.post(f"{server}/v1/models/fraud:predict", json={"instances": PAYMENTS[:1]})
    scores = {"v1": [row["score"] for row in answers["v1"]["predictions"]]}
    scores |= {name: answers[name]["outputs"][0]["data"] for name in ("v2", "rows")}
    for name, expected in scores.items():
        found = trained.json("explain", f"explain {name}")
        assert [row["score"] for row in found["request"]["rows"]] == expected
        assert [row["score"] for row in found["explanations"]] == pytest.approx(expected, rel=1e-6, abs=1e-6)
    of_rows = trained.json("explain", "fraud", "--input", str(ROOT / "examples" / "fraud" / "payments.json"))
    assert trained.json("explain", "explain v1")["explanations"] == of_rows["explanations"]
    said = trained.kelp("explain", unnamed.headers["x-request-id"])
    assert f"answered {unnamed.json()['predictions'][0]['score']:.6g} true" in said
    assert "model    fraud version 1, arm champion" in said


def test_answers_that_moved_with_the_last_hour_are_explained_as_they_were_given(tmp_path: Path) -> None:
    workplace = example_workplace(tmp_path / "tickets", "pricing")
    workplace.kelp("run", "models/pricing.yaml")
    rush: list[dict[str, Any]] = json.loads((ROOT / "examples" / "pricing" / "rush.json").read_text())
    answered: list[float] = []
    with workplace.serving("pricing"):
        server = server_of(workplace, "pricing", rush[:1])
        for number, row in enumerate(rush[1:]):
            answer = httpx.post(
                f"{server}/v1/models/pricing:predict",
                json={"instances": [row]},
                headers={"x-request-id": f"quote-{number}"},
            )
            answered.append(answer.json()["predictions"][0]["score"])
    windows = []
    for number in (0, 5, 10):
        found = workplace.json("explain", f"quote-{number}")
        assert [row["score"] for row in found["explanations"]] == pytest.approx([answered[number]], rel=1e-6)
        windows.append(found["request"]["rows"][0]["inputs"]["quotes_1h"])
    assert windows[0] < windows[1] < windows[2]
