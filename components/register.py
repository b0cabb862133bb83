# SPDX-License-Identifier: Apache-2.0
"""register: sign the version directory, give it a number, keep it, and move the aliases it has earned.

Until rollouts exist, a version that passes its gates becomes champion at once; the log says so.
"""

import json
from pathlib import Path
from typing import Any

from kelp.home import SIGNING_KEY, Home
from kelp.registry import Registry
from kelp.registry.manifest import MANIFEST
from kelp.registry.signature import sign
from kelp.spec import Model

__all__ = ["register"]


def register(model: Model, home: Home, run_id: str, packaged: Path) -> dict[str, Any]:
    """Put `packaged` into the registry; a second call for the same run finishes what the first began.

    Returns:
        model, version, and status: champion; rejected; undecided (kept for an approval); or superseded, when a newer
        version became champion before this one could, as after a crash.

    Raises:
        IntegrityError: `packaged` is not what its manifest says, or the run registered something else before.
        Conflict: somebody else moved an alias in the meantime.
    """
    registry = Registry.open(home, f"run:{run_id}")
    with registry.log:
        sign(packaged, Path(home.keys) / SIGNING_KEY)
        version = registry.add(model.name, run_id, packaged)
        result = json.loads((packaged / MANIFEST).read_text(encoding="utf-8"))["result"]
        status = _status(result, version, registry.champion(model.name))
        if status == "champion":
            registry.move(model.name, "challenger", version, "passed its gates")
            registry.move(model.name, "champion", version, "promoted without a rollout")
        else:
            registry.close(model.name, version, status)
        return {"model": model.name, "version": version, "status": status}


def _status(result: str, version: int, champion: int | None) -> str:
    """What a version has earned; an alias never goes back to an older version by itself."""
    if result != "pass":
        return "rejected" if result == "fail" else "undecided"
    return "superseded" if champion is not None and champion > version else "champion"
