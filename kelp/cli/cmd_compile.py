# SPDX-License-Identifier: Apache-2.0
"""kelp compile: pipelines as files, to commit, to review and to submit."""

from pathlib import Path
from typing import Annotated

import typer

from kelp.cli.session import Session


def compile_(  # noqa: PLR0913 (each is an option of the command)
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="specs, models/*.yaml")],
    out: Annotated[Path, typer.Option(help="folder of the compiled files")] = Path("compiled"),
    image: Annotated[str | None, typer.Option(help="kelp-components-python=registry/path@sha256:...")] = None,
    check: Annotated[bool, typer.Option("--check", help="write nothing; exit 1 with a diff when stale")] = False,
    as_: Annotated[str, typer.Option("--as", help="ir, or kubernetes: objects for kubectl apply")] = "ir",
    namespace: Annotated[str, typer.Option(help="of the objects")] = "",
) -> None:
    """Compile pipelines; the same spec gives the same bytes."""
    from kelp.spec import load_model, refuse_unbuilt
    from pipelines.compile import PLACEHOLDER, as_kubernetes, compile_model, dump, image_argument
    from pipelines.compile import check as diff_of

    session: Session = context.obj
    if as_ not in ("ir", "kubernetes"):
        raise typer.BadParameter(f"expected ir or kubernetes, got {as_}", param_hint="--as")
    chosen = image_argument(image) if image else PLACEHOLDER
    stale = []
    for file in files:
        model = load_model(file)
        refuse_unbuilt(model, str(file))
        target = out / f"{model.name}.yaml"
        if as_ == "kubernetes":
            print("---\n" + dump(as_kubernetes(model, chosen, namespace or session.home.kfp.namespace)), end="")
        elif check:
            stale.append(diff_of(model, target))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(compile_model(model, chosen), encoding="utf-8")
            session.out.print(f"wrote {target}", markup=False)
    differences = [diff for diff in stale if diff]
    if differences:
        print("".join(differences), end="")
        session.err.print(f"{len(differences)} stale; kelp compile writes what the specs compile to", markup=False)
        raise typer.Exit(1)
