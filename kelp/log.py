# SPDX-License-Identifier: Apache-2.0
"""Logging for every kelp process: readable lines on a terminal, one JSON object a line elsewhere.

Modules take `logging.getLogger(__name__)`; only a rim (CLI, server, pipeline step) calls `configure`.
What must be kept goes to the audit log, not here.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

_context: ContextVar[dict[str, str] | None] = ContextVar("kelp_log_context", default=None)


@contextmanager
def context(**fields: str) -> Iterator[None]:
    """Add fields (run, model, version, step) to every log line written inside the block."""
    token = _context.set({**(_context.get() or {}), **fields})
    try:
        yield
    finally:
        _context.reset(token)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then the context's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{record.msecs:03.0f}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **(_context.get() or {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send kelp's loggers to `stream` (stderr by default); the root logger is left alone."""
    target = stream if stream is not None else sys.stderr
    handler = logging.StreamHandler(target)
    is_terminal = target.isatty()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s") if is_terminal else JsonFormatter())
    for name in ("kelp", "components", "pipelines", "serving", "controller"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
