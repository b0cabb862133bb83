# SPDX-License-Identifier: Apache-2.0
"""Tells the audit log which versions this server has loaded and which it has refused; answers never wait for it.

An LRU loads a model again and again: the first load of each version is recorded, and each refusal once a reason.
"""

import logging
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from kelp.errors import KelpError
from serving.source import Source

if TYPE_CHECKING:
    from kelp.audit import AuditLog

_ACTOR = "model-server"
_PAUSES_S = (0.5, 2.0, 10.0, 30.0)

logger = logging.getLogger(__name__)


class LoadAudit:
    """A queue of records and the thread that appends them; without a home, nowhere."""

    def __init__(self, home: Path | None) -> None:
        self._home = home
        self._queue: SimpleQueue[tuple[str, str, dict[str, str]] | None] = SimpleQueue()
        self._said: set[tuple[str, ...]] = set()
        self._log: AuditLog | None = None  # of the thread
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        if home is not None:
            self._thread.start()

    def loaded(self, source: Source) -> None:
        """Record that a version was checked and loaded."""
        self._say("model.load", source, {})

    def refused(self, source: Source, error: KelpError) -> None:
        """Record that a version was not loaded, and why."""
        self._say("model.refuse", source, {"error": type(error).__name__, "reason": str(error)[:2000]})

    def close(self, seconds: float) -> None:
        """Append what is left, for as long as this."""
        if self._home is None:
            return
        self._is_closing.set()
        self._queue.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            logger.error("the audit log did not take all records within %g s; they are in this log", seconds)

    def _say(self, action: str, source: Source, detail: dict[str, str]) -> None:
        subject = f"{source.name}/{source.version}"
        key = (action, subject, *detail.values())
        if self._home is None or key in self._said:
            return
        self._said.add(key)
        self._queue.put((action, subject, detail))

    def _run(self) -> None:
        while (record := self._queue.get()) is not None:
            try:
                self._append(*record)
            except Exception:  # the rim of this thread: without it, later records would wait for ever
                logger.exception("the audit log has no record %s %s %s", *record)
        if self._log is not None:
            self._log.close()

    def _append(self, action: str, subject: str, detail: dict[str, str]) -> None:
        for pause in (*_PAUSES_S, None):
            try:
                self._log = self._log if self._log is not None else self._opened()
                self._log.append(action, subject, {**detail})
                return
            except KelpError as error:
                if pause is None or self._is_closing.is_set() or not error.retryable:
                    logger.error("the audit log has no record %s %s %s: %s", action, subject, detail, error)
                    return
                self._is_closing.wait(pause)

    def _opened(self) -> "AuditLog":
        from kelp.audit import open_log
        from kelp.home import load_home

        assert self._home is not None
        return open_log(load_home(self._home), _ACTOR)
