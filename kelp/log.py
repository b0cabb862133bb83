# SPDX-License-Identifier: Apache-2.0
"""Logging for every kelp process: readable lines on a terminal, one JSON object a line elsewhere.

Modules take `logging.getLogger(__name__)`; only a rim (CLI, server, pipeline step) calls `configure`.
What must be kept goes to the audit log, not here.
"""

import json
import logging
import sys
import time
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
    """One JSON object a line: the context's fields, time (UTC), level, logger, message; ASCII, whatever the locale."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({**(_context.get() or {}), **line})


def configure(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send kelp's loggers to `stream` (stderr by default); the root logger is left alone."""
    target = stream if stream is not None else sys.stderr
    handler = logging.StreamHandler(target)
    is_terminal = target.isatty()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s") if is_terminal else JsonFormatter())
    for name in ("kelp", "components", "pipelines", "serving", "monitoring", "controller"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
