# SPDX-License-Identifier: Apache-2.0
"""Log lines: JSON for machines, plain for a terminal, with the fields of the context."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from kelp import log

NAMES = ("kelp", "components", "pipelines", "serving", "monitoring", "controller")


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    kept = {name: (found := logging.getLogger(name), found.handlers, found.level, found.propagate) for name in NAMES}
    yield
    for found, handlers, level, propagate in kept.values():
        found.handlers, found.propagate = handlers, propagate
        found.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_its_context() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    with log.context(run="r-1"), log.context(step="train"):
        logging.getLogger("components.train").info('a "quoted"\nline of %s: é', "text")
    logging.getLogger("kelp").warning("outside")
    first, second = lines(stream)
    assert first["message"] == 'a "quoted"\nline of text: é'
    assert (first["run"], first["step"], first["level"], first["logger"]) == (
        "r-1",
        "train",
        "info",
        "components.train",
    )
    assert "run" not in second
    assert stream.getvalue().isascii()


def test_time_is_utc_to_the_millisecond() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    logging.getLogger("kelp").info("now")
    (line,) = lines(stream)
    written = datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=1)
    assert len(line["time"]) == len("2026-01-31T12:00:00.000Z")


def test_an_inner_field_hides_an_outer_one_until_its_block_ends() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    with log.context(step="outer"):
        with log.context(step="inner"):
            logging.getLogger("kelp").info("a")
        logging.getLogger("kelp").info("b")
    assert [line["step"] for line in lines(stream)] == ["inner", "outer"]


def test_no_field_of_the_context_hides_the_message() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    with log.context(message="mine", level="mine"):
        logging.getLogger("kelp").info("the log's")
    assert (lines(stream)[0]["message"], lines(stream)[0]["level"]) == ("the log's", "info")


def test_an_exception_stays_on_its_line() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("serving").exception("failed")
    (line,) = lines(stream)
    assert line["exception"].splitlines()[-1] == "ValueError: broken"


def test_a_terminal_gets_readable_lines() -> None:
    stream = Terminal()
    log.configure(stream=stream)
    logging.getLogger("kelp.runs").warning("disk is full")
    assert stream.getvalue() == "WARNING disk is full\n"


def test_configuring_twice_writes_once_and_leaves_the_root_alone() -> None:
    before = list(logging.getLogger().handlers)
    stream = io.StringIO()
    log.configure(stream=io.StringIO())
    log.configure(stream=stream)
    logging.getLogger("kelp").info("once")
    assert len(lines(stream)) == 1
    assert logging.getLogger().handlers == before


def test_the_level_is_the_callers() -> None:
    stream = io.StringIO()
    log.configure(level=logging.WARNING, stream=stream)
    logging.getLogger("kelp").info("too quiet")
    assert stream.getvalue() == ""
