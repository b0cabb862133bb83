# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path
from typing import Any

import pytest

from kelp.audit.bundle import prove, verify_proof
from kelp.audit.note import Signer
from kelp.errors import InputError, IntegrityError, NotFound
from tests.unit.kelp.audit.log_factory import ORIGIN, SEED, a_log, fill

VKEY = str(Signer(ORIGIN, SEED).verifier)


def a_bundle(folder: Path, seq: int = 3, records: int = 7) -> dict[str, Any]:
    with a_log(folder) as log:
        fill(log, records)
        bundle: dict[str, Any] = json.loads(json.dumps(prove(log, seq)))
    return bundle


@pytest.mark.parametrize("seq", range(7), ids="record-{}".format)
def test_every_record_is_proved_by_its_bundle_alone(tmp_path: Path, seq: int) -> None:
    record = verify_proof(a_bundle(tmp_path, seq), VKEY)
    assert (record.seq, record.subject) == (seq, f"run/{seq}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("seq", 2, id="seq"),
        pytest.param("time", "2025-01-01T00:00:03.000000Z", id="time"),
        pytest.param("actor", "mallory", id="actor"),
        pytest.param("action", "step.failed", id="action"),
        pytest.param("subject", "run/4", id="subject"),
        pytest.param("detail", {}, id="detail"),
    ],
)
def test_a_changed_record_is_not_proved(tmp_path: Path, field: str, value: object) -> None:
    bundle = a_bundle(tmp_path)
    bundle["record"][field] = value
    with pytest.raises(IntegrityError, match="is not in the log signed at size 7"):
        verify_proof(bundle, VKEY)


@pytest.mark.parametrize(
    "hashes",
    [
        pytest.param([], id="none"),
        pytest.param(["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="] * 3, id="false"),
    ],
)
def test_a_changed_proof_proves_nothing(tmp_path: Path, hashes: list[str]) -> None:
    with pytest.raises(IntegrityError):
        verify_proof({**a_bundle(tmp_path), "hashes": hashes}, VKEY)


def test_the_bundles_own_key_is_not_trusted(tmp_path: Path) -> None:
    forger = Signer(ORIGIN, bytes(32))
    bundle = a_bundle(tmp_path)
    text = bundle["checkpoint"].split("\n\n")[0] + "\n"
    forged = {**bundle, "checkpoint": forger.sign(text), "vkey": str(forger.verifier)}
    assert verify_proof(forged, str(forger.verifier)).seq == 3
    with pytest.raises(IntegrityError, match="bears no signature"):
        verify_proof(forged, VKEY)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"kind": "kelp.audit/proof/v2"}, id="later-version"),
        pytest.param({"extra": 1}, id="extra-field"),
        pytest.param({"hashes": ["***"]}, id="not-base64"),
        pytest.param({"hashes": ["AAAA"]}, id="short-hash"),
        pytest.param({"hashes": [1]}, id="number-as-hash"),
        pytest.param({"record": {}}, id="no-record"),
        pytest.param({"checkpoint": "nonsense"}, id="no-checkpoint"),
    ],
)
def test_what_is_no_bundle_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        verify_proof({**a_bundle(tmp_path), **change}, VKEY)


@pytest.mark.parametrize("bundle", [None, [], "text", 3], ids=repr)
def test_what_is_not_even_an_object_is_named(bundle: object) -> None:
    with pytest.raises(InputError, match="bundle"):
        verify_proof(bundle, VKEY)


@pytest.mark.parametrize("seq", [-1, 7, 10**20], ids=str)
def test_a_record_that_does_not_exist_has_no_bundle(tmp_path: Path, seq: int) -> None:
    with pytest.raises(NotFound):
        a_bundle(tmp_path, seq)
