# SPDX-License-Identifier: Apache-2.0
"""`AuditLog` over a folder: a `Ledger` and the one actor it writes for."""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from kelp.audit import rows
from kelp.audit.ledger import Ledger
from kelp.audit.log import AliasMove, ConsistencyProof, Entry, Event, InclusionProof, check_model, check_page
from kelp.audit.record import Detail, validated
from kelp.audit.tree import consistency_proof, inclusion_proof
from kelp.errors import NotFound


class LocalLog:
    """The log in a folder, written by `actor`."""

    def __init__(self, ledger: Ledger, actor: str) -> None:
        self.ledger = ledger
        self._actor = actor

    def append(self, action: str, subject: str, detail: Detail | None = None, *, key: str | None = None) -> Entry:
        """Add one durable record; see `AuditLog.append`."""
        event = {"action": action, "subject": subject, "detail": {} if detail is None else detail, "key": key}
        return self.append_many([validated(Event, event)])[0]

    def append_many(self, events: Iterable[Event]) -> list[Entry]:
        """Add several records under one signature and one sync to disk; all or none."""
        return self.ledger.append(self._actor, list(events))

    def move_alias(
        self,
        model: str,
        alias: str,
        *,
        expected: int | None,
        version: int | None,
        detail: Detail | None = None,
        key: str | None = None,
    ) -> Entry:
        """Compare and set one alias; see `AuditLog.move_alias`."""
        move = {"model": model, "alias": alias, "expected": expected, "version": version}
        return self.ledger.move(
            self._actor, validated(AliasMove, {**move, "detail": {} if detail is None else detail, "key": key})
        )

    def aliases(self, model: str) -> dict[str, int]:
        """Return where the aliases of `model` stand."""
        check_model(model)
        with self.ledger.reading() as database:
            return rows.aliases(database, model)

    def entries(self, start: int = 0, limit: int = 100) -> Sequence[Entry]:
        """Return a page of entries; see `AuditLog.entries`."""
        check_page(start, limit)
        with self.ledger.reading() as database:
            return [Entry(record) for record in rows.records(database, start, limit)]

    def size(self) -> int:
        """Return the number of records."""
        with self.ledger.reading() as database:
            return rows.latest_checkpoint(database)[0]

    def checkpoint(self) -> str:
        """Return the latest signed checkpoint."""
        with self.ledger.reading() as database:
            return rows.latest_checkpoint(database)[1]

    def vkey(self) -> str:
        """Return the log's public key."""
        return str(self.ledger.signer.verifier)

    def prove_inclusion(self, seq: int) -> InclusionProof:
        """Prove that record `seq` is in the log; see `AuditLog.prove_inclusion`."""
        with self.ledger.reading() as database:
            size, note = rows.latest_checkpoint(database)
            if not 0 <= seq < size:
                raise NotFound(f"there is no record {seq}", fix=f"the log holds {size} records, counted from 0")
            return InclusionProof(seq, inclusion_proof(rows.node_reader(database), seq, size), note)

    def prove_consistency(self, old_size: int) -> ConsistencyProof:
        """Prove that the log only grew since `old_size`; see `AuditLog.prove_consistency`."""
        with self.ledger.reading() as database:
            size, note = rows.latest_checkpoint(database)
            if not 0 <= old_size <= size:
                raise NotFound(f"the log was never of size {old_size}", fix=f"it holds {size} records")
            return ConsistencyProof(old_size, consistency_proof(rows.node_reader(database), old_size, size), note)

    def close(self) -> None:
        """Close the ledger."""
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
