# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from serving.runtime.options import ModelSource, Options, parse_options


def test_defaults_are_the_stated_ones() -> None:
    assert parse_options(["--model-name", "fraud", "--model-dir", "registry/fraud/3"]) == Options(
        models=(ModelSource("fraud", 3, Path("registry/fraud/3")),),
        host="127.0.0.1",
        port=8080,
        public_key=None,
        pseudonym_key=None,
        body_limit=16 * 1024 * 1024,
        grace_s=30,
        arm="champion",
        log_url=None,
        log_queue=10_000,
        log_drain_s=10,
    )


def test_key_of_pseudonyms_is_a_file() -> None:
    options = parse_options(["--model", "a=x=1", "--pseudonym-key", "keys/pseudonym.key"])
    assert options.pseudonym_key == Path("keys/pseudonym.key")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--model", "a=x/1=2"], [ModelSource("a", 2, Path("x/1"))], id="in-one-argument"),
        pytest.param(["--model", "a=x=y=2"], [ModelSource("a", 2, Path("x=y"))], id="folder-with-an-equals-sign"),
        pytest.param(
            ["--model", "a=x=1", "--model", "b=y=2", "--model-name", "c", "--model-dir", "z", "--version", "3"],
            [ModelSource("a", 1, Path("x")), ModelSource("b", 2, Path("y")), ModelSource("c", 3, Path("z"))],
            id="several",
        ),
    ],
)
def test_models_are_read(arguments: list[str], expected: list[ModelSource]) -> None:
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
