# SPDX-License-Identifier: Apache-2.0
"""A seeded synthetic problem, as the directories that the steps before evaluate write."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper
from sklearn.linear_model import LinearRegression, LogisticRegression

from components.evaluate import Evaluation, evaluate
from kelp.frame.transform import Feature, RawColumn, Transform
from kelp.spec import Model, model_from_json

TOPICS = tuple(f"topic {letter}" for letter in "abcdefghijkl")
CLASSES = {"binary": ("false", "true"), "multiclass": ("high", "low", "none"), "text": TOPICS, "regression": ()}


@dataclass
class Problem:
    """What to make up; column names may be anything a data source holds."""

    task: str = "binary"
    rows: int = 2_000
    seed: int = 3
    names: tuple[str, ...] = ("amount", "items", "hour", "distance")
    protected: str = "age_band"
    groups: tuple[str, ...] = ("18-30", "31-50", "51+")
    has_legacy: bool = False
    gates: Sequence[dict[str, Any]] = ()
    undecided: str = "fail"
    legacy_scale: float = 1.0
    champion_columns: tuple[str, ...] = ()
    is_leaking: bool = False
    entities: int = 0
    lineage: dict[str, str] = field(default_factory=lambda: {"run": "r-1", "reason": "schedule"})


@dataclass
class Written:
    """The directories, and the model they belong to."""

    model: Model
    snapshot: Path
    prepared: Path
    trained: Path
    champion: Path
    problem: Problem

    def evaluate(self, folder: Path, *, champion: Path | None = None) -> Evaluation:
        folder.mkdir(parents=True)
        return evaluate(self.model, self.snapshot, self.prepared, self.trained, champion, self.problem.lineage, folder)


@pytest.fixture
def a_problem(tmp_path: Path) -> Callable[..., Written]:
    """Write a problem; the arguments are the fields of `Problem`."""
    return lambda **fields: written(Problem(**fields), tmp_path)


def written(problem: Problem, root: Path) -> Written:
    rng = np.random.default_rng(problem.seed)
    features: npt.NDArray[np.float32] = rng.normal(size=(problem.rows, len(problem.names))).astype(np.float32)
    signal = features[:, :3].astype(np.float64) @ np.array([1.2, 1.0, -0.5]) - 1.0
    target = _target(problem.task, signal, features, rng)
    if problem.is_leaking:
        features[:, -1] = target
    found = Written(
        model=_model(problem),
        snapshot=root / "snapshot",
        prepared=root / "prepared",
        trained=root / "trained",
        champion=root / "champion",
        problem=problem,
    )
    for folder in (found.snapshot, found.prepared, found.trained, found.champion):
        folder.mkdir(parents=True)
    split = problem.rows * 3 // 5
    _write_prepared(problem, found.prepared, features, target, signal, split, rng)
    _write_trained(problem, found.trained, features[:split], target[:split])
    _write_champion(problem, found.champion)
    columns = {
        name: {"type": "float", "missing": index * 7, "distinct": 900} for index, name in enumerate(problem.names)
    }
    _write_json(
        found.snapshot / "ingest.json",
        {
            "source": "data://payments/*.parquet",
            "digest": "9f" * 32,
            "rows": problem.rows,
            "quarantined": 12,
            "reasons": {"amount: expected >= 0": 9, "items: expected an int": 3},
            "files": [],
            "columns": columns | {problem.protected: {"type": "category", "missing": 0, "distinct": 3}},
            "declared": True,
        },
    )
    return found


def _target(
    task: str, signal: npt.NDArray[np.float64], features: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[Any]:
    if task == "regression":
        return (3.0 * signal + rng.normal(size=len(signal))).astype(np.float64)
    if task == "text":
        pull = 2.0 * features @ rng.normal(size=(features.shape[1], len(TOPICS))) - np.arange(len(TOPICS)) / 4
        return np.asarray((pull + rng.gumbel(size=pull.shape)).argmax(axis=1), dtype=np.int64)
    noisy = signal + rng.logistic(size=len(signal))
    return (np.digitize(noisy, [-2.0, 0.5]) if task == "multiclass" else noisy > 0).astype(np.int64)


def _model(problem: Problem) -> Model:
    spec: dict[str, Any] = {
        "owner": "payments-risk",
        "purpose": "Flag card payments for review before they settle.",
        "task": problem.task,
        "data": {
            "source": "data://payments/*.parquet",
            "target": "is_fraud",
            "columns": {problem.protected: {"type": "category", "protected": True, "feature": False}},
        },
        "gates": list(problem.gates),
        "undecided": problem.undecided,
    }
    if problem.entities:
        spec["data"]["entity"] = "card"
    if problem.has_legacy:
        spec["legacy"] = {"column": "old_score"}
    content = {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": "fraud"}, "spec": spec}
    return model_from_json(json.dumps(content))


def a_transform(problem: Problem, names: Sequence[str]) -> Transform:
    return Transform(
        task=problem.task,  # type: ignore[arg-type]  # a str of the tasks
        classes=CLASSES[problem.task],
        columns=tuple(RawColumn(name=name, type="float", nullable=True) for name in names),
        features=tuple(Feature(name=name, column=name, kind="number", fill=0.0) for name in names),
    )


def _write_prepared(
    problem: Problem,
    folder: Path,
    features: npt.NDArray[np.float32],
    target: npt.NDArray[Any],
    signal: npt.NDArray[np.float64],
    split: int,
    rng: np.random.Generator,
) -> None:
    groups = rng.choice(problem.groups, len(target), p=_shares(len(problem.groups)))
    cards = rng.integers(0, max(problem.entities, 1), len(target))
    legacy = problem.legacy_scale / (1 + np.exp(-0.5 * signal - 0.6 * rng.normal(size=len(signal))))
    for name, part in (("train", slice(0, split)), ("test", slice(split, None))):
        columns: dict[str, Any] = {column: features[part, i] for i, column in enumerate(problem.names)}
        columns |= {"__target": target[part], f"__group:{problem.protected}": groups[part].tolist()}
        if problem.entities:
            columns["__entity"] = [f"card {card}" for card in cards[part]]
        if problem.has_legacy:
            columns["__legacy"] = legacy[part].astype(np.float64)
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    raw = {column: features[split:, i].astype(np.float64) for i, column in enumerate(problem.names)}
    pq.write_table(pa.table(raw), folder / "test_rows.parquet")
    (folder / "transform.json").write_text(a_transform(problem, problem.names).to_json())
    _write_json(
        folder / "prepare.json",
        {
            "digest": "ab" * 32,
            "split": {"by": "time", "boundary": "2026-03-01T00:00:00Z", "gapSeconds": 0},
            "rows": {"train": split, "test": len(target) - split, "gap": 0},
            "dropped": ["email"],
            "features": list(problem.names),
        },
    )


def _shares(groups: int) -> npt.NDArray[np.float64]:
    weights = np.arange(groups, 0, -1, dtype=np.float64) ** 1.5
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _write_trained(problem: Problem, folder: Path, features: npt.NDArray[np.float32], target: npt.NDArray[Any]) -> None:
    if problem.task == "regression":
        fitted: Any = LinearRegression().fit(features, target)
    else:
        fitted = LogisticRegression(C=100.0).fit(features, target)
    weights, bias = np.atleast_2d(fitted.coef_).T, np.atleast_1d(fitted.intercept_)
    write_linear(folder / "model.onnx", problem.task, weights, bias)
    size = np.abs(weights).sum(axis=1)
    _write_json(
        folder / "train.json",
        {
            "trainer": "linear",
            "params": {"C": 100.0},
            "seed": 7,
            "rounds": 60,
            "rows": len(target),
            "seconds": 1.2345,
            "digest": "cd" * 32,
            "importance": dict(zip(problem.names, (size / size.sum()).tolist(), strict=True)),
        },
    )


def write_linear(path: Path, task: str, weights: npt.NDArray[Any], bias: npt.NDArray[Any]) -> None:
    """Write rows @ weights + bias, through what the task's scores need, as an ONNX model."""
    width, outputs = weights.shape
    last = {"binary": "Sigmoid", "multiclass": "Softmax", "text": "Softmax"}.get(task, "Identity")
    nodes = [
        helper.make_node("MatMul", ["rows", "weights"], ["sum"]),
        helper.make_node("Add", ["sum", "bias"], ["shifted"]),
    ]
    if outputs > 1:
        nodes += [helper.make_node(last, ["shifted"], ["score"])]
    else:
        nodes += [helper.make_node(last, ["shifted"], ["one"]), helper.make_node("Reshape", ["one", "flat"], ["score"])]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, None] if outputs > 1 else [None])],
        [
            helper.make_tensor("weights", TensorProto.FLOAT, [width, outputs], weights.ravel().tolist()),
            helper.make_tensor("bias", TensorProto.FLOAT, [outputs], bias.tolist()),
            helper.make_tensor("flat", TensorProto.INT64, [1], [-1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())


def _write_champion(problem: Problem, folder: Path) -> None:
    """A model of the first columns alone; enough to be scored (binary only)."""
    names = problem.champion_columns or problem.names[:2]
    write_linear(folder / "model.onnx", "binary", np.full((len(names), 1), 0.8), np.zeros(1))
    (folder / "transform.json").write_text(a_transform(problem, names).to_json())


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content))
