# SPDX-License-Identifier: Apache-2.0
"""What every `AuditLog` does: the one in a folder, and the audit service's over HTTP."""

import math
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from kelp.audit import AuditLog
from kelp.audit.bundle import prove, verify_proof
from kelp.audit.ledger import Ledger
from kelp.audit.note import open_checkpoint, parse_vkey
from kelp.audit.sqlite import LocalLog
from kelp.audit.tree import leaf_hash, verify_consistency, verify_inclusion
from kelp.errors import Conflict, InputError, NotFound, TooLarge
from tests.contract.audit_server import ROLLOUT, AuditServer, running_audit_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditServer]:
    with running_audit_server(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(params=["folder", "http"])
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditLog]:
    """A log of the actor `rollout`, which may hold records of other tests already."""
    if request.param == "folder":
        ledger = Ledger(tmp_path_factory.mktemp("log"), seed=bytes(32))
        with LocalLog(ledger, "rollout") as local:
            yield local
    else:
        with request.getfixturevalue("server").log(ROLLOUT) as remote:
            yield remote


@pytest.fixture
def model() -> str:
    """A model no other test knows."""
    return f"m-{uuid.uuid4().hex[:12]}"


def fill(log: AuditLog, records: int) -> None:
    for number in range(records):
        log.append("step.done", f"run/{number}")


def test_an_appended_record_has_the_next_seq_the_logs_actor_and_a_checkpoint_that_covers_it(log: AuditLog) -> None:
    size = log.size()
    entry = log.append("run.start", "fraud", {"run": "r-7", "share": 0.25, "steps": [1, None, "é"]})
    record = entry.record
    assert (entry.seq, record.actor, record.action, record.subject) == (size, "rollout", "run.start", "fraud")
    assert record.detail == {"run": "r-7", "share": 0.25, "steps": [1, None, "é"]}
    assert entry.checkpoint == log.checkpoint()
    assert log.size() == size + 1


def test_records_come_back_as_they_were_appended(log: AuditLog) -> None:
    start = log.size()
    appended = [log.append("step.done", "fraud", {"number": number, "share": 1.0}).record for number in range(5)]
    assert [entry.record for entry in log.entries(start)] == appended
    assert [entry.seq for entry in log.entries(start + 1, 2)] == [start + 1, start + 2]
    assert not log.entries(start + 5)


def test_the_same_key_appends_once(log: AuditLog, model: str) -> None:
    first = log.append("run.start", model, {"a": 1}, key=model)
    fill(log, 2)
    size = log.size()
    assert log.append("run.start", model, {"a": 1}, key=model) == first
    assert log.size() == size


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"detail": {"a": 2}}, id="detail"),
        pytest.param({"detail": {"a": True}}, id="true-is-not-one"),
        pytest.param({"action": "run.end"}, id="action"),
        pytest.param({"subject": "else"}, id="subject"),
    ],
)
def test_a_key_used_for_another_record_is_a_conflict(log: AuditLog, model: str, other: dict[str, Any]) -> None:
    first: dict[str, Any] = {"action": "run.start", "subject": model, "detail": {"a": 1}}
    log.append(**first, key=model)
    with pytest.raises(Conflict, match=f"the key {model} was used for another record"):
        log.append(**{**first, **other}, key=model)


def test_an_alias_moves_from_where_it_is_expected_and_the_move_is_a_record(log: AuditLog, model: str) -> None:
    log.move_alias(model, "champion", expected=None, version=1)
    entry = log.move_alias(model, "champion", expected=1, version=2, detail={"why": "canary passed"})
    assert log.aliases(model) == {"champion": 2}
    record = log.entries(entry.seq, 1)[0].record
    assert (record.action, record.subject, record.actor) == ("alias.move", model, "rollout")
    assert record.detail == {"alias": "champion", "from": 1, "to": 2, "why": "canary passed"}


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        pytest.param(None, "was expected at nothing, it is at 3", id="nothing"),
        pytest.param(2, "was expected at 2, it is at 3", id="another-version"),
    ],
)
def test_an_alias_elsewhere_is_a_conflict_that_says_where_and_changes_nothing(
    log: AuditLog, model: str, expected: int | None, message: str
) -> None:
    log.move_alias(model, "champion", expected=None, version=3)
    size = log.size()
    with pytest.raises(Conflict, match=message):
        log.move_alias(model, "champion", expected=expected, version=4)
    assert log.aliases(model) == {"champion": 3}
    assert log.size() == size


def test_an_alias_that_does_not_exist_is_a_conflict_for_who_expects_it(log: AuditLog, model: str) -> None:
    with pytest.raises(Conflict, match="was expected at 1, it is at nothing"):
        log.move_alias(model, "champion", expected=1, version=2)


def test_an_alias_can_be_removed(log: AuditLog, model: str) -> None:
    log.move_alias(model, "challenger", expected=None, version=1)
    log.move_alias(model, "latest", expected=None, version=1)
    log.move_alias(model, "challenger", expected=1, version=None)
    assert log.aliases(model) == {"latest": 1}


def test_a_repeated_move_under_one_key_moves_once(log: AuditLog, model: str) -> None:
    first = log.move_alias(model, "champion", expected=None, version=1, key=model)
    assert log.move_alias(model, "champion", expected=None, version=1, key=model) == first
    with pytest.raises(Conflict, match="used for another record"):
        log.move_alias(model, "champion", expected=1, version=2, key=model)


