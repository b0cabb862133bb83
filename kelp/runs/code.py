# SPDX-License-Identifier: Apache-2.0
"""Which code runs: a digest of our own sources, and the versions of the packages that shape a model."""

import functools
import hashlib
import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

_FOLDERS = ("kelp", "components")
_PACKAGES = (
    "kelp", "kfp", "numpy", "pyarrow", "duckdb", "ibis-framework", "scikit-learn", "xgboost", "torch", "optuna",
    "pyspark", "onnx", "onnxruntime", "onnxmltools", "onnxscript",
)  # fmt: skip


@functools.cache
def code_digest() -> str:
    """sha256 (hex) over path and content of every source file of kelp/ and components/.

    Every step waits for this, so it works on plain strings: pathlib takes three times as long.
    """
    root = str(Path(__file__).parents[2])
    total = hashlib.sha256()
    for path in sorted(_sources(root)):
        with open(path, "rb") as file:
            total.update(f"{hashlib.sha256(file.read()).hexdigest()}  {path[len(root) :]}\n".encode())
    return total.hexdigest()


def _sources(root: str) -> Iterator[str]:
    for name in _FOLDERS:
        for place, folders, files in os.walk(f"{root}/{name}"):
            folders[:] = [folder for folder in folders if folder != "__pycache__"]
            yield from (f"{place}/{file}" for file in files)


def package_versions() -> dict[str, str]:
    """Installed versions by package; a package that is not installed is left out."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
