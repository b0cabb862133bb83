# SPDX-License-Identifier: Apache-2.0
"""The audit log under real processes: many writers, killed writers, a killed service."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from kelp.audit.schema import DATABASE
from kelp.audit.verify import verify
from kelp.errors import Conflict, Refused
from tests.contract.audit_server import (
    AUDITOR,
    IDENTITIES,
    ROLLOUT,
    TRAINER,
    AuditServer,
    running_audit_server,
    write_tokens,
)
from tests.local.audit_writers import open_folder


def start(command: str, folder: Path, name: str, argument: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.local.audit_writers", command, str(folder), name, str(argument)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> list[str]:
    """Wait for the process to end and return its lines, the last one only if it is whole."""
    output, _ = process.communicate(timeout=120)
    return [line.rstrip("\n") for line in output.splitlines(keepends=True) if line.endswith("\n")]


def subjects(folder: Path) -> list[str]:
    with open_folder(folder, "reader") as log:
        return [entry.record.subject for first in range(0, log.size(), 1000) for entry in log.entries(first, 1000)]


def vkey(folder: Path) -> str:
    return (folder / "vkey").read_text()


def test_of_four_processes_no_record_is_lost_and_the_log_is_sound(tmp_path: Path) -> None:
    writers = [start("append", tmp_path, f"writer-{number}", 50) for number in range(4)]
    acknowledged = [line for writer in writers for line in said(writer)]
    assert len(acknowledged) == 200
    assert sorted(subjects(tmp_path)) == sorted(acknowledged)
    report = verify(tmp_path / DATABASE, vkey(tmp_path), (tmp_path / "checkpoint").read_text())
    assert report.is_sound
    assert report.checkpoint == (tmp_path / "checkpoint").read_text()


def test_of_two_promoters_at_once_exactly_one_wins(tmp_path: Path) -> None:
    with open_folder(tmp_path, "first") as log:
        log.move_alias("fraud", "champion", expected=None, version=1)
    promoters = {version: start("promote", tmp_path, f"promoter-{version}", version) for version in (2, 3)}
    for promoter in promoters.values():
        assert promoter.stdout is not None
        assert promoter.stdout.readline() == "ready\n"
    for promoter in promoters.values():
        assert promoter.stdin is not None
        promoter.stdin.write("go\n")
        promoter.stdin.flush()
    outcomes = {version: said(promoter)[-1] for version, promoter in promoters.items()}
    assert sorted(outcomes.values()) == ["lost", "won"]
    (winner,) = (version for version, outcome in outcomes.items() if outcome == "won")
    with open_folder(tmp_path, "reader") as log:
        assert log.aliases("fraud") == {"champion": winner}
        assert log.size() == 2
    assert verify(tmp_path / DATABASE, vkey(tmp_path)).is_sound


def test_a_writer_killed_at_any_point_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for turn in range(8):
        writer = start("append_for_ever", tmp_path, f"turn-{turn}", 0)
        assert writer.stdout is not None
        lines = [writer.stdout.readline().strip() for _ in range(1 + turn * 5)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [*lines, *said(writer)]
        report = verify(tmp_path / DATABASE, vkey(tmp_path))
        assert report.is_sound, report.problems
    found = subjects(tmp_path)
    assert set(acknowledged) <= set(found)
    assert len([one for one in found if "/" in one]) <= len(acknowledged) + 8


def test_a_copy_of_the_aliases_lost_to_a_kill_is_written_at_the_next_opening(tmp_path: Path) -> None:
    killed = start("die_before_publishing", tmp_path, "promoter", 1)
    said(killed)
    assert killed.returncode == -signal.SIGKILL
    copies: dict[str, Mapping[str, int]] = {}
    with open_folder(tmp_path, "next", copies.__setitem__) as log:
        assert log.aliases("fraud") == {"champion": 1}
    assert copies == {"fraud": {"champion": 1}}
    assert verify(tmp_path / DATABASE, vkey(tmp_path)).is_sound


def test_a_killed_service_keeps_every_record_and_goes_on(tmp_path: Path) -> None:
    with running_audit_server(tmp_path) as server:
        with server.log() as log:
            acknowledged = [log.append("step.done", f"run/{number}").record for number in range(10)]
            kept = log.checkpoint()
        server.kill()
        server.start()
        with server.log() as log:
            assert [entry.record for entry in log.entries()] == acknowledged
            log.append("step.done", "run/10")
        server.stop()
    assert verify(server.folder / DATABASE, vkey(server.folder), kept).is_sound


class AnswerLost(httpx.HTTPTransport):
    """Delivers every request and loses the first answers."""

    def __init__(self, losses: int) -> None:
        super().__init__()
        self._losses = losses

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if self._losses:
            self._losses -= 1
            response.read()
            raise httpx.ReadError("the connection broke", request=request)
        return response


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditServer]:
    with running_audit_server(tmp_path_factory.mktemp("service")) as running:
        yield running


def test_a_retry_after_a_lost_answer_appends_and_moves_once(server: AuditServer) -> None:
    with server.log() as log:
        size = log.size()
    with server.log(transport=AnswerLost(1)) as log:
        log.append("run.start", "retried")
    with server.log(transport=AnswerLost(2)) as log:
        log.move_alias("retried", "champion", expected=None, version=1)
    with server.log() as log:
        assert [entry.record.subject for entry in log.entries(size)] == ["retried", "retried"]
        assert log.aliases("retried") == {"champion": 1}


def test_the_service_knows_the_actor_by_the_token(server: AuditServer) -> None:
    for token in (TRAINER, ROLLOUT):
        with server.log(token) as log:
            assert log.append("run.start", "fraud").record.actor == IDENTITIES[token][0]


def test_an_appenders_token_moves_no_alias(server: AuditServer) -> None:
    with server.log(TRAINER) as log:
        with pytest.raises(Refused, match="trainer may not move"):
            log.move_alias("fraud", "champion", expected=None, version=1)
        assert log.aliases("fraud") == {}


def test_an_auditors_token_reads_and_writes_nothing(server: AuditServer) -> None:
    with server.log(AUDITOR) as log:
        log.checkpoint()
        with pytest.raises(Refused, match="auditor may not append"):
            log.append("run.start", "fraud")


def test_two_identities_may_use_the_same_key(server: AuditServer) -> None:
    with server.log(TRAINER) as one, server.log(ROLLOUT) as other:
        assert one.append("run.start", "a", key="same").seq != other.append("run.start", "b", key="same").seq
        with pytest.raises(Conflict):
            one.append("run.start", "b", key="same")


def test_a_token_taken_out_of_the_file_counts_no_more(tmp_path: Path) -> None:
    with running_audit_server(tmp_path) as server, server.log(TRAINER) as log:
        log.append("run.start", "fraud")
        tokens = tmp_path / "keys" / "audit-tokens.json"
        write_tokens(tokens, {ROLLOUT: IDENTITIES[ROLLOUT]})
        with pytest.raises(Refused, match="a bearer token that this service knows"):
            log.append("run.start", "fraud")


def test_the_service_writes_the_registrys_copy_with_the_function_it_is_given(tmp_path: Path) -> None:
    option = "--publish-aliases=tests.local.audit_publisher:beside_the_log"
    with running_audit_server(tmp_path, option) as server, server.log() as log:
        log.move_alias("fraud", "champion", expected=None, version=4)
    assert (server.folder / "fraud.json").read_text() == '{"champion": 4}'
