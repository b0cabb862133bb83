# SPDX-License-Identifier: Apache-2.0
"""The server that `kelp up` runs, as the other commands see it: `up.json` in the workspace."""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Up(BaseModel):
    """A running server: its process, its addresses over HTTP and gRPC, and the versions it serves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int = Field(ge=1, lt=2**31)
    address: str
    grpc: str = ""
    models: dict[str, int]


def write_up(workspace: Path, up: Up) -> Path:
    """Say that a server runs; the caller removes the file when it ends."""
    path = workspace / "up.json"
    temporary = path.with_name(f".up.json.{os.getpid()}")
    temporary.write_text(up.model_dump_json(indent=1))
    temporary.replace(path)
    return path


def read_up(workspace: Path) -> Up | None:
    """The running server, or None: no file, or its process is gone."""
    try:
        up = Up.model_validate_json((workspace / "up.json").read_bytes())
        os.kill(up.pid, 0)
    except (FileNotFoundError, ProcessLookupError, ValidationError):
        return None
    except PermissionError:  # alive, and somebody else's
        pass
    return up
