# SPDX-License-Identifier: Apache-2.0
"""Where the prediction log goes: batches of events, posted over one kept-alive connection."""

import http.client
import logging
from enum import Enum
from urllib.parse import urlsplit

from kelp.events import BATCH_TYPE

_TIMEOUT_S = 5.0
_TRY_AGAIN = (408, 425, 429)
_WHATEVER_IS_SENT = (401, 404, 405, 410, 415)

logger = logging.getLogger(__name__)


class Outcome(Enum):
    """What became of a batch; the value completes "the sink ..."."""

    STORED = "stored them"
    AWAY = "is away"  # another try may help
    REFUSED = "refused them"  # for good; less of it may be taken
    CLOSED = "takes no events"  # for good, whatever is sent there


class Sink:
    """An address that stores events. Used by one thread."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._netloc = parts.netloc
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> Outcome:
        """Send one batch."""
        try:
            status = self._status_of(body)
        except (OSError, http.client.HTTPException) as error:
            logger.debug("the sink does not answer: %s", error)
            self.close()
            return Outcome.AWAY
        if 200 <= status < 300:
            return Outcome.STORED
        if status in _TRY_AGAIN or status >= 500:
            return Outcome.AWAY
        return Outcome.CLOSED if status < 400 or status in _WHATEVER_IS_SENT else Outcome.REFUSED

    def close(self) -> None:
        """End the connection; the next batch opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _status_of(self, body: bytes) -> int:
        if self._connection is None:
            self._connection = self._kind(self._netloc, timeout=_TIMEOUT_S)
        is_sent = True
        try:
            self._connection.request("POST", self._path, body, {"content-type": BATCH_TYPE})
        except (BrokenPipeError, ConnectionResetError):
            is_sent = False  # some refuse a large body before they have read it: their answer says so
        answer = self._connection.getresponse()
        answer.read()
        if not is_sent:
            self.close()
        return answer.status
