# SPDX-License-Identifier: Apache-2.0
import logging
from collections.abc import Sequence

import pytest

from kelp.audit.record import Record
from kelp.cli.watch import LOOKS, Watch

REQUESTS = 'kelp_requests_total{{model="{model}",version="{version}",code="200"}} {count}'
TIME = "2026-01-01T00:00:00.000000Z"
RECORDS = [
    Record(seq=seq, time=TIME, actor="user:a", action="model.load", subject="fraud/3", detail={"x": 1})
    for seq in (0, 1)
]


class Server:
    """What a server says: a count that grows by ten a look, or nothing."""

    def __init__(self) -> None:
        self.count = 0
        self.is_up = True

    def metrics(self) -> str:
        if not self.is_up:
            raise OSError("connection refused")
        self.count += 10
        canary = REQUESTS.format(model="fraud", version=4, count=1)
        of_no_model = REQUESTS.format(model="", version="", count=7)
        return "\n".join([REQUESTS.format(model="fraud", version=3, count=self.count), canary, of_no_model])


def records() -> Sequence[Record]:
    return RECORDS


def test_state_has_champions_without_requests_and_versions_that_are_no_champions() -> None:
    watch = Watch({"fraud": 3, "price": 1}, Server().metrics, records)
    watch.look(100)
    named = [(model["name"], model["version"], model["isChampion"]) for model in watch.state["models"]]
    assert named == [("fraud", "3", True), ("fraud", "4", False), ("price", "1", True)]
    assert watch.state["models"][2]["requests"] == 0
    assert watch.state["models"][0]["now"] is None


def test_rates_are_of_the_looks_so_far() -> None:
    watch = Watch({"fraud": 3}, Server().metrics, records)
    for now in (100, 102, 104):
        watch.look(now)
    fraud = watch.state["models"][0]
    assert fraud["now"]["requestsPerS"] == 5
    assert fraud["rates"] == [5, 5]
    assert fraud["requests"] == 30


def test_a_server_that_does_not_answer_is_said_and_the_record_still_shown() -> None:
    server = Server()
    watch = Watch({"fraud": 3}, server.metrics, records)
    watch.look(100)
    server.is_up = False
    watch.look(102)
    assert watch.state["isAnswering"] is False
    assert watch.state["models"][0]["requests"] == 10
    assert len(watch.state["records"]) == 2


def test_records_are_newest_first_and_without_their_detail() -> None:
    watch = Watch({}, Server().metrics, records)
    watch.look(1)
    assert [record["seq"] for record in watch.state["records"]] == [1, 0]
    assert set(watch.state["records"][0]) == {"seq", "time", "actor", "action", "subject"}


def test_only_one_minute_is_kept() -> None:
    watch = Watch({"fraud": 3}, Server().metrics, records)
    for look in range(100):
        watch.look(2 * look)
    assert len(watch.state["models"][0]["rates"]) == LOOKS - 1


def test_a_log_that_cannot_be_read_stops_neither_the_watch_nor_the_process(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Sequence[Record]:
        raise ValueError("the log is gone")

    with caplog.at_level(logging.ERROR), Watch({}, Server().metrics, broken):
        pass
    assert "the page could not be brought up to date" in caplog.text
