# SPDX-License-Identifier: Apache-2.0
"""kelp render: the same model as Kubernetes objects, on stdout."""

from pathlib import Path
from typing import Annotated

import typer

from kelp.cli.session import Session

_REGISTRY = "s3://kelp/registry"  # as in manifests/base/home/home.toml


def render(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="the spec, models/<name>.yaml")],
    image: Annotated[str | None, typer.Option(help="kelp-components-python=registry/path@sha256:...")] = None,
) -> None:
    """Print the Kubernetes objects of a model."""
    from controller.render import render as render_objects
    from kelp.spec import load_model
    from pipelines.compile import PLACEHOLDER, dump, image_argument

    session: Session = context.obj
    model = load_model(file)
    home = session.home
    if "://" not in home.registry:
        session.err.print(f"note: this home is a laptop's; {_REGISTRY} stands for the cluster's registry", markup=False)
        home = home.model_copy(update={"registry": _REGISTRY})
    objects = render_objects(model, home, image=image_argument(image) if image else PLACEHOLDER)
    print(dump(objects), end="")
