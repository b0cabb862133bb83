# SPDX-License-Identifier: Apache-2.0
"""Folders of runs as `kelp run` leaves them, made up: records, receipts and the files that steps write."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kelp.runs.receipt import Receipt, describe_output, write_receipt
from kelp.runs.record import Attempt, Failure, RunRecord, RunState, StepRecord, write_record

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
OUTPUTS = {
    "ingest": ("snapshot", "ingest.json"),
    "prepare": ("prepared", "prepare.json"),
    "train": ("trained", "train.json"),
    "evaluate": ("evaluation", "evaluation.json"),
    "package": ("packaged", "manifest.json"),
    "register": ("registered", "manifest.json"),
}


@dataclass
class MadeUp:
    """What a run is to look like; `until` is its last finished step, empty if there is none."""

    run: str = "fraud-20260801-120000-beef"
    model: str = "fraud"
    minutes: int = 0
    state: RunState = "succeeded"
    reason: str = "manual"
    until: str = "register"
    seed: int = 7
    version: int = 1
    pr_auc: float = 0.6
    params: dict[str, Any] = field(default_factory=lambda: {"max_depth": 6, "seed": 7})
    files: dict[str, Any] = field(default_factory=dict)
    gates: tuple[str, ...] = ("pr_auc at least 0.5",)
    failure: Failure | None = None
    search: dict[str, Any] | None = None

    def write(self, runs: Path) -> Path:
        """Make the folder below `runs`."""
        run_dir = runs / self.run
        created = NOON + timedelta(minutes=self.minutes)
        (run_dir / "steps").mkdir(parents=True)
        steps = []
        results = self.results()
        finished = list(results)[: list(results).index(self.until) + 1] if self.until else []
        for step in finished:
            result = results[step]
            steps.append(
                StepRecord(
                    step=step, state="done", started=created, finished=created + timedelta(seconds=2), result=result
                )
            )
            self._write_step(run_dir, step, result)
        record = RunRecord(
            run=self.run,
            model=self.model,
            spec_digest="5" * 64,
            code_digest="c" * 64,
            packages={"python": "3.11.7"},
            reason=self.reason,
            parameters={"seed": self.seed, "source": "", "reason": self.reason},
            created=created,
            state=self.state,
            attempts=(Attempt(started=created, finished=created + timedelta(seconds=90), state=self.state),),
            steps=tuple(steps),
            failure=self.failure,
        )
        write_record(run_dir / "run.json", record)
        return run_dir

    def results(self) -> dict[str, dict[str, Any]]:
        """What each step returned."""
        estimate = {"value": self.pr_auc, "low": self.pr_auc - 0.1, "high": self.pr_auc + 0.1, "reason": ""}
        gates = [{"gate": gate, "result": "pass"} for gate in self.gates]
        packaged = {"files": {"model.onnx": hashlib.sha256(b"onnx").hexdigest()}, "run": self.run, "result": "pass"}
        return {
            "ingest": {"source": "data://fraud", "digest": "d" * 64, "rows": 100},
            "prepare": {"digest": "e" * 64},
            "train": {"params": self.params, "seed": self.seed, "rounds": 200},
            "evaluate": {"result": "pass", "scalars": {"pr_auc": self.pr_auc, "pr_auc_low": self.pr_auc - 0.1}},
            "package": {
                **packaged,
                "gates": gates,
                "metrics": {"pr_auc": estimate, "brier": {**estimate, "value": 0.1}},
            },
            "register": {"model": self.model, "version": self.version, "status": "champion"},
        }

    def _write_step(self, run_dir: Path, step: str, result: dict[str, Any]) -> None:
        output, name = OUTPUTS[step]
        folder = run_dir / "tasks" / "attempt-1" / step / output
        folder.mkdir(parents=True)
        (folder / name).write_text(json.dumps({**result, **self.files.get(step, {})}))
        if step == "ingest":
            (folder / "data.parquet").write_bytes(b"rows")
        if step == "package":
            (folder / "model.onnx").write_bytes(b"onnx")
        if step == "train" and self.search is not None:
            (folder / "search.json").write_text(json.dumps(self.search))
        receipt = Receipt(key="k", outputs={output: describe_output(run_dir, folder, "0")}, result=result)
        write_receipt(run_dir, step, receipt)
        record = StepRecord(step=step, state="done", started=NOON, finished=NOON, result=result)
        write_record(run_dir / "steps" / f"{step}.json", record)
