# SPDX-License-Identifier: Apache-2.0
"""KServe without its client of Kubernetes, which the package imports with whatever one takes from it.

That client is 700 modules, 45 MiB and a second of every start; a model server calls none of them.
"""

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType


def slim_kserve() -> None:
    """Let `kserve.model_server` and its like be imported alone: the package itself stays empty in this process."""
    if "kserve" in sys.modules:
        return
    spec: ModuleSpec | None = importlib.util.find_spec("kserve")
    if spec is None or spec.submodule_search_locations is None:
        return  # the import that follows says what is missing
    package = ModuleType("kserve")
    package.__spec__ = spec
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["kserve"] = package
