# SPDX-License-Identifier: Apache-2.0
"""register: sign the version directory, give it a number, keep it, and move the aliases it has earned.

Until rollouts exist, a version that passes its gates becomes champion at once; the log says so.
"""

import json
from pathlib import Path
from typing import Any

from kelp.home import SIGNING_KEY, Home
from kelp.registry import Registry
from kelp.registry.signature import sign
from kelp.spec import Model

__all__ = ["register"]


def register(model: Model, home: Home, run_id: str, packaged: Path) -> dict[str, Any]:
    """Put `packaged` into the registry; a second call for the same run finishes what the first began.

    Returns:
        model, version, and status: champion, rejected, or undecided (kept for an approval).
    """
    registry = Registry.open(home, f"run:{run_id}")
    result = json.loads((packaged / "manifest.json").read_text())["result"]
    sign(packaged, Path(home.keys) / SIGNING_KEY)
    version = registry.add(model.name, run_id, packaged)
    if result != "pass":
        status = "rejected" if result == "fail" else "undecided"
        registry.close(model.name, version, status)
        return {"model": model.name, "version": version, "status": status}
    registry.move(model.name, "challenger", version, "passed its gates")
    registry.move(model.name, "champion", version, "promoted without a rollout")
    return {"model": model.name, "version": version, "status": "champion"}
