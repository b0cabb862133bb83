# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from serving.runtime.options import Options, Tls, parse_options
from serving.source import Source


def test_defaults_are_the_stated_ones() -> None:
    assert parse_options(["--model-name", "fraud", "--model-dir", "registry/fraud/3"]) == Options(
        models=(Source("fraud", 3, Path("registry/fraud/3")),),
        repository=None,
        memory_bytes=None,
        host="127.0.0.1",
        port=8080,
        grpc_port=None,
        tls=None,
        workers=1,
        verify="if-present",
        public_key=None,
        pseudonym_key=None,
        home=None,
        state=None,
        body_limit=16 * 1024 * 1024,
        grace_s=30,
        arm="champion",
        log_url=None,
        log_queue=10_000,
        log_drain_s=10,
        listen_fd=None,
        link_fd=None,
    )


def test_key_of_pseudonyms_is_a_file() -> None:
    options = parse_options(["--model", "a=x=1", "--pseudonym-key", "keys/pseudonym.key"])
    assert options.pseudonym_key == Path("keys/pseudonym.key")


def test_certificate_and_key_are_files() -> None:
    options = parse_options(["--repository", "r", "--tls-cert", "c.pem", "--tls-key", "k.pem"])
    assert (options.tls, options.models) == (Tls(Path("c.pem"), Path("k.pem")), ())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--model", "a=x/1=2"], [Source("a", 2, Path("x/1"))], id="in-one-argument"),
        pytest.param(["--model", "a=x=y=2"], [Source("a", 2, Path("x=y"))], id="folder-with-an-equals-sign"),
        pytest.param(
            ["--model", "a=x=1", "--model", "b=y=2", "--model-name", "c", "--model-dir", "z", "--version", "3"],
            [Source("a", 1, Path("x")), Source("b", 2, Path("y")), Source("c", 3, Path("z"))],
            id="several",
        ),
    ],
)
def test_models_are_read(arguments: list[str], expected: list[Source]) -> None:
    assert list(parse_options(arguments).models) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "no model", id="no-model"),
        pytest.param(["--model-name", "a"], "belong together", id="name-without-folder"),
        pytest.param(["--model-dir", "x"], "belong together", id="folder-without-name"),
        pytest.param(["--model-name", "a", "--model-dir", "models"], "--version is needed", id="no-version"),
        pytest.param(["--model-name", "a", "--model-dir", "0"], "--version is needed", id="folder-0"),
        pytest.param(["--model", "a=x"], "expected NAME=DIR=VERSION", id="two-parts"),
        pytest.param(["--model", "a=x=0"], "from 1 on", id="version-0"),
        pytest.param(["--model", "a/b=x=1"], "expected letters", id="slash-in-the-name"),
        pytest.param(["--model", "=x=1"], "expected letters", id="no-name"),
        pytest.param(["--model", "a=x=1", "--model", "a=y=2"], "two models are called a", id="name-twice"),
        pytest.param(["--model", "a=x=1", "--http-port", "70000"], "port from 1 to 65535", id="port"),
        pytest.param(["--model", "a=x=1", "--tls-cert", "c"], "belong together", id="certificate-without-key"),
        pytest.param(["--model", "a=x=1", "--workers", "0"], "from 1 on", id="no-worker"),
        pytest.param(["--model", "a=x=1", "--verify", "required"], "needs --public-key", id="required-without-key"),
        pytest.param(["--model", "a=x=1", "--verify", "always"], "invalid choice", id="unknown-policy"),
        pytest.param(["--mod", "a=x=1"], "unrecognized", id="abbreviation"),
    ],
)
def test_wrong_command_line_says_what_is_wrong(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_options(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
