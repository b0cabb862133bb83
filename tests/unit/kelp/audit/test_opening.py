# SPDX-License-Identifier: Apache-2.0
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from kelp.audit import open_log
from kelp.audit.__main__ import main
from kelp.audit.client import HttpLog
from kelp.errors import EnvironmentFault, InputError
from kelp.home import AUDIT_KEY, AUDIT_TOKEN, Home, ensure_home, load_home


def a_home(workspace: Path, audit: str | None = None) -> Home:
    home = load_home(ensure_home(workspace))
    return home if audit is None else home.model_copy(update={"audit": audit})


def test_a_folder_is_opened_with_the_homes_key_for_the_actor(tmp_path: Path) -> None:
    copies: dict[str, Mapping[str, int]] = {}
    with open_log(a_home(tmp_path), "alice", copies.__setitem__) as log:
        entry = log.move_alias("fraud", "champion", expected=None, version=1)
    assert entry.record.actor == "alice"
    assert copies == {"fraud": {"champion": 1}}


def test_an_address_is_opened_with_the_homes_token(tmp_path: Path) -> None:
    home = a_home(tmp_path, "http://audit.test")
    (tmp_path / "keys" / AUDIT_TOKEN).write_text("token\n")
    with open_log(home, "alice") as log:
        assert isinstance(log, HttpLog)


def test_another_scheme_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"http\(s\) address was expected, found s3://bucket"):
        open_log(a_home(tmp_path, "s3://bucket"), "alice")


@pytest.mark.parametrize(
    ("audit", "secret"),
    [pytest.param(None, AUDIT_KEY, id="key"), pytest.param("http://audit.test", AUDIT_TOKEN, id="token")],
)
def test_a_missing_secret_is_named(tmp_path: Path, audit: str | None, secret: str) -> None:
    home = a_home(tmp_path, audit)
    (tmp_path / "keys" / secret).unlink(missing_ok=True)
    with pytest.raises(EnvironmentFault, match=secret):
        open_log(home, "alice")


def test_importing_the_package_loads_no_cryptography_and_no_http() -> None:
    code = "import sys, kelp.audit; print({'cryptography', 'httpx', 'starlette', 'sqlite3'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


@pytest.fixture
def keep_logging() -> Iterator[None]:
    """Undo what a rim does to the loggers of the whole process."""
    loggers = [logging.getLogger(name) for name in ("kelp", "components", "pipelines", "serving", "controller")]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.mark.usefixtures("keep_logging")
@pytest.mark.parametrize(
    ("tokens", "options", "message", "code"),
    [
        pytest.param(None, [], "the tokens file cannot be read", 4, id="no-tokens"),
        pytest.param("[]", [], "audit-tokens.json", 2, id="wrong-tokens"),
        pytest.param(
            "{}", ["--port", "99999"], "a port from 0 to 65535 was expected, found 99999", 2, id="no-such-port"
        ),
        pytest.param("{}", ["--host", "256.0.0.1"], "cannot listen on 256.0.0.1", 4, id="no-such-host"),
        pytest.param("{}", ["--publish-aliases", "kelp.nothing:at_all"], "--publish-aliases", 2, id="no-module"),
        pytest.param("{}", ["--publish-aliases", "kelp.home"], "--publish-aliases", 2, id="no-function"),
    ],
)
def test_a_service_that_cannot_start_says_why(
    tmp_path: Path, tokens: str | None, options: list[str], message: str, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    home = ensure_home(tmp_path)
    if tokens is not None:
        (tmp_path / "keys" / "audit-tokens.json").write_text(tokens)
    assert main(["--home", str(home), *options]) == code
    assert message in capfd.readouterr().err


@pytest.mark.usefixtures("keep_logging")
def test_a_service_without_a_home_says_why(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(tmp_path / "home.toml")]) == 4
    assert "home.toml" in capfd.readouterr().err


@pytest.mark.usefixtures("keep_logging")
def test_a_service_of_another_services_log_says_why(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    home = ensure_home(tmp_path)
    home.write_text(home.read_text().replace('audit = "audit"', 'audit = "http://audit.test"'))
    assert main(["--home", str(home)]) == 2
    assert "a folder was expected, found http://audit.test" in capfd.readouterr().err
