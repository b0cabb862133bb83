# SPDX-License-Identifier: Apache-2.0
"""Which code runs: a digest of our own sources, and the versions of the packages that shape a model."""

import functools
import hashlib
import platform
from importlib import metadata
from pathlib import Path

from kelp.parquet import file_digest

_FOLDERS = ("kelp", "components")
_PACKAGES = (
    "kelp", "kfp", "numpy", "pyarrow", "duckdb", "ibis-framework", "scikit-learn", "xgboost", "torch", "onnx",
    "onnxruntime", "onnxmltools",
)  # fmt: skip


@functools.cache
def code_digest() -> str:
    """sha256 (hex) over path and content of every source file of kelp/ and components/."""
    root = Path(__file__).parents[2]
    total = hashlib.sha256()
    for folder in _FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                total.update(f"{file_digest(path)}  {path.relative_to(root).as_posix()}\n".encode())
    return total.hexdigest()


def package_versions() -> dict[str, str]:
    """Installed versions by package; a package that is not installed is left out."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
