# SPDX-License-Identifier: Apache-2.0
"""One record with all that proves it, as a JSON value to hand out: it needs neither the log nor the network.

{"kind": "kelp.audit/proof/v1", "record": {...}, "hashes": ["base64", ...], "checkpoint": "...", "vkey": "..."}
"""

import base64
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from kelp.audit.log import AuditLog
from kelp.audit.note import open_checkpoint, parse_vkey
from kelp.audit.record import Record, validated
from kelp.audit.tree import leaf_hash, verify_inclusion
from kelp.audit.wire import Hash
from kelp.errors import IntegrityError

_KIND: Literal["kelp.audit/proof/v1"] = "kelp.audit/proof/v1"


class _Bundle(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["kelp.audit/proof/v1"]
    record: Record
    hashes: list[Hash] = Field(max_length=64)
    checkpoint: str
    vkey: str


def prove(log: AuditLog, seq: int) -> dict[str, JsonValue]:
    """Return the bundle for record `seq`.

    Raises:
        NotFound: there is no such record.
    """
    proof = log.prove_inclusion(seq)
    record = log.entries(start=seq, limit=1)[0].record
    return {
        "kind": _KIND,
        "record": record.model_dump(),
        "hashes": [base64.b64encode(one).decode() for one in proof.hashes],
        "checkpoint": proof.checkpoint,
        "vkey": log.vkey(),
    }


def verify_proof(bundle: object, trusted_vkey: str) -> Record:
    """Return the bundle's record if the holder of `trusted_vkey` signed a log that contains it.

    Args:
        bundle: what `prove` returned, parsed from JSON.
        trusted_vkey: the log's public key from a source that is trusted; the bundle's own proves nothing.

    Raises:
        InputError: the bundle is not one, or the vkey is not one.
        IntegrityError: the record is not in the log that was signed.
    """
    verifier = parse_vkey(trusted_vkey)
    checked = validated(_Bundle, bundle, place="bundle")
    checkpoint = open_checkpoint(checked.checkpoint, verifier)
    record = checked.record
    leaf = leaf_hash(record.to_bytes())
    if not verify_inclusion(leaf, record.seq, checkpoint.size, checked.hashes, checkpoint.root):
        raise IntegrityError(
            f"record {record.seq} is not in the log signed at size {checkpoint.size}: it was changed, or its proof",
            place="bundle",
            fix="ask the log's owner for the proof again",
        )
    return record