def test_models_do_not_share_aliases(log: AuditLog, model: str) -> None:
    log.move_alias(model, "champion", expected=None, version=1)
    log.move_alias(f"{model}-b", "champion", expected=None, version=7)
    assert log.aliases(model) == {"champion": 1}
    assert log.aliases(f"{model}-b") == {"champion": 7}
    assert log.aliases(f"{model}-c") == {}


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        pytest.param({"model": "Fraud"}, "model", id="capital-model"),
        pytest.param({"model": "a/b"}, "model", id="slash-in-model"),
        pytest.param({"model": ""}, "model", id="no-model"),
        pytest.param({"alias": "the champion"}, "alias", id="space-in-alias"),
        pytest.param({"alias": "x" * 64}, "alias", id="long-alias"),
        pytest.param({"version": 0}, "version", id="version-0"),
        pytest.param({"version": True}, "version", id="bool-version"),
        pytest.param({"version": 1.5}, "version", id="half-version"),
        pytest.param({"expected": -1}, "expected", id="negative-expected"),
        pytest.param({"version": None}, "nothing to move", id="nothing-to-nothing"),
        pytest.param({"detail": {"to": 3}}, "detail", id="reserved-name"),
        pytest.param({"key": ""}, "key", id="empty-key"),
        pytest.param({"key": "x" * 201}, "key", id="long-key"),
    ],
)
def test_a_wrong_move_is_refused_with_the_field(log: AuditLog, wrong: dict[str, Any], place: str) -> None:
    right: dict[str, Any] = {"model": "fraud", "alias": "champion", "expected": None, "version": 1}
    size = log.size()
    with pytest.raises(InputError, match=place):
        log.move_alias(**{**right, **wrong})
    assert log.size() == size


@pytest.mark.parametrize(
    ("wrong", "error", "place"),
    [
        pytest.param({"action": "start"}, InputError, "action", id="one-word-action"),
        pytest.param({"action": "alias.move"}, InputError, "alias.move cannot be appended", id="move-in-disguise"),
        pytest.param({"subject": ""}, InputError, "subject", id="no-subject"),
        pytest.param({"subject": None}, InputError, "subject", id="none-subject"),
        pytest.param({"detail": {"x": math.nan}}, InputError, "canonical JSON", id="nan"),
        pytest.param({"detail": {"x": 2**60}}, InputError, "canonical JSON", id="large-integer"),
        pytest.param({"detail": {"x": "\ud800"}}, InputError, "detail", id="lone-surrogate"),
        pytest.param({"detail": [1]}, InputError, "detail", id="list-as-detail"),
        pytest.param({"detail": {"x": "x" * 70_000}}, TooLarge, "65536", id="over-64-kib"),
        pytest.param({"detail": {"x": "x" * 400_000}}, TooLarge, "at most", id="far-over-64-kib"),
    ],
)
def test_a_wrong_record_is_refused_with_the_field(
    log: AuditLog, wrong: dict[str, Any], error: type[InputError], place: str
) -> None:
    size = log.size()
    with pytest.raises(error, match=place):
        log.append(**{"action": "run.start", "subject": "fraud", **wrong})
    assert log.size() == size


@pytest.mark.parametrize(
    "page",
    [
        pytest.param({"start": -1}, id="negative-start"),
        pytest.param({"start": 2**70}, id="huge-start"),
        pytest.param({"limit": 0}, id="nothing"),
        pytest.param({"limit": 1001}, id="too-many"),
    ],
)
def test_a_page_out_of_range_is_refused(log: AuditLog, page: dict[str, int]) -> None:
    with pytest.raises(InputError):
        log.entries(**page)


def test_aliases_of_what_can_be_no_model_are_refused(log: AuditLog) -> None:
    with pytest.raises(InputError, match="model"):
        log.aliases("../fraud")


def test_every_record_is_proved_to_be_in_the_log(log: AuditLog) -> None:
    fill(log, 7)
    verifier = parse_vkey(log.vkey())
    for seq in range(log.size()):
        proof = log.prove_inclusion(seq)
        checkpoint = open_checkpoint(proof.checkpoint, verifier)
        leaf = leaf_hash(log.entries(seq, 1)[0].record.to_bytes())
        assert verify_inclusion(leaf, seq, checkpoint.size, proof.hashes, checkpoint.root)


def test_every_later_checkpoint_is_proved_to_extend_the_earlier_ones(log: AuditLog) -> None:
    verifier = parse_vkey(log.vkey())
    kept = []
    for _ in range(6):
        kept.append(open_checkpoint(log.checkpoint(), verifier))
        fill(log, 1)
    for old in kept:
        proof = log.prove_consistency(old.size)
        new = open_checkpoint(proof.checkpoint, verifier)
        assert verify_consistency(old.size, new.size, old.root, new.root, proof.hashes)


def test_what_is_not_in_the_log_is_not_proved(log: AuditLog) -> None:
    for seq in (-1, log.size(), 10**17):
        with pytest.raises(NotFound):
            log.prove_inclusion(seq)
        with pytest.raises(NotFound):
            log.prove_consistency(seq + 1 if seq >= 0 else seq)


def test_a_bundle_proves_a_record_offline(log: AuditLog) -> None:
    record = log.append("gate.result", "fraud/3", {"result": "pass"}).record
    assert verify_proof(prove(log, record.seq), log.vkey()) == record
