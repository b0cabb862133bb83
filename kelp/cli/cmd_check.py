# SPDX-License-Identifier: Apache-2.0
"""kelp check: is a spec right, before anything runs."""

from pathlib import Path
from typing import Annotated

import typer

from kelp.cli.session import Session
from kelp.errors import InputError, SpecError


def check(
    context: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(help="specs, models/<name>.yaml")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="print the JSON Schema for editors instead")] = False,
) -> None:
    """Check specs; every problem of every file at once."""
    from kelp.spec import json_schema, load_model
    from kelp.spec.rules import not_built_yet

    session: Session = context.obj
    if schema:
        session.print_json(json_schema())
        return
    if not files:
        raise typer.BadParameter("name at least one file, or --schema")
    failures = []
    for path in files:
        try:
            model = load_model(path)
        except InputError as error:
            failures.append(str(error))
            continue
        waiting = not_built_yet(model)
        note = f" (not built yet, `kelp run` refuses it: {', '.join(waiting)})" if waiting else ""
        session.out.print(f"{path}: ok{note}", markup=False)
    if failures:
        raise SpecError("\n".join(failures))
