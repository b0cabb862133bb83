# SPDX-License-Identifier: Apache-2.0
"""kelp status: the workspace at a glance."""

from typing import Annotated, Any

import typer

from kelp.cli.session import Session


def status(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Show models, the latest run, the server and the audit log."""
    from kelp.cli.server import read_up
    from kelp.runs.runs import list_runs

    session: Session = context.obj
    registry = session.registry
    latest = next(iter(list_runs(session.home)), None)
    up = read_up(session.workspace)
    found: dict[str, Any] = {
        "workspace": str(session.workspace),
        "models": {name: registry.aliases(name) for name in registry.models()},
        "latestRun": {"run": latest.run, "state": latest.state} if latest else None,
        "server": up.address if up else None,
        "auditRecords": registry.log.size(),
    }
    if json:
        session.print_json(found)
        return
    lines = [f"workspace   {session.workspace}"]
    for name, aliases in found["models"].items():
        where = ", ".join(f"{alias} is version {number}" for alias, number in sorted(aliases.items()))
        lines.append(f"model       {name}: {where or 'no champion yet'}")
    lines += [] if found["models"] else ["model       none yet; kelp run models/<name>.yaml trains one"]
    lines.append(f"latest run  {f'{latest.run} ({latest.state})' if latest else 'none yet'}")
    lines.append(f"server      {up.address if up else 'not running; kelp up starts it'}")
    lines.append(f"audit log   {found['auditRecords']} records; kelp audit verify checks them")
    session.out.print("\n".join(lines), markup=False)
