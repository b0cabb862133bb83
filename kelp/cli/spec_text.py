# SPDX-License-Identifier: Apache-2.0
"""From a profile of the data to a commented spec: pure, values in and YAML text out."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kelp.cli.yaml_words import key, quoted, word

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
_REGRESSION_FROM = 21  # distinct whole numbers
_METRIC = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "r2"}


def task_of(target: "ColumnProfile") -> str:
    """The task a target suggests: two labels, several, or a number (a fraction, or one of many whole numbers)."""
    if target.distinct == 2:
        return "binary"
    is_number = target.type == "float" or (target.type == "int" and target.distinct >= _REGRESSION_FROM)
    return "regression" if is_number else "multiclass"


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
    lines = [
        "# Written by `kelp init` from a profile of the data; each field left out has a default (kelp check --schema).",
        "apiVersion: kelp.dev/v1alpha1",
        "kind: Model",
        f"metadata: {{name: {word(name)}}}",
        "spec:",
        '  owner: ""                       # who answers for this model',
        '  purpose: ""                     # one sentence; goes into the model card',
        f"  task: {task}",
        "  data:",
        f"    source: {word(source)}",
        f"    target: {word(target)}",
    ]
    if task == "binary":
        lines.append(f"    positive: {quoted(_positive(by_name[target]))}   # the label that counts as positive")
    lines += _roles([column for column in columns if column.name != target and not _is_personal(column)])
    lines += ["    columns:                        # a contract; delete a line to have the column inferred instead"]
    lines += [f"      {key(column.name, '      ')}: {_column(column, column.name == target)}" for column in columns]
    metric = _METRIC[task]
    lines += [
        "  train: {seed: 7}                  # xgboost, with its params under `params:`",
        "  gates:                            # each decided on a 95% confidence bound",
        f"    - {{metric: {metric}, notWorseThan: champion, by: 0.05}}",
        f"    # - {{metric: {metric}, atLeast: 0.7}}   # what is good enough? say it here",
    ]
    return "\n".join(lines) + "\n"


def _roles(columns: Sequence["ColumnProfile"]) -> list[str]:
    time, entity = _time(columns), _entity(columns)
    id_ = _id([column for column in columns if column.name not in (time, entity)])
    found = (
        ("id", id_, "different in every row"),
        ("time", time, "the newest rows are the test part"),
        ("entity", entity, "never in both parts"),
    )
    return [f"    {role}: {word(column)}   # {why}" for role, column, why in found if column is not None]


def _time(columns: Sequence["ColumnProfile"]) -> str | None:
    """The first complete column of times with a telling name and enough different values to split by."""
    found = (
        c
        for c in columns
        if c.type == "timestamp" and c.missing == 0 and c.distinct > 10 and _TIME.search(_snake(c.name))
    )
    return next((column.name for column in found), None)


def _entity(columns: Sequence["ColumnProfile"]) -> str | None:
    found = (c for c in columns if _ENTITY.match(_snake(c.name)) and c.missing == 0 and 10 < c.distinct < c.rows)
    return next((column.name for column in found), None)


def _id(columns: Sequence["ColumnProfile"]) -> str | None:
    found = (c for c in columns if _ID.search(_snake(c.name)) and c.missing == 0 and c.distinct == c.rows > 1)
    return next((column.name for column in found), None)


def _positive(target: "ColumnProfile") -> str:
    """The label most likely meant: a word for yes, else the last in order."""
    yes = [label for label in target.labels if label.lower() in ("1", "true", "yes", "y", "t", "positive")]
    return yes[0] if yes else target.labels[-1]


def _column(column: "ColumnProfile", is_target: bool) -> str:
    parts = [f"type: {column.type}"]
    comments = []
    if is_target:
        comments.append("the target")
    elif _is_personal(column):
        parts.append("privacy: drop")
        comments.append("looks personal")
    elif column.missing == column.rows:
        parts.append("feature: false")
    elif column.type == "string":
        comments.append(f"{column.distinct} different texts: not learnt from")
    elif column.distinct == column.rows and _ID.search(_snake(column.name)):
        parts.append("feature: false")
        comments.append("different in every row")
    if column.missing:
        comments.append(f"{column.missing / column.rows:.1%} missing")
    text = "{" + ", ".join(parts) + "}"
    return f"{text}   # {'; '.join(comments)}" if comments else text


def _is_personal(column: "ColumnProfile") -> bool:
    return _PERSONAL.search(_snake(column.name)) is not None


def _snake(name: str) -> str:
    """`Customer ID`, `customerId` and `customer-id` are all customer_id."""
    return re.sub(r"[\W_]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)).strip("_").lower()
