# SPDX-License-Identifier: Apache-2.0
"""The one graph: ingest, prepare, train, evaluate, package, register; the same for every model and in both homes.

It is flat: a failed gate is a result, not a branch, and `register` keeps the version as rejected. Caching is off for
every step, because KFP's cache knows neither the rows behind a source, nor the champion of the day, nor our code.
"""

from collections.abc import Callable
from typing import Any

from kfp import dsl, kubernetes

from components import definitions
from kelp.errors import InputError
from kelp.spec import Model

HOME_CONFIG_MAP = "kelp-home"
HOME_FOLDER = "/etc/kelp"  # components.entry expects home.toml in it
KEYS_SECRET = "kelp-keys"
KEYS_FOLDER = "/etc/kelp-keys"

_GPU = "nvidia.com/gpu"
_SETTERS = {
    ("requests", "cpu"): "set_cpu_request",
    ("requests", "memory"): "set_memory_request",
    ("limits", "cpu"): "set_cpu_limit",
    ("limits", "memory"): "set_memory_limit",
}
_TOLERATION: dict[str, type | tuple[str, ...]] = {
    "key": str,
    "operator": ("Equal", "Exists"),
    "value": str,
    "effect": ("NoExecute", "NoSchedule", "PreferNoSchedule"),
    "tolerationSeconds": int,
}


def graph(model: Model) -> Any:
    """Build the pipeline of one model, a kfp GraphComponent; its parameters are what people see in the dashboard.

    Raises:
        InputError: `spec.train` asks for resources or tolerations that KFP cannot express.
    """
    text = spec_constant(model)
    run = dsl.PIPELINE_JOB_ID_PLACEHOLDER

    def lifecycle(reason: str = "manual", source: str = "", seed: int = model.spec.train.seed) -> None:
        """Train, judge and register one model.

        Args:
            reason: Why this run was started; goes into the version's manifest.
            source: Data to read instead of the spec's source, such as data://fraud/2026-08.parquet.
            seed: Of everything random in the training.
        """
        ingested = definitions.ingest(spec=text, run=run, source=source)
        snapshot = ingested.outputs["snapshot"]
        preparing = definitions.prepare(spec=text, run=run, snapshot=snapshot)
        prepared = preparing.outputs["prepared"]
        training = definitions.train(spec=text, run=run, seed=seed, prepared=prepared)
        so_far = {"snapshot": snapshot, "prepared": prepared, "trained": training.outputs["trained"]}
        judging = definitions.evaluate(spec=text, run=run, reason=reason, **so_far)
        evaluation = judging.outputs["evaluation"]
        packing = definitions.package(spec=text, run=run, reason=reason, **so_far, evaluation=evaluation)
        registering = definitions.register(spec=text, run=run, packaged=packing.outputs["packaged"])
        for task in (ingested, preparing, training, judging, packing, registering):
            _give_home(task)
        _place_training(training, model)

    purpose = " ".join((model.spec.purpose or f"Trains, judges and registers {model.name}.").split())
    # kfp takes a pipeline that is named like one of its own steps for that step: a model may be called "train"
    return dsl.pipeline(lifecycle, name=f"{model.name}-pipeline", description=purpose.replace("{{", "{ {"))


def spec_constant(model: Model) -> str:
    """The spec as every task gets it: canonical JSON in which no `{{` is left for KFP or Argo to replace."""
    return model.to_json().replace("{{", "{\\u007b")


def _give_home(task: Any) -> None:
    """Mount the home and its keys, and never reuse an earlier run's outputs; kfp.local ignores all of it."""
    task.set_caching_options(False)
    kubernetes.use_config_map_as_volume(task, HOME_CONFIG_MAP, HOME_FOLDER)
    kubernetes.use_secret_as_volume(task, KEYS_SECRET, KEYS_FOLDER)


def _place_training(task: Any, model: Model) -> None:
    """Give the training step its resources, nodes and tolerations."""
    train = model.spec.train
    for kind, quantities in (("requests", train.resources.requests), ("limits", train.resources.limits)):
        for resource, quantity in quantities.items():
            place = f"spec.train.resources.{kind}.{resource}"
            if resource == _GPU:
                _checked(place, lambda value: task.set_accelerator_type(_GPU).set_accelerator_limit(value), quantity)
            elif (kind, resource) in _SETTERS:
                _checked(place, getattr(task, _SETTERS[kind, resource]), quantity)
            else:
                raise InputError(f"expected cpu, memory or {_GPU}, got {resource}", place=place)
    for label, value in sorted(train.node_selector.items()):
        kubernetes.add_node_selector(task, label, value)
    for number, toleration in enumerate(train.tolerations):
        _tolerate(task, toleration, f"spec.train.tolerations[{number}]")


def _checked(place: str, setter: Callable[[str], Any], quantity: str) -> None:
    try:
        setter(quantity)
    except ValueError as error:
        raise InputError(f"KFP refuses {quantity!r}: {error}", place=place) from error


def _tolerate(task: Any, toleration: dict[str, Any], place: str) -> None:
    """Add one Kubernetes toleration; kfp itself checks none of it."""
    for field, value in toleration.items():
        allowed = _TOLERATION.get(field)
        if allowed is None:
            raise InputError(f"unknown field {field}", place=place, fix=f"the fields are {', '.join(_TOLERATION)}")
        if isinstance(allowed, tuple) and value not in allowed:
            raise InputError(f"expected {' or '.join(allowed)}, got {value!r}", place=f"{place}.{field}")
        if isinstance(allowed, type) and type(value) is not allowed:
            raise InputError(f"expected {allowed.__name__}, got {value!r}", place=f"{place}.{field}")
    names = {"tolerationSeconds": "toleration_seconds"}
    kubernetes.add_toleration(task, **{names.get(name, name): value for name, value in toleration.items()})
