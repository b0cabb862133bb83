# SPDX-License-Identifier: Apache-2.0
"""The prediction log at a sink that refuses: what is dropped, what is not, and what is counted."""

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import numpy as np
import orjson
import pytest

from kelp.frame.online import Online
from kelp.frame.scorer import Scorer
from serving.runtime.answer import answer
from serving.runtime.endpoint import hot_endpoint
from serving.runtime.log import _BATCH_BYTES, PredictionLog
from serving.runtime.metrics import Metrics
from serving.runtime.record import Record
from serving.runtime.sink import Outcome, Sink
from tests.unit.serving.runtime.planes import AMOUNT, Doubling, a_model

MODEL = a_model(Online(Scorer(AMOUNT, Doubling())), Metrics("champion"))
LARGE = 30_000


def a_record(request_id: str, rows: int = 1) -> Record:
    """An answered request of one row, or of many that came transformed."""
    endpoint = hot_endpoint(b"/v2/models/price/infer")
    assert endpoint is not None
    name = "amount" if rows == 1 else "rows"
    shape = [1] if rows == 1 else [rows, 1]
    values = np.arange(rows, dtype=float).tolist()
    body = orjson.dumps({"inputs": [{"name": name, "datatype": "FP64", "shape": shape, "data": values}]})
    source: tuple[dict[bytes, bytes], bytes] = ({}, body)
    found = answer(MODEL.online, endpoint.read(*source))
    return Record(MODEL, endpoint.read, source, found, request_id, 1_700_000_000.0, 0.001, len(body))


class ASink(http.server.ThreadingHTTPServer):
    """Answers as it is told; remembers the requests of what it stored, and the size of each body."""

    daemon_threads = True

    def __init__(self, status: Callable[[bytes], int], *, is_hasty: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = status
        self.is_hasty = is_hasty
        self.is_open = threading.Event()
        self.is_open.set()
        self.stored: list[str] = []
        self.sizes: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/events"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ASink

    def do_POST(self) -> None:
        self.server.is_open.wait(30)
        size = int(self.headers["content-length"])
        if self.server.is_hasty and size > LARGE:
            self.wfile.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.close_connection = True
            return
        body = self.rfile.read(size)
        status = self.server.status(body)
        self.server.sizes.append(size)
        if status < 300:
            self.server.stored += [event["data"]["request_id"] for event in orjson.loads(body)]
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def a_sink(status: Callable[[bytes], int], *, is_hasty: bool = False) -> Iterator[ASink]:
    with ASink(status, is_hasty=is_hasty) as sink:
        thread = threading.Thread(target=sink.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield sink
        finally:
            sink.shutdown()
            thread.join()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.01)


def numbers(log: PredictionLog) -> dict[str, float]:
    return {metric.name: metric.samples[0].value for metric in log.collect()}


def put_behind_a_closed_sink(log: PredictionLog, sink: ASink, records: list[Record]) -> None:
    """One record goes alone; the others wait together while the sink holds its answer back."""
    sink.is_open.clear()
    log.put(a_record("first"))
    wait_until(lambda: len(log._queue) == 0)
    for record in records:
        log.put(record)
    assert numbers(log)["kelp_log_queue_events"] == len(records) + 1
    sink.is_open.set()


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(lambda body: len(body) > LARGE, id="413 of a large one"),
        pytest.param(lambda body: b'"bad' in body, id="another fault"),
    ],
)
def test_only_what_is_refused_itself_is_dropped(refused: Callable[[bytes], bool]) -> None:
    small = [a_record(f"small-{number}") for number in range(60)]
    large = [a_record(f"bad-{number}", rows=10_000) for number in range(2)]
    with a_sink(lambda body: 413 if refused(body) else 202) as sink:
        log = PredictionLog(sink.url, most=1_000, arm="champion")
        put_behind_a_closed_sink(log, sink, [*small[:30], large[0], *small[30:], large[1]])
        log.close(30)
    assert sink.stored == ["first", *(record.request_id for record in small)]
    assert numbers(log) == {"kelp_log_queue_events": 0, "kelp_log_dropped": 2, "kelp_log_sent": 61}


def test_an_event_that_would_make_a_batch_too_large_begins_the_next() -> None:
    large = [a_record(f"large-{number}", rows=400_000) for number in range(4)]
    with a_sink(lambda body: 202) as sink:
        log = PredictionLog(sink.url, most=1_000, arm="champion")
        put_behind_a_closed_sink(log, sink, [a_record("small"), *large, a_record("last")])
        log.close(30)
    assert sink.stored == ["first", "small", *(record.request_id for record in large), "last"]
    assert all(size < _BATCH_BYTES + 1_000 for size in sink.sizes)
    assert 3 <= len(sink.sizes) < 7
    assert numbers(log) == {"kelp_log_queue_events": 0, "kelp_log_dropped": 0, "kelp_log_sent": 7}


def test_an_address_that_takes_no_events_is_asked_once_a_batch() -> None:
    with a_sink(lambda body: 404) as sink:
        log = PredictionLog(sink.url, most=1_000, arm="champion")
        put_behind_a_closed_sink(log, sink, [a_record(str(number)) for number in range(20)])
        log.close(30)
    assert len(sink.sizes) == 2
    assert numbers(log) == {"kelp_log_queue_events": 0, "kelp_log_dropped": 21, "kelp_log_sent": 0}


def test_a_refusal_before_all_of_the_body_is_sent_is_a_refusal() -> None:
    with a_sink(lambda body: 202, is_hasty=True) as sink, closing(Sink(sink.url)) as client:
        outcomes = {client.post(b"[" + b" " * 64 * 2**20 + b"]") for _ in range(3)}
        assert outcomes <= {Outcome.REFUSED, Outcome.AWAY}  # the kernel may take the answer away with the connection
        assert client.post(b"[]") is Outcome.STORED


def test_an_unexpected_error_drops_its_batch_and_the_log_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    log = PredictionLog("http://127.0.0.1:1/événements", most=1_000, arm="champion")
    for wanted in (1, 2):
        log.put(a_record("r"))
        wait_until(lambda wanted=wanted: log.dropped == wanted)  # type: ignore[misc]  # mypy and default arguments
    log.close(5)
    assert numbers(log) == {"kelp_log_queue_events": 0, "kelp_log_dropped": 2, "kelp_log_sent": 0}
    assert "UnicodeEncodeError" in caplog.text
