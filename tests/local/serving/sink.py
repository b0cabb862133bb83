# SPDX-License-Identifier: Apache-2.0
"""A sink of the prediction log as a process of its own: `python -m tests.local.serving.sink PORT FILE`.

Every event of a batch becomes a line of the file before the batch is answered.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Stores batches."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Store one batch."""
        body = self.rfile.read(int(self.headers["content-length"]))
        is_batch = self.headers["content-type"] == "application/cloudevents-batch+json"
        if is_batch:
            with open(sys.argv[2], "a", encoding="utf-8") as file:
                file.write("".join(json.dumps(event) + "\n" for event in json.loads(body)))
        self.send_response(202 if is_batch else 415)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
