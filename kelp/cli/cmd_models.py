# SPDX-License-Identifier: Apache-2.0
"""kelp models: what is registered, and which version counts."""

from typing import Annotated, Any

import typer

from kelp.cli.session import Session
from kelp.errors import NotFound


def models(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="one model's versions; all models if left out")] = None,
    json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """List models, or one model's versions."""
    session: Session = context.obj
    names = [name] if name else session.registry.models()
    rows: list[dict[str, Any]] = []
    for model in names:
        for version in session.registry.versions(model):
            rows.append(
                {
                    "model": model,
                    "version": version.number,
                    "aliases": list(version.aliases),
                    "result": version.manifest["result"],
                    "run": version.manifest["run"],
                    "snapshot": version.manifest.get("snapshot", ""),
                }
            )
    if name and not rows:
        raise NotFound("there is no such model", place=name, fix="kelp models lists them")
    if json:
        session.print_json(rows)
        return
    if not rows:
        session.out.print("no models yet; kelp run models/<name>.yaml trains one")
        return
    session.print_table(
        ("model", "version", "aliases", "gates", "run", "data"),
        [
            (r["model"], str(r["version"]), ", ".join(r["aliases"]), r["result"], r["run"], str(r["snapshot"])[:12])
            for r in rows
        ],
    )
