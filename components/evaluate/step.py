# SPDX-License-Identifier: Apache-2.0
"""The step: reads what the steps before wrote, compares, decides, and writes evaluation.json and report.html.

The only module of the package that writes files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.evaluate import pictures, systems
from components.evaluate.comparison import Absence, Setting, System, judge
from components.evaluate.document import FORMAT, Document, plain, sentence, to_json
from components.evaluate.gates import GateResult, Groups, Result, decide, overall
from components.evaluate.groups import judge_groups
from components.evaluate.holdout import Holdout, read_holdout, read_json
from components.evaluate.report import render
from kelp.errors import NotBuiltYet
from kelp.spec import Gate, Model

TASKS = ("binary", "multiclass", "regression")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the step found.

    Attributes:
        result: pass, fail or undecided, of all gates together.
        why: one sentence.
        gates: in the spec's order.
        document: the content of evaluation.json.
    """

    result: Result
    why: str
    gates: tuple[GateResult, ...]
    document: Document


def evaluate(  # noqa: PLR0913  one folder for each step before this one; the pipeline passes them by name
    model: Model,
    snapshot: Path,
    prepared: Path,
    trained: Path,
    champion: Path | None,
    lineage: Mapping[str, str],
    evaluation: Path,
) -> Evaluation:
    """Judge the trained model on the held-out rows; write `evaluation/{evaluation.json,report.html}`.

    Args:
        model: gates, confidence and what to do with undecided gates.
        snapshot: what ingest wrote.
        prepared: what prepare wrote.
        trained: what train wrote.
        champion: the version directory of the present champion; None if there is none yet.
        lineage: digests, ids and the audit checkpoint, printed in the report as they are.
        evaluation: an existing folder.

    Returns:
        The result; a failed gate is a result, not an error.

    Raises:
        NotBuiltYet: the task has no evaluation yet.
        NotFound: a file of an earlier step is missing.
        IntegrityError: a file of an earlier step is not what that step writes.
        DataError: the held-out rows cannot judge a model: none, one class only, no finite target.
    """
    task = model.spec.task
    if task not in TASKS:
        raise NotBuiltYet(f"task {task} has no evaluation yet", place="spec.task", fix=f"use one of {', '.join(TASKS)}")
    holdout = read_holdout(prepared)
    setting = Setting(task, model.spec.confidence, np.random.default_rng(model.spec.train.seed))
    mine = systems.candidate(task, holdout, trained)
    others = {
        "champion": systems.champion(task, holdout, champion),
        "legacy": systems.legacy(task, holdout),
        "dummy": systems.dummy(task, holdout),
    }
    present = [other for other in others.values() if isinstance(other, System)]
    judged = judge(setting, holdout.target, [mine, *present])
    compared = {name: other if isinstance(other, Absence) else judged[name] for name, other in others.items()}
    groups = judge_groups(setting, holdout.target, mine.score, holdout.groups, _asked(model.spec.gates))
    gates = decide(model.spec.gates, judged["candidate"].metrics, compared, groups, model.spec.confidence)
    result = overall(gates, model.spec.undecided)
    why = sentence(result, gates, model.spec.undecided)
    document = plain(
        {
            "format": FORMAT,
            "model": {
                "name": model.name,
                "owner": model.spec.owner,
                "purpose": model.spec.purpose,
                "task": task,
            },
            "result": result,
            "why": why,
            "confidence": model.spec.confidence,
            "gates": gates,
            "data": _data(read_json(snapshot / "ingest.json"), read_json(prepared / "prepare.json"), holdout),
            "training": _training(read_json(trained / "train.json")),
            "systems": {"candidate": judged["candidate"], **compared},
            "notes": {system.name: system.note for system in present if system.note},
            "groups": _groups(groups, holdout),
            "pictures": _pictures(task, holdout, [mine, *present], model.spec.confidence),
            "lineage": lineage,
        }
    )
    (evaluation / "evaluation.json").write_text(to_json(document), encoding="utf-8")
    (evaluation / "report.html").write_text(render(document), encoding="utf-8")
    return Evaluation(result, why, tuple(gates), document)


def _asked(gates: Sequence[Gate]) -> dict[str, set[str]]:
    asked: dict[str, set[str]] = {}
    for gate in gates:
        if gate.gap_across is not None:
            asked.setdefault(gate.gap_across, set()).add(gate.metric)
    return asked


def _data(ingest: Mapping[str, Any], prepare: Mapping[str, Any], holdout: Holdout) -> Document:
    found = {
        "source": ingest.get("source", ""),
        "digest": ingest.get("digest", ""),
        "rows": ingest.get("rows", 0),
        "quarantined": ingest.get("quarantined", 0),
        "reasons": ingest.get("reasons", {}),
        "columns": ingest.get("columns", {}),
        "split": prepare.get("split", {}),
        "parts": prepare.get("rows", {}),
        "dropped": prepare.get("dropped", []),
        "features": prepare.get("features", []),
        "preparedDigest": prepare.get("digest", ""),
    }
    if holdout.classes:
        counts = np.bincount(holdout.target.astype(np.intp), minlength=len(holdout.classes)).tolist()
        found["classes"] = [{"name": name, "rows": rows} for name, rows in zip(holdout.classes, counts, strict=True)]
    return found


def _training(train: Mapping[str, Any]) -> Document:
    kept = {name: train.get(name) for name in ("trainer", "params", "seed", "rounds", "rows", "digest")}
    shares = sorted(train.get("importance", {}).items(), key=lambda item: (-item[1], item[0]))
    return kept | {"importance": [{"feature": name, "share": share} for name, share in shares]}


def _groups(groups: Groups, holdout: Holdout) -> Document:
    return {
        column: [
            {"group": name, "rows": int((holdout.groups[column] == name).sum()), "metrics": metrics}
            for name, metrics in found.items()
        ]
        for column, found in groups.items()
    }


def _pictures(task: str, holdout: Holdout, shown: Sequence[System], confidence: float) -> Document:
    mine = shown[0]
    if task == "regression":
        return {"tenths": pictures.tenths(holdout.target, mine.score)}
    matrix = pictures.confusion(holdout.target, mine.score, len(holdout.classes)).tolist()
    found: Document = {"confusion": {"classes": holdout.classes, "matrix": matrix}}
    if task == "binary":
        ranked = [system for system in shown if system.name != "dummy"]
        rows = {system.name: (holdout.target[system.rows], system.score[system.rows]) for system in ranked}
        found["roc"] = {name: pictures.roc(*both) for name, both in rows.items()}
        found["precisionRecall"] = {name: pictures.precision_recall(*both) for name, both in rows.items()}
        found["calibration"] = pictures.calibration(holdout.target, mine.score, confidence)
    return found
