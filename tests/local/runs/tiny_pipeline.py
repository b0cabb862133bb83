# SPDX-License-Identifier: Apache-2.0
"""The compiled pipeline of `tiny_steps`: `python tiny_pipeline.py OUTPUT` writes it."""

import functools
import sys
from collections.abc import Callable
from typing import Any

from kfp import compiler, dsl

component: Callable[[Callable[..., None]], Callable[..., Any]] = functools.partial(
    dsl.component, base_image="tiny-python", packages_to_install=[], install_kfp_package=False
)


@component
def make(value: str, control: str, made: dsl.Output[dsl.Dataset]) -> None:
    """Write the value."""
    import tiny_steps

    tiny_steps.make(value, control, made.path)


@component
def double(control: str, made: dsl.Input[dsl.Dataset], doubled: dsl.Output[dsl.Dataset]) -> None:
    """Write the value twice."""
    import tiny_steps

    tiny_steps.double(control, made.path, doubled.path)


def tiny(value: str, control: str) -> None:
    """Two steps.

    Args:
        value: What to double.
        control: A folder with orders for the steps.
    """
    making = make(value=value, control=control)
    doubling = double(control=control, made=making.outputs["made"])
    doubling.set_cpu_request("1")  # kfp.local warns that it ignores this; kelp does not pass the warning on


if __name__ == "__main__":
    compiler.Compiler().compile(dsl.pipeline(tiny, name="tiny"), sys.argv[1])
