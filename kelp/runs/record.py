# SPDX-License-Identifier: Apache-2.0
"""What a run writes about itself: `run.json` of the whole, `steps/<step>.json` of each step."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kelp.errors import EnvironmentFault, IntegrityError
from kelp.runs.files import write_whole
from kelp.spec.types import camel

StepState = Literal["running", "done", "reused", "failed"]
RunState = Literal["created", "running", "succeeded", "failed", "interrupted"]
Parameter = Annotated[str | int | float | bool, Field(union_mode="smart")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=camel, populate_by_name=True)


class Failure(_Part):
    """Why a step, or the machinery around it, failed: the parts of the KelpError that was raised.

    `step` is empty when no step was running; `traceback` is empty for a KelpError, whose message is enough.
    """

    step: str
    type: str
    message: str
    place: str = ""
    fix: str = ""
    exit_code: int = 4
    traceback: str = ""


class StepRecord(_Part):
    """One step's latest attempt; `result` is what its function returned, as JSON values."""

    step: str
    state: StepState
    started: datetime
    finished: datetime | None = None
    result: dict[str, Any] = Field(default_factory=dict)
    error: Failure | None = None

    @property
    def seconds(self) -> float | None:
        """Wall time; None while it runs."""
        return None if self.finished is None else (self.finished - self.started).total_seconds()


class Attempt(_Part):
    """One start of the run; every one after the first is a resumption."""

    started: datetime
    finished: datetime | None = None
    state: RunState = "running"


class RunRecord(_Part):
    """The whole run: what was asked, with which code, and what came of it."""

    run: str
    model: str
    spec_digest: str
    code_digest: str
    packages: dict[str, str]
    reason: str
    parameters: dict[str, Parameter]
    created: datetime
    state: RunState = "created"
    attempts: tuple[Attempt, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    failure: Failure | None = None

    def step(self, name: str) -> StepRecord | None:
        """The record of one step, None if it never started."""
        return next((step for step in self.steps if step.step == name), None)


_Record = TypeVar("_Record", RunRecord, StepRecord)


def write_record(path: Path, record: RunRecord | StepRecord) -> None:
    """Replace a record's file atomically; a step's is progress, and not worth an fsync."""
    text = record.model_dump_json(by_alias=True, indent=1) + "\n"
    write_whole(path, text, durable=isinstance(record, RunRecord))


def read_record(kind: type[_Record], path: Path) -> _Record:
    """Read one record.

    Raises:
        EnvironmentFault: the file cannot be read.
        IntegrityError: it is not such a record.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise EnvironmentFault(f"cannot be read ({error.strerror})", place=str(path)) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise IntegrityError(
            f"is not a record of a run: {where}: {first['msg']}", place=str(path), fix="remove this run's folder"
        ) from error


def read_steps(run_dir: Path) -> tuple[StepRecord, ...]:
    """The records of all steps that started, in the order in which they did."""
    records = [read_record(StepRecord, path) for path in (run_dir / "steps").glob("[!.]*.json")]
    return tuple(sorted(records, key=lambda record: record.started))
