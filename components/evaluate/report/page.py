# SPDX-License-Identifier: Apache-2.0
"""The report's page: the result first, then the evidence, then where it all comes from."""

from importlib.resources import files

from components.evaluate.document import Document
from components.evaluate.report.behaviour import behaviour_section
from components.evaluate.report.evidence import gates_section, metrics_section, warnings_section
from components.evaluate.report.markup import Html, join, tag
from components.evaluate.report.origin import data_section, lineage_section, model_section
from components.evaluate.report.parts import groups_section, slices_section
from components.evaluate.report.table import RESULTS


def render(document: Document) -> str:
    """Return the page; equal documents give equal text.

    Args:
        document: the content of evaluation.json.
    """
    name = document["model"]["name"]
    head = tag(
        "head",
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        # Nothing is fetched and no script runs, even if markup from data slipped through.
        Html("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"),
        tag("title", f"{name}: {document['result']}"),
        tag("style", Html(files("components.evaluate.report").joinpath("report.css").read_text(encoding="utf-8"))),
    )
    sections = (
        warnings_section(document),
        gates_section(document),
        metrics_section(document),
        behaviour_section(document),
        groups_section(document),
        slices_section(document),
        data_section(document),
        model_section(document),
        lineage_section(document),
    )
    body = tag("body", _header(document), tag("main", *sections))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _header(document: Document) -> Html:
    model, result = document["model"], document["result"]
    mark, word = RESULTS[result]
    about = [part for part in (model["task"], model["owner"] and f"owned by {model['owner']}") if part]
    return tag(
        "header",
        tag("p", join("Evaluation of ", tag("b", model["name"])), class_="name"),
        tag("h1", tag("span", mark, class_="mark", aria_hidden="true"), " ", word, class_=f"result {result}"),
        tag("p", document["why"], class_="why"),
        tag("p", model["purpose"], class_="quiet") if model["purpose"] else None,
        tag("p", " · ".join(about), class_="quiet"),
    )
