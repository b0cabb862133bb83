# SPDX-License-Identifier: Apache-2.0
"""kelp explain: what moved each row's score, from the registered version itself; no server is asked."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kelp.cli.cmd_predict import read_input
from kelp.cli.instances import instances_from_text
from kelp.cli.session import Session
from kelp.errors import NotFound

if TYPE_CHECKING:
    from kelp.frame.contributions import Contribution
    from kelp.frame.online import Online

_BAR = 16  # characters to each side
_LEFT_OUT = 0.005  # of the largest contribution: smaller ones share a line


def explain(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="the model")],
    input_: Annotated[str, typer.Option("--input", help="raw rows: a .json or .csv file, or - for JSON on stdin")],
    version: Annotated[int | None, typer.Option(help="the champion if left out")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="explain only the first rows")] = None,
    is_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Say what each column contributed to a row's score."""
    from kelp.frame.contributions import Explainer
    from kelp.frame.online import Online
    from kelp.frame.rows import columns_from_instances
    from kelp.home import PSEUDONYM_KEY, SIGNING_PUBLIC_KEY
    from kelp.registry.signature import verify
    from serving.explain import explanation

    session: Session = context.obj
    keys = Path(session.home.keys)
    text = read_input(input_)
    with tempfile.TemporaryDirectory(prefix="kelp-explain-") as scratch:
        folder = session.registry.fetch(name, _version(session, name, version), Path(scratch) / "version")
        verify(folder, keys / SIGNING_PUBLIC_KEY)
        key = keys / PSEUDONYM_KEY
        online = Online.load(folder, key.read_bytes() if key.is_file() else None)
        explainer = Explainer.load(folder, online.scorer)
    transform = online.scorer.transform
    types: dict[str, str] = {column.name: column.type for column in (*transform.columns, *transform.window_columns)}
    instances = instances_from_text(text, input_, types)[:limit]
    columns = online.complete(columns_from_instances(transform, instances))
    found = explainer.explain(transform.apply(columns))
    if is_json:
        session.print_json({"explanations": [explanation(row) for row in found]})
        return
    log_odds = {"margin": "log-odds"} if transform.task == "binary" else {}
    for number, row in enumerate(found):
        values = {column: _value(online, column, columns[column][number]) for column in row.columns}
        _print(session, f"row {number + 1}", row, values, log_odds.get(row.scale, row.scale))


def _version(session: Session, name: str, version: int | None) -> int:
    number = version if version is not None else session.registry.champion(name)
    if number is None:
        known = ", ".join(session.registry.models()) or "none yet"
        raise NotFound(f"no version of {name!r} is champion", fix=f"give --version; known models: {known}")
    return number


def _print(session: Session, title: str, row: "Contribution", values: dict[str, str], scale: str) -> None:
    """A line of result, then one line a column; what hardly moved the score shares a line."""
    of = f" of {row.class_name}" if row.class_name else ""
    session.out.print(f"{title}: score{of} {row.score:.6g}", style="bold", markup=False)
    largest = max(map(abs, row.columns.values())) or 1.0
    ranked = sorted(row.columns, key=lambda name: (-abs(row.columns[name]), name))
    shown = [name for name in ranked if abs(row.columns[name]) >= _LEFT_OUT * largest]
    rest = sum(row.columns[name] for name in ranked[len(shown) :])
    lines = [["on average", "", f"{row.base:.4g}", ""]]
    lines += [[name, values[name], _signed(row, name), _bar(row.columns[name] / largest)] for name in shown]
    if len(shown) < len(ranked):
        lines.append([f"{len(ranked) - len(shown)} others", "", f"{rest:+.4g}", ""])
    lines.append(["together", "", f"{row.total:.4g}", ""])
    session.print_table(["column", "value", f"moves the {scale} by", ""], lines)
    session.out.print()


def _signed(row: "Contribution", name: str) -> str:
    error = f" ± {2 * row.errors[name]:.2g}" if row.errors is not None else ""
    return f"{row.columns[name]:+.4g}{error}"


def _bar(share: float) -> str:
    """A bar from the middle: to the left for what lowers the score, to the right for what raises it."""
    length = max(1, round(abs(share) * _BAR))
    return ("█" * length).rjust(_BAR) + "│" if share < 0 else " " * _BAR + "│" + "█" * length


def _value(online: "Online", column: str, value: Any) -> str:
    """The cell that the score was computed from, as a person reads it."""
    transform = online.scorer.transform
    kinds = {declared.name: declared.type for declared in (*transform.columns, *transform.window_columns)}
    if column in transform.private:
        return "private"
    if value is None or value != value:
        return "missing"
    if kinds[column] == "timestamp":
        return datetime.fromtimestamp(float(value), UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
    if kinds[column] == "bool":
        return str(bool(value)).lower()
    return f"{value:.10g}" if isinstance(value, float) else str(value)[:40]
