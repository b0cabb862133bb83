# SPDX-License-Identifier: Apache-2.0
"""The audit log: who did what to which model, kept so that nobody can change it unseen.

Every record is a leaf of a Merkle tree (RFC 9162); every commit signs the tree's root (C2SP checkpoint). Whoever
keeps one checkpoint can prove later, offline and with the public key alone, that nothing before it was changed,
removed or reordered. docs/audit-log.md is the format.

    with open_log(home, actor="alice") as log:
        log.append("run.start", "fraud", {"run": "r-7"})
        log.move_alias("fraud", "champion", expected=2, version=3)
        kept_elsewhere = log.checkpoint()
        bundle = prove(log, seq=0)                              # one record with its proof, to hand out
    report = verify(Path(".kelp/audit/audit.db"), vkey, against=kept_elsewhere)
    verify_proof(bundle, vkey)

`verify` is in `kelp.audit.verify`, `prove` and `verify_proof` in `kelp.audit.bundle`: importing this package loads no
cryptography and no HTTP.
"""

from kelp.audit.log import AuditLog, ConsistencyProof, Entry, InclusionProof, PublishAliases
from kelp.audit.opening import open_log
from kelp.audit.record import Record

__all__ = ["AuditLog", "ConsistencyProof", "Entry", "InclusionProof", "PublishAliases", "Record", "open_log"]
