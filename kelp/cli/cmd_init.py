# SPDX-License-Identifier: Apache-2.0
"""kelp init: look at the data and write a commented spec that runs as it is."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kelp.cli.session import Session
from kelp.errors import InputError

if TYPE_CHECKING:
    from components.ingest.profile import ColumnProfile


def init(
    context: typer.Context,
    data: Annotated[str, typer.Argument(help="a file, folder or quoted glob; Parquet or CSV")],
    target: Annotated[str, typer.Option(help="the column to predict")],
    name: Annotated[str | None, typer.Option(help="the model's name; from the data's name if left out")] = None,
    out: Annotated[Path | None, typer.Option(help="models/<name>.yaml if left out")] = None,
    force: Annotated[bool, typer.Option("--force", help="replace an existing file")] = False,
) -> None:
    """Write a spec from a profile of the data."""
    from components.ingest.profile import profile
    from kelp.cli.spec_text import spec_text
    from kelp.spec import model_from_values
    from kelp.spec.yaml import parse

    session: Session = context.obj
    source = _source(data, Path(session.home.data_root))
    model = name or _name(data)
    path = out or Path("models") / f"{model}.yaml"
    if path.exists() and not force:
        raise InputError("the file exists", place=str(path), fix="choose --out or --name, or --force to replace it")
    columns = profile(source, target, session.home)
    _refuse_target(next(column for column in columns if column.name == target), source)
    content = spec_text(model, source, target, columns).encode()
    model_from_values(parse(content, str(path)), str(path))  # only what is right is written
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    temporary.replace(path)
    session.out.print(f"wrote {path}: {columns[0].rows:,} rows, {len(columns)} columns", markup=False)
    session.out.print(f"next: kelp run {path}", markup=False)


def _refuse_target(target: "ColumnProfile", source: str) -> None:
    if target.distinct < 2:
        found = f"{target.distinct} in {target.rows:,} rows"
        raise InputError(f"expected two or more different values of {target.name!r}, found {found}", place=source)
    if target.type in ("string", "timestamp"):
        found = f"{target.distinct:,} different {'texts' if target.type == 'string' else 'times'}"
        raise InputError(f"expected labels or numbers in {target.name!r}, found {found}", place=source)


def _source(data: str, data_root: Path) -> str:
    if "://" in data:
        return data
    path = Path(data).resolve()
    if path.is_relative_to(data_root):
        return f"data://{path.relative_to(data_root)}"
    return f"file://{path}"


def _name(data: str) -> str:
    """A model's name from a path: data/churn/*.csv and churn.csv are both churn."""
    path = Path(data.rsplit("://", maxsplit=1)[-1] if "://" in data else Path(data).resolve())
    stem = path.parent.name if any(sign in path.name for sign in "*?[") else path.name.split(".")[0]
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    name = name if name[:1].isalpha() else f"m-{name}".rstrip("-")
    return name[:40].rstrip("-")
