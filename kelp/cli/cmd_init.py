# SPDX-License-Identifier: Apache-2.0
"""kelp init: look at the data and write a commented spec that runs as it is."""

import re
from pathlib import Path
from typing import Annotated

import typer

from kelp.cli.session import Session
from kelp.errors import InputError


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
    from kelp.spec import load_model

    session: Session = context.obj
    source = _source(data, Path(session.home.data_root))
    model = name or _name(data)
    path = out or Path("models") / f"{model}.yaml"
    if path.exists() and not force:
        raise InputError("the file exists", place=str(path), fix="choose --out or --name, or --force to replace it")
    columns = profile(source, target, session.home)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(spec_text(model, source, target, columns), encoding="utf-8")
    load_model(path)  # what was written is right, or this says what is not
    session.out.print(f"wrote {path}: {columns[0].rows:,} rows, {len(columns)} columns", markup=False)
    session.out.print(f"next: kelp run {path}", markup=False)


def _source(data: str, data_root: Path) -> str:
    if "://" in data:
        return data
    path = Path(data).absolute()
    if path.is_relative_to(data_root):
        return f"data://{path.relative_to(data_root)}"
    return f"file://{path}"


def _name(data: str) -> str:
    """A model's name from a path: data/churn/*.csv and churn.csv are both churn."""
    path = Path(data.rsplit("://", maxsplit=1)[-1])
    stem = path.parent.name if any(sign in path.name for sign in "*?[") else path.name.split(".")[0]
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    name = name if name[:1].isalpha() else f"m-{name}".rstrip("-")
    return name[:40].rstrip("-")
