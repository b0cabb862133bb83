# SPDX-License-Identifier: Apache-2.0
"""A process that can be killed: `python start.py RUN_DIR HOME_FILE` runs one run and prints its state."""

import sys
from pathlib import Path

from kelp.runs.local import run_local

if __name__ == "__main__":
    record = run_local(Path(sys.argv[1]), home_file=Path(sys.argv[2]), on_event=lambda _: None)
    sys.stdout.write(record.state)
