# SPDX-License-Identifier: Apache-2.0
"""kelp compare: two runs or versions side by side, and which one is better on the same rows."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from kelp.cli.session import Session

_COLOURS = {"better": "green", "worse": "red", "even": "", "": ""}


def compare(
    context: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="a run's id, or its beginning; or model@1, model@champion")],
    b: Annotated[str, typer.Argument(metavar="B", help="the same; differences are those of B against A")],
    all_: Annotated[bool, typer.Option("--all", help="also what is equal")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="write it as a page, with the curves")] = None,
    json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Compare two runs or versions: parameters, data, code, metrics."""
    from kelp.cli import comparison
    from kelp.cli.pairing import pair
    from kelp.cli.sides import find_side

    session: Session = context.obj
    with tempfile.TemporaryDirectory() as scratch:
        sides = find_side(session, a, Path(scratch) / "a"), find_side(session, b, Path(scratch) / "b")
        document = comparison.compare(*sides, pair(*sides), is_all=all_)
    if html is not None:
        from kelp.cli.comparison_page import comparison_page

        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(comparison_page(document, sides[0].evaluation, sides[1].evaluation), encoding="utf-8")
    if json:
        session.print_json(document)
    elif html is not None:
        print(html)
    else:
        _print(session, document)


def _print(session: Session, document: Mapping[str, Any]) -> None:
    from kelp.cli.comparison import verdict, words

    for letter in ("a", "b"):
        about = document[letter]
        named = f", run {about['run']}" if about["run"] != about["name"] else ""
        session.out.print(f"{letter.upper()}  {about['name']}{named}", markup=False)
    session.out.print()
    session.print_table(("", "", "A", "B"), [_digest_row(row) for row in document["digests"]])
    for kind in ("params", "spec", "packages"):
        if document[kind]:
            session.out.print()
            rows = [(row["name"], _cell(row["a"]), _cell(row["b"])) for row in document[kind]]
            session.print_table((kind, "A", "B"), rows)
    session.out.print()
    names = ("metric", "A", "B", *(("B against A",) if document["isPaired"] else ()))
    rows = []
    for row in document["metrics"]:
        paired = Text(words(row["better"]), style=_COLOURS[verdict(row["better"])])
        rows.append(
            (row["name"], _estimate(row["a"]), _estimate(row["b"]), *((paired,) if document["isPaired"] else ()))
        )
    session.print_table(names, rows)
    session.out.print()
    session.out.print(_note(document), markup=False)


def _note(document: Mapping[str, Any]) -> str:
    if document["isPaired"]:
        return f"paired: both scored the same {document['rows']:,} held-out rows"
    return f"not paired: {document['reason']}; the intervals are of each alone, and do not say which one is better"


def _digest_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    word = {True: "equal", False: "different", None: "unknown"}[row["isEqual"]]
    return row["name"], word, *("–" if digest is None else digest[:12] for digest in (row["a"], row["b"]))


def _estimate(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None or estimate["value"] is None:
        return "–"
    interval = "" if estimate["low"] is None else f" ({estimate['low']:.4g} to {estimate['high']:.4g})"
    return f"{estimate['value']:.4g}{interval}"


def _cell(value: object) -> str:
    return "–" if value is None else str(value)
