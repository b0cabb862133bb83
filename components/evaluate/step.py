# SPDX-License-Identifier: Apache-2.0
"""The step: reads what the steps before wrote, compares, decides, and writes evaluation.json and report.html.

The only module of the package that writes files.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.evaluate import systems
from components.evaluate.comparison import Absence, Judged, judge
from components.evaluate.document import FORMAT, Document, plain, sentence, to_json
from components.evaluate.gates import GateResult, Groups, Result, decide, overall
from components.evaluate.groups import judge_groups
from components.evaluate.holdout import Holdout, read_holdout, read_json, read_training_sample
from components.evaluate.leaks import MOST_ROWS, Rows, leak_warnings, perfection_warnings
from components.evaluate.notes import notes
from components.evaluate.pictures import draw
from components.evaluate.report import render
from components.evaluate.resampling import Setting, System
from components.evaluate.slices import judge_slices
from kelp.spec import Gate, Model

logger = logging.getLogger(__name__)


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
        NotFound: a file of an earlier step is missing.
        IntegrityError: a file of an earlier step is not what that step writes.
        DataError: the held-out rows cannot judge a model: none, one class only, no finite target.
    """
    ingested, summary, training = (
        read_json(path) for path in (snapshot / "ingest.json", prepared / "prepare.json", trained / "train.json")
    )
    holdout = read_holdout(prepared)
    setting = Setting(model.spec.confidence, np.random.default_rng(model.spec.train.seed))
    mine = systems.candidate(holdout, trained)
    others = {
        "champion": systems.champion(holdout, champion),
        "legacy": systems.legacy(holdout),
        "dummy": systems.dummy(holdout),
    }
    present = [mine, *(other for other in others.values() if isinstance(other, System))]
    judged = judge(setting, holdout.truth, present)
    compared = {name: other if isinstance(other, Absence) else judged[name] for name, other in others.items()}
    groups = judge_groups(setting, holdout.truth, mine.score, holdout.groups, _asked(model.spec.gates))
    gates = decide(model.spec.gates, judged["candidate"].metrics, compared, groups, model.spec.confidence)
    result = overall(gates, model.spec.undecided)
    why = sentence(result, gates, model.spec.undecided)
    warnings = _warnings(model, holdout, prepared, judged["candidate"])
    document = plain(
        {
            "format": FORMAT,
            "model": _model(model),
            "result": result,
            "why": why,
            "warnings": [*warnings, *summary.get("warnings", []), *training.get("warnings", [])],
            "confidence": model.spec.confidence,
            "gates": gates,
            "data": _data(ingested, summary, holdout),
            "training": _training(training),
            "systems": {"candidate": judged["candidate"], **compared},
            "notes": dict(notes(holdout, present)),
            "groups": _groups(groups, holdout),
            "slices": judge_slices(setting, holdout, mine.score),
            "pictures": draw(setting, holdout, present),
            "lineage": lineage,
        }
    )
    (evaluation / "evaluation.json").write_text(to_json(document), encoding="utf-8")
    (evaluation / "report.html").write_text(render(document), encoding="utf-8")
    return Evaluation(result, why, tuple(gates), document)


def _model(model: Model) -> Document:
    spec = model.spec
    return {"name": model.name, "owner": spec.owner, "purpose": spec.purpose, "task": spec.task}


def _warnings(model: Model, holdout: Holdout, prepared: Path, candidate: Judged) -> list[str]:
    """Log and return what makes the evaluation doubtful."""
    train = Rows(*read_training_sample(prepared, holdout.transform, MOST_ROWS))
    test = Rows(holdout.features, holdout.target, holdout.series.of_row if holdout.series else None)
    found = [
        *leak_warnings(holdout.transform, model.spec.data.target, train, test),
        *perfection_warnings(holdout.truth.task, candidate.metrics),
    ]
    for text in found:
        logger.warning("%s", text)
    return found


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
    if holdout.series is not None:
        found["series"] = prepare.get("series")
    if holdout.classes:
        counts = np.bincount(holdout.target.astype(np.intp), minlength=len(holdout.classes)).tolist()
        found["classes"] = [{"name": name, "rows": rows} for name, rows in zip(holdout.classes, counts, strict=True)]
    return found


def _training(train: Mapping[str, Any]) -> Document:
    kept = {name: train.get(name) for name in ("trainer", "params", "seed", "rounds", "epochs", "rows", "digest")}
    shares = sorted((train.get("importance") or {}).items(), key=lambda item: (-item[1], item[0]))
    return kept | {"importance": [{"feature": name, "share": share} for name, share in shares]}


def _groups(groups: Groups, holdout: Holdout) -> Document:
    return {
        column: [
            {"group": name, "rows": int((holdout.groups[column] == name).sum()), "metrics": metrics}
            for name, metrics in found.items()
        ]
        for column, found in groups.items()
    }
