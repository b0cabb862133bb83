# SPDX-License-Identifier: Apache-2.0
"""From a profile of the data to a commented spec: pure, values in and YAML text out."""

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.ingest.profile import ColumnProfile

_ID = re.compile(r"(^|_)(id|uuid|key|ref|reference|number|no)$", re.IGNORECASE)
_ENTITY = re.compile(
    r"^(customer|client|user|account|patient|card|device|member|person|household)_?(id|key|no)?$", re.I
)
_TIME = re.compile(r"(^|_)(time|timestamp|ts|date|datetime|at|when|day)($|_)", re.IGNORECASE)
_PERSONAL = re.compile(
    r"(e_?mail|phone|mobile|ssn|iban|passport|address|surname|first_?name|last_?name|full_?name)", re.I
)
_REGRESSION_FROM = 21  # distinct numbers
_METRIC = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "r2"}


def task_of(target: "ColumnProfile") -> str:
    """The task a target suggests: two labels, several, or a number."""
    if target.distinct == 2:
        return "binary"
    is_number = target.type in ("int", "float")
    return "regression" if is_number and target.distinct >= _REGRESSION_FROM else "multiclass"


def spec_text(name: str, source: str, target: str, columns: Sequence["ColumnProfile"]) -> str:
    """Write the whole file.

    Args:
        name: the model's name.
        source: `data://` or `file://`.
        target: the name of the column to predict.
        columns: the profile of every column, the target's among them.
    """
    by_name = {column.name: column for column in columns}
    task = task_of(by_name[target])
    others = [column for column in columns if column.name != target]
    time, entity = _time(others), _entity(others)
    id_ = _id([column for column in others if column.name not in (time, entity)])
    lines = [
        "# Written by `kelp init` from a profile of the data; every field left out has a default (kelp check --schema).",
        "apiVersion: kelp.dev/v1alpha1",
        "kind: Model",
        f"metadata: {{name: {name}}}",
        "spec:",
        '  owner: ""                       # who answers for this model',
        '  purpose: ""                     # one sentence; goes into the model card',
        f"  task: {task}",
        "  data:",
        f"    source: {_word(source)}",
        f"    target: {_word(target)}",
    ]
    if task == "binary":
        lines.append(f"    positive: {_text(_positive(by_name[target]))}   # the label that counts as positive")
    lines += [
        f"    {role}: {_word(column)}   # {why}"
        for role, column, why in (
            ("id", id_, "different in every row"),
            ("time", time, "the newest rows are the test part"),
            ("entity", entity, "never in both parts"),
        )
        if column is not None
    ]
    lines += ["    columns:                        # a contract; delete a line to have the column inferred instead"]
    lines += [f"      {_word(column.name)}: {_column(column)}" for column in columns]
    metric = _METRIC[task]
    lines += [
        "  train: {seed: 7}                  # xgboost, with its params under `params:`",
        "  gates:                            # each decided on a 95% confidence bound",
        f"    - {{metric: {metric}, notWorseThan: champion, by: 0.05}}",
        f"    # - {{metric: {metric}, atLeast: 0.7}}   # what is good enough? say it here",
    ]
    return "\n".join(lines) + "\n"


def _time(columns: Sequence["ColumnProfile"]) -> str | None:
    """The first complete column of times with a telling name and enough different values to split by."""
    found = (
        c for c in columns if c.type == "timestamp" and c.missing == 0 and c.distinct > 10 and _TIME.search(c.name)
    )
    return next((column.name for column in found), None)


def _entity(columns: Sequence["ColumnProfile"]) -> str | None:
    found = (c for c in columns if _ENTITY.match(c.name) and c.missing == 0 and 10 < c.distinct < c.rows)
    return next((column.name for column in found), None)


def _id(columns: Sequence["ColumnProfile"]) -> str | None:
    found = (c for c in columns if _ID.search(c.name) and c.missing == 0 and c.distinct == c.rows > 1)
    return next((column.name for column in found), None)


def _positive(target: "ColumnProfile") -> str:
    """The label most likely meant: a word for yes, else the last in order."""
    yes = [label for label in target.labels if label.lower() in ("1", "true", "yes", "y", "t", "positive")]
    return yes[0] if yes else target.labels[-1]


def _column(column: "ColumnProfile") -> str:
    parts = [f"type: {column.type}"]
    comments = []
    if _PERSONAL.search(column.name):
        parts.append("privacy: drop")
        comments.append("looks personal")
    elif column.missing == column.rows:
        parts.append("feature: false")
    elif column.type == "string":
        comments.append(f"{column.distinct} different texts: not learnt from")
    elif column.distinct == column.rows and _ID.search(column.name):
        parts.append("feature: false")
        comments.append("different in every row")
    if column.missing:
        comments.append(f"{column.missing / column.rows:.1%} missing")
    text = "{" + ", ".join(parts) + "}"
    return f"{text}   # {'; '.join(comments)}" if comments else text


def _word(text: str) -> str:
    """A YAML plain scalar where that is safe, else a quoted one."""
    return text if re.fullmatch(r"[A-Za-z_][\w./:*-]*", text) and text not in ("true", "false", "null") else _text(text)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
