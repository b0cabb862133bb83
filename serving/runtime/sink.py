# SPDX-License-Identifier: Apache-2.0
"""Where the prediction log goes: batches of events, posted over one kept-alive connection."""

import http.client
import logging
from urllib.parse import urlsplit

from kelp.events import BATCH_TYPE

_TIMEOUT_S = 5.0
_TRY_AGAIN = (408, 425, 429)

logger = logging.getLogger(__name__)


class Sink:
    """An address that stores events. Used by one thread."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._netloc = parts.netloc
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> bool | None:
        """Send one batch: true if it was stored, false if it was refused for good, None if another try may help."""
        try:
            if self._connection is None:
                self._connection = self._kind(self._netloc, timeout=_TIMEOUT_S)
            self._connection.request("POST", self._path, body, {"content-type": BATCH_TYPE})
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            logger.debug("the sink does not answer: %s", error)
            self.close()
            return None
        if answer.status in _TRY_AGAIN or answer.status >= 500:
            return None
        return 200 <= answer.status < 300

    def close(self) -> None:
        """End the connection; the next batch opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
