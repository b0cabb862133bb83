# SPDX-License-Identifier: Apache-2.0
"""kelp export: one version as files that serve anywhere, or as an OCI image layout."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from kelp.cli.session import Session
from kelp.errors import InputError, NotFound


def export(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="the model's name")],
    to: Annotated[Path, typer.Option("--to", help="a folder that does not exist yet, or a file ending in .tar")],
    version: Annotated[int | None, typer.Option(help="the champion if left out")] = None,
    oci: Annotated[bool, typer.Option("--oci", help="an OCI image layout with the files under /models")] = False,
) -> None:
    """Write a version as files that need no registry, network or Kubernetes."""
    from kelp.registry.oci import tar_of, write_image

    session: Session = context.obj
    if to.exists():
        raise InputError("it exists", place=str(to), fix="name one that does not")
    number = version if version is not None else session.registry.champion(name)
    if number is None:
        known = ", ".join(session.registry.models()) or "none yet"
        raise NotFound("no version is champion", place=name, fix=f"give --version; known models: {known}")
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{to.name}.", dir=to.parent) as scratch:
        files = session.registry.fetch(name, number, Path(scratch) / "files")
        digest = ""
        if oci:
            annotations = {
                "org.opencontainers.image.title": name,
                "org.opencontainers.image.version": str(number),
                "dev.kelp.manifest": _digest(files),
            }
            (Path(scratch) / "image").mkdir()
            image = Path(scratch) / "image"
            digest = write_image(files, image, reference=f"{name}:{number}", annotations=annotations)
            files = image
        if to.suffix == ".tar":
            whole = Path(scratch) / "whole.tar"
            whole.write_bytes(tar_of(files, ".") if oci else tar_of(files, f"{name}-{number}"))
            whole.replace(to)
        else:
            shutil.move(files, to)
    session.out.print(f"wrote {name} version {number} to {to}", markup=False)
    if digest:
        session.out.print(f"image {digest}: push it with skopeo copy oci:{to} docker://...", markup=False)
    elif to.suffix != ".tar":
        serve = f"python -m serving.runtime --model-name {name} --version {number} --model-dir {to}"
        session.out.print(f"serve it anywhere kelp[serving] is installed: {serve}", markup=False)


def _digest(folder: Path) -> str:
    from kelp.parquet import file_digest
    from kelp.registry.manifest import MANIFEST

    return f"sha256:{file_digest(folder / MANIFEST)}"
