# SPDX-License-Identifier: Apache-2.0
"""From a model to its compiled pipeline: equal models give equal bytes, in any process.

kfp's own file depends on the process when a default is a dict, and folds sources into unreadable strings; here the
parsed documents are written again with sorted keys and literal blocks, so that a change can be reviewed as a diff.
"""

import difflib
import hashlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from components.definitions import IMAGE
from kelp.errors import InputError
from kelp.spec import Model

PLACEHOLDER = IMAGE

_BY_DIGEST = re.compile(r"^[a-z0-9][a-z0-9._/:-]*@sha256:[0-9a-f]{64}$")


def compile_model(model: Model, image: str = PLACEHOLDER) -> str:
    """Compile a model's pipeline to YAML: the pipeline document, then the Kubernetes one.

    Args:
        model: decides the spec constant, the training step's resources and the default seed.
        image: of every step; by digest, or the placeholder for a file that is committed or run on this machine.

    Raises:
        InputError: the image is named by a tag, which can move; or `spec.train` asks for what KFP cannot express.
    """
    if image != PLACEHOLDER and not _BY_DIGEST.match(image):
        raise InputError(
            f"expected an image by digest, got {image!r}",
            place="image",
            fix="name=registry/path@sha256:<64 hexadecimal digits>; a tag can move after the review",
        )
    return dump([_with_image(document, image) for document in _documents(model)])


def image_argument(text: str) -> str:
    """The image in a command line's `kelp-components-python=registry/path@sha256:...`.

    Raises:
        InputError: it names another placeholder, or has no image.
    """
    name, _, image = text.partition("=")
    if name != PLACEHOLDER or not image:
        raise InputError(f"expected {PLACEHOLDER}=registry/path@sha256:..., got {text!r}", place="--image")
    return image


def check(model: Model, committed: Path) -> str:
    """The unified diff from a committed file to what the model compiles to now; "" if they are equal."""
    before = committed.read_text(encoding="utf-8") if committed.exists() else ""
    diff = difflib.unified_diff(
        before.splitlines(keepends=True),
        compile_model(model).splitlines(keepends=True),
        fromfile=str(committed),
        tofile=f"{committed} (compiled now)",
    )
    return "".join(diff)


def as_kubernetes(model: Model, image: str, namespace: str) -> list[dict[str, Any]]:
    """The pipeline as objects for `kubectl apply --server-side`: a Pipeline and one PipelineVersion.

    A PipelineVersion's spec never changes once applied, so its name carries the content's digest: another content is
    another version. The Pipeline comes first; the server refuses a version without it.
    """
    text = compile_model(model, image)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    pipeline, *platform = yaml.safe_load_all(text)
    labels = {**model.metadata.labels, "app.kubernetes.io/managed-by": "kelp", "kelp.dev/model": model.name}
    version_spec = {"pipelineName": model.name, "displayName": digest, "pipelineSpec": pipeline}
    if platform:
        version_spec["platformSpec"] = platform[0]
    pipeline_spec = {"displayName": model.name, "description": pipeline["pipelineInfo"]["description"]}
    return [
        _object("Pipeline", model.name, namespace, labels, pipeline_spec),
        _object("PipelineVersion", f"{model.name}-{digest}", namespace, labels, version_spec),
    ]


def dump(documents: list[dict[str, Any]]) -> str:
    """YAML with sorted keys; text of several lines stands as a literal block."""
    text: str = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=2**16)
    return text


def _object(kind: str, name: str, namespace: str, labels: dict[str, str], spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": spec,
    }


def _documents(model: Model) -> Iterator[dict[str, Any]]:
    from kfp.compiler import Compiler

    from pipelines.graph import graph

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        Compiler().compile(graph(model), str(path))
        yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))


def _with_image(document: dict[str, Any], image: str) -> dict[str, Any]:
    executors = document.get("deploymentSpec", {}).get("executors", {})
    for executor in executors.values():
        executor["container"]["image"] = image
    return document


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML ships no types
    """SafeDumper that keeps lines as lines and never writes an anchor."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
