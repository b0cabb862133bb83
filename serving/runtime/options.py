# SPDX-License-Identifier: Apache-2.0
"""What the model server's command line says, as one value."""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_BODY_LIMIT = 16 * 1024 * 1024
_GRACE_S = 30
_QUEUE = 10_000
_DRAIN_S = 10


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model to serve: callers ask for `name`, the answer says `version`, the files are in `folder`."""

    name: str
    version: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Options:
    """One server process.

    `public_key` is the EC key in PEM that every version must be signed with; None serves unsigned ones.
    `pseudonym_key` is needed by models with private columns. `arm` is what metrics and events call this process in a
    rollout. `body_limit` is in bytes; `grace_s` is how long requests may take to finish after SIGTERM.
    `log_url` gets the prediction log, of which at most `log_queue` events wait, and at SIGTERM for `log_drain_s`.
    """

    models: tuple[ModelSource, ...]
    host: str
    port: int
    public_key: Path | None
    pseudonym_key: Path | None
    body_limit: int
    grace_s: int
    arm: str
    log_url: str | None
    log_queue: int
    log_drain_s: int


def parse_options(arguments: Sequence[str]) -> Options:
    """Read the command line.

    Raises:
        SystemExit: with code 2 for a wrong one, after saying on stderr what is wrong; with 0 for --help.
    """
    parser = _parser()
    found = parser.parse_args(arguments)
    models: list[ModelSource] = list(found.model)
    if (found.model_name is None) != (found.model_dir is None):
        parser.error("--model-name and --model-dir belong together")
    if found.model_name is not None:
        version = found.version if found.version is not None else _version_of(found.model_dir)
        if version is None:
            parser.error("--version is needed: the folder's name is not a version")
        models.append(ModelSource(found.model_name, version, found.model_dir))
    if not models:
        parser.error("no model: give --model-name and --model-dir, or --model NAME=DIR=VERSION")
    twice = [name for name, count in Counter(model.name for model in models).items() if count > 1]
    if twice:
        parser.error(f"two models are called {twice[0]}")
    return Options(
        models=tuple(models),
        host=found.host,
        port=found.http_port,
        public_key=found.public_key,
        pseudonym_key=found.pseudonym_key,
        body_limit=found.max_body_bytes,
        grace_s=found.grace_seconds,
        arm=found.arm,
        log_url=found.log_url,
        log_queue=found.log_queue,
        log_drain_s=found.log_drain_seconds,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.runtime",
        description="Serve model versions over KServe's V1 and V2 protocols.",
        allow_abbrev=False,
    )
    parser.add_argument("--model-name", type=_name, help="name in the URL")
    parser.add_argument("--model-dir", type=Path, help="version directory of that model")
    parser.add_argument("--version", type=_positive, help="its version; default: the directory's name")
    parser.add_argument(
        "--model",
        type=_model,
        action="append",
        default=[],
        metavar="NAME=DIR=VERSION",
        help="a model to serve, in one argument; may be repeated",
    )
    parser.add_argument("--http-port", type=_port, default=8080, help="default: %(default)s")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: %(default)s")
    parser.add_argument("--public-key", type=Path, help="EC public key (PEM) every version must be signed with")
    parser.add_argument(
        "--pseudonym-key",
        type=Path,
        metavar="FILE",
        help="the key that private columns were pseudonymised with; needed by models that have any",
    )
    parser.add_argument("--max-body-bytes", type=_positive, default=_BODY_LIMIT, help="default: %(default)s")
    parser.add_argument(
        "--grace-seconds", type=_positive, default=_GRACE_S, help="to finish requests at SIGTERM; default: %(default)s"
    )
    parser.add_argument("--arm", type=_name, default="champion", help="its part in a rollout; default: %(default)s")
    parser.add_argument("--log-url", type=_url, metavar="URL", help="where the prediction log goes; none if left out")
    parser.add_argument(
        "--log-queue", type=_positive, default=_QUEUE, help="events that may wait; default: %(default)s"
    )
    parser.add_argument(
        "--log-drain-seconds", type=_positive, default=_DRAIN_S, help="to send them at SIGTERM; default: %(default)s"
    )
    return parser


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise argparse.ArgumentTypeError(f"expected http://... or https://..., got {text!r}")
    return text


def _name(text: str) -> str:
    if not text or not all(character.isalnum() or character in "-_." for character in text):
        raise argparse.ArgumentTypeError(f"expected letters, digits, '-', '_' and '.', got {text!r}")
    return text


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return int(text)


def _port(text: str) -> int:
    port = _positive(text)
    if port > 65_535:
        raise argparse.ArgumentTypeError(f"expected a port from 1 to 65535, got {text!r}")
    return port


def _model(text: str) -> ModelSource:
    name, _, rest = text.partition("=")
    folder, _, version = rest.rpartition("=")  # a folder's name may hold "="
    if not folder:
        raise argparse.ArgumentTypeError(f"expected NAME=DIR=VERSION, got {text!r}")
    return ModelSource(_name(name), _positive(version), Path(folder))


def _version_of(folder: Path) -> int | None:
    name = folder.resolve().name
    return int(name) if name.isascii() and name.isdigit() and int(name) > 0 else None
