# SPDX-License-Identifier: Apache-2.0
"""One whole run of every step in a process of its own: `python -m tests.contract.reproducible_run ROOT CORES`.

ROOT has `data/<task>/` and `.kelp/keys/`; what the steps write goes to `ROOT/<task>/`. CORES limits this process.
"""

import os
import sys
from pathlib import Path


def main(root: Path, cores: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    from kelp.home import ensure_home, load_home
    from tests.unit.components.ingest.factories import Bench
    from tests.unit.components.package.pipeline import a_run, a_task_model

    home = load_home(ensure_home(root / ".kelp"))
    for task in ("binary", "multiclass", "regression"):
        model = a_task_model(task, source=f"data://{task}")
        a_run(Bench(root, home), model, task).package()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
