# SPDX-License-Identifier: Apache-2.0
"""The process that runs one compiled pipeline through kfp.local: `python -m kelp.runs.child RUN_DIR`.

Started by `kelp.runs.local` and nobody else. It exists because kfp.local keeps its settings in a global, replaces
`builtins.print` and the root logger's handlers, and prints everything to stdout: none of that may happen in a process
that has anything else to do. It dies with whoever started it, and takes its steps along.
"""

import os
import signal
import sys
import threading
import warnings
from pathlib import Path

from kelp.runs.lock import shared
from kelp.runs.record import RunRecord, read_record


def main(run_dir: Path) -> int:
    """Run the pipeline of `run_dir` with its recorded parameters; 0 if every step succeeded."""
    _die_with_parent()
    with shared(run_dir):
        return _run(run_dir, read_record(RunRecord, run_dir / "run.json"))


def _run(run_dir: Path, record: RunRecord) -> int:
    # kfp.local pastes sys.executable, unquoted, over every "python3" of a step's command, parameter values included: a
    # path with a space breaks every step. A plain "python3" changes nothing; PATH begins with the right folder.
    sys.executable = "python3"
    from kfp import components, local

    warnings.filterwarnings("ignore", message="Task .* have no effect in the current local runner")
    # no workspace_root: kfp.local removes that folder after the run, even one it was given
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(run_dir / "tasks"), raise_on_error=True)
    pipeline = components.load_component_from_file(str(run_dir / "pipeline.yaml"))
    try:
        pipeline(**record.parameters)
    except RuntimeError as error:
        if "finished with status" not in str(error):
            raise
        print(error)  # a step failed; its own error is in the log above
        return 1
    return 0


def _die_with_parent() -> None:
    """Kill this whole process group once the other end of stdin closes, which even `kill -9` of the parent does."""
    watched = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # no step may read from, or keep, the pipe
    os.close(nothing)

    def watch() -> None:
        while os.read(watched, 1):
            continue
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
