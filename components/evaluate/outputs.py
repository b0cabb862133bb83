# SPDX-License-Identifier: Apache-2.0
"""What Kubeflow Pipelines shows of an evaluation, as plain values: the wrapper hands them to kfp's artifacts.

kfp wants finite Python numbers (NaN kills the step after this one) and at most a few hundred points.
"""

from components.evaluate.document import Document

MOST_CLASSES = 30  # that a confusion matrix in the dashboard can show
MARKS = {"pass": "✔", "fail": "✘", "undecided": "?"}


def scalars(document: Document) -> dict[str, float]:
    """Return the candidate's metrics and their bounds, for `Metrics.log_metric`; undefined ones are left out."""
    found: dict[str, float] = {}
    for name, estimate in document["systems"]["candidate"]["metrics"].items():
        parts = {name: estimate["value"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
        found |= {key: value for key, value in parts.items() if value is not None}
    return found


def curves(document: Document) -> tuple[list[float], list[float], list[float]] | None:
    """Return (fpr, tpr, thresholds) for `ClassificationMetrics.log_roc_curve`; None unless the task is binary."""
    found = document["pictures"].get("roc")
    if found is None:
        return None
    roc = found["candidate"]
    return list(roc["x"]), list(roc["y"]), list(roc["thresholds"])


def confusion(document: Document) -> tuple[list[str], list[list[int]]] | None:
    """Return (categories, matrix) for `log_confusion_matrix`: rows are true; None without classes, or for over 30."""
    found = document["pictures"].get("confusion")
    if found is None or len(found["classes"]) > MOST_CLASSES:
        return None
    return list(found["classes"]), [list(row) for row in found["matrix"]]


def markdown(document: Document) -> str:
    """Return a summary: the result, the gates, the metrics."""
    lines = [f"## {_cell(document['model']['name'])}: {document['result']}", "", _cell(document["why"]), ""]
    lines += [f"- **Warning:** {_cell(text)}" for text in document["warnings"]] + [""] * bool(document["warnings"])
    if document["gates"]:
        lines += ["| | gate | evidence |", "|---|---|---|"]
        lines += [f"| {MARKS[g['result']]} | {_cell(g['gate'])} | {_cell(g['why'])} |" for g in document["gates"]]
        lines.append("")
    lines += ["| metric | estimate | low | high |", "|---|---|---|---|"]
    for name, estimate in document["systems"]["candidate"]["metrics"].items():
        numbers = " | ".join(_number(estimate[key]) for key in ("value", "low", "high"))
        lines.append(f"| {name} | {numbers} |")
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _cell(text: str) -> str:
    """Escape what Markdown or HTML would read as markup: names come from data."""
    for character, replacement in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;"), ("\n", " ")):
        text = text.replace(character, replacement)
    for character in "\\`*_[]":
        text = text.replace(character, f"\\{character}")
    return text
