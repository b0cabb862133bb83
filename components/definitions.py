# SPDX-License-Identifier: Apache-2.0
"""The steps as KFP components: their interfaces, and one call each into `components.entry`.

KFP copies these functions' sources into the compiled pipeline, so they see nothing of this module but their own bodies;
the container image (on a laptop: this environment) brings the code they call. KFP also evaluates the annotations: never
add `from __future__ import annotations` here.
"""

import functools
from collections.abc import Callable
from typing import Any

from kfp import dsl

# Replaced by a digest in `pipelines.compile`. kfp.local warns about images without "python" in their name.
IMAGE = "kelp-components-python"

component: Callable[[Callable[..., None]], Callable[..., Any]] = functools.partial(
    dsl.component, base_image=IMAGE, packages_to_install=[], install_kfp_package=False
)


@component
def ingest(spec: str, run: str, source: str, snapshot: dsl.Output[dsl.Dataset]) -> None:
    """Read the source into an immutable snapshot and check it against the columns' contract."""
    from components import entry

    snapshot.metadata.update(entry.ingest(spec, run, source, snapshot.path))


@component
def prepare(spec: str, run: str, snapshot: dsl.Input[dsl.Dataset], prepared: dsl.Output[dsl.Dataset]) -> None:
    """Apply privacy rules, derive features, split, and fit the transform on the training part."""
    from components import entry

    prepared.metadata.update(entry.prepare(spec, run, snapshot.path, prepared.path))


@component
def train(spec: str, run: str, seed: int, prepared: dsl.Input[dsl.Dataset], trained: dsl.Output[dsl.Model]) -> None:
    """Fit the model on the training part, reproducibly."""
    from components import entry

    trained.metadata.update(entry.train(spec, run, seed, prepared.path, trained.path))


@component
def evaluate(  # noqa: PLR0913 (KFP reads a step's interface from its parameters)
    spec: str,
    run: str,
    reason: str,
    snapshot: dsl.Input[dsl.Dataset],
    prepared: dsl.Input[dsl.Dataset],
    trained: dsl.Input[dsl.Model],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    curves: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Markdown],
) -> None:
    """Judge the model on held-out rows, beside the champion, and decide every gate."""
    from components import dashboard, entry

    steps = {"snapshot": snapshot.path, "prepared": prepared.path, "trained": trained.path}
    found = entry.evaluate(spec, run, reason, steps, evaluation.path)
    dashboard.show(found, evaluation.path, metrics, curves, report.path, summary.path)


@component
def package(  # noqa: PLR0913
    spec: str,
    run: str,
    reason: str,
    snapshot: dsl.Input[dsl.Dataset],
    prepared: dsl.Input[dsl.Dataset],
    trained: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    packaged: dsl.Output[dsl.Model],
) -> None:
    """Export to ONNX, check it against the trained model, and write the version directory."""
    from components import entry

    steps = {
        "snapshot": snapshot.path,
        "prepared": prepared.path,
        "trained": trained.path,
        "evaluation": evaluation.path,
    }
    packaged.metadata.update(entry.package(spec, run, reason, steps, packaged.path))


@component
def register(spec: str, run: str, packaged: dsl.Input[dsl.Model], registered: dsl.Output[dsl.Model]) -> None:
    """Sign the version directory, keep it in the registry, and move the aliases it has earned."""
    from components import entry

    registered.metadata.update(entry.register(spec, run, packaged.path, registered.path))
