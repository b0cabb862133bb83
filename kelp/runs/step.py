# SPDX-License-Identifier: Apache-2.0
"""One step of a pipeline, the same on a laptop and on a cluster; called by `components.entry` and nobody else.

Around the step's own function it puts: outputs that appear whole or not at all, an entry in the audit log before and
after, and, where a run has a folder of its own (a laptop), a receipt that lets a resumed run skip the step, a record of
its progress, and the run's lock. Outputs are not fsynced: after a power cut their digests no longer match the receipt,
and the step runs again.
"""

import math
import shutil
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, Protocol

from kelp.errors import KelpError
from kelp.runs.files import partial_of, put_in_place
from kelp.runs.lock import shared
from kelp.runs.receipt import Receipt, describe_output, digest_of, folder_digest, reuse, write_receipt
from kelp.runs.record import Failure, StepRecord, write_record

Result = dict[str, Any]


class Record(Protocol):
    """The audit log, as far as a step needs it."""

    def __call__(self, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Append one event."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step is.

    `params` are the JSON values that, beside the inputs, decide the outputs. `work` gets existing, empty folders under
    the names of `outputs`, fills them, and returns JSON values.
    """

    name: str
    inputs: Mapping[str, Path]
    outputs: Mapping[str, Path]
    params: Mapping[str, Any]
    work: Callable[[Mapping[str, Path]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a step runs; `run_dir` is None on a cluster, where Kubeflow Pipelines keeps the run."""

    model: str
    spec_digest: str
    code_digest: str
    run_dir: Path | None
    record: Record
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class _Outcome:
    key: str
    state: Literal["done", "reused"]
    digests: dict[str, str]
    result: Result


def run_step(step: Step, around: Surroundings) -> Result:
    """Do the step's work, or reuse what an earlier attempt of this run did.

    Returns:
        What `work` returned, then or now, with every number that is not finite replaced by None.

    Raises:
        KelpError: whatever `work` raised; it is recorded first, and so is any other exception.
    """
    with nullcontext() if around.run_dir is None else shared(around.run_dir):
        started = around.now()
        _report(around, StepRecord(step=step.name, state="running", started=started))
        try:
            outcome = _reused(step, around) or _done(step, around)
        except Exception as error:  # the rim of a step: recorded, then raised on
            _record_failure(step, around, started, error)
            raise
        detail = {"key": outcome.key, "outputs": outcome.digests, "reused": outcome.state == "reused"}
        around.record("step.done", _subject(step, around), detail)
        finished = around.now()
        _report(
            around,
            StepRecord(step=step.name, state=outcome.state, started=started, finished=finished, result=outcome.result),
        )
        return outcome.result


def _reused(step: Step, around: Surroundings) -> _Outcome | None:
    if around.run_dir is None:
        return None
    key = _key(step, around)
    receipt = reuse(around.run_dir, step.name, key, step.outputs)
    if receipt is None:
        return None
    digests = {name: output.digest for name, output in receipt.outputs.items()}
    return _Outcome(key, "reused", digests, receipt.result)


def _done(step: Step, around: Surroundings) -> _Outcome:
    key = _key(step, around)
    around.record("step.start", _subject(step, around), {"key": key})
    result = json_values(_work(step))
    digests = {name: folder_digest(path) for name, path in step.outputs.items()}
    if around.run_dir is not None:
        run_dir = around.run_dir
        outputs = {name: describe_output(run_dir, path, digests[name]) for name, path in step.outputs.items()}
        write_receipt(run_dir, step.name, Receipt(key=key, outputs=outputs, result=result))
    return _Outcome(key, "done", digests, result)


def _key(step: Step, around: Surroundings) -> str:
    """What decides the step's outputs, as one digest."""
    return digest_of(
        {
            "step": step.name,
            "code": around.code_digest,
            "spec": around.spec_digest,
            "params": dict(step.params),
            "inputs": {name: folder_digest(path) for name, path in step.inputs.items()},
        }
    )


def _subject(step: Step, around: Surroundings) -> str:
    return f"{around.model}/{step.name}"


def _work(step: Step) -> Mapping[str, Any]:
    """Let the step fill partial folders, then make them the outputs."""
    partials = {name: partial_of(path) for name, path in step.outputs.items()}
    for partial in partials.values():
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    result = step.work(partials)
    for path in step.outputs.values():
        put_in_place(path)
    return result


def json_values(value: Any) -> Any:
    """The same value as plain JSON: None for NaN and the infinities, Python numbers for NumPy's."""
    if isinstance(value, str | bool | None):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(item) for item in value]
    raise TypeError(f"a step returned {type(value).__name__}, expected JSON values")


def _record_failure(step: Step, around: Surroundings, started: datetime, error: Exception) -> None:
    """Write the failure down; the audit log gets its kind only, for a message may quote the data."""
    failure = failure_of(step.name, error)
    _report(around, StepRecord(step=step.name, state="failed", started=started, finished=around.now(), error=failure))
    detail = {"error": failure.type, "exitCode": failure.exit_code}
    around.record("step.failed", _subject(step, around), detail)


def failure_of(step: str, error: Exception) -> Failure:
    """An exception as a value; the traceback only where the message alone does not explain it."""
    if isinstance(error, KelpError):
        # __str__ begins with the place, which has a field of its own here
        message = str(error).removeprefix(f"{error.place}: ") if error.place else str(error)
        return Failure(
            step=step,
            type=type(error).__name__,
            message=message,
            place=error.place,
            fix=error.fix,
            exit_code=error.exit_code,
        )
    text = "".join(traceback.format_exception(error))
    return Failure(step=step, type=type(error).__name__, message=str(error), traceback=text)


def _report(around: Surroundings, record: StepRecord) -> None:
    if around.run_dir is None:
        return
    (around.run_dir / "steps").mkdir(exist_ok=True)
    write_record(around.run_dir / "steps" / f"{record.step}.json", record)
