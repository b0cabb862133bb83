# SPDX-License-Identifier: Apache-2.0
"""What the model server's command line says, as one value."""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from serving.catalogue import NAME
from serving.runtime.load import Policy
from serving.source import Source


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate with its chain, and the key to it, both in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Options:
    """One server, of one process or of several workers.

    Attributes:
        models: are loaded before anything is answered.
        repository: a folder of further models, each loaded by the first request for it; None for no more.
        memory_bytes: for all models that are loaded, of all workers; None for half of what the server may use.
        host: address to listen on, as all of these on `port`, and for gRPC on `grpc_port` if that is not None.
        workers: processes that answer.
        verify: whether a version must be signed, or only may not be signed wrongly.
        public_key: EC key in PEM that signatures are checked with; None checks none.
        pseudonym_key: needed by models with private columns.
        home: names the audit log that loads and refusals go to; None for none.
        state: folder in which histories survive a restart; None for nowhere.
        arm: what metrics and events call this server in a rollout.
        body_limit: in bytes.
        grace_s: how long requests may take to finish after SIGTERM.
        log_url: gets the prediction log, of which at most `log_queue` events wait, and at SIGTERM for `log_drain_s`.
        listen_fd: of a socket that is bound already; for a worker.
        link_fd: of the socket to the process that started this worker; None without workers.
    """

    models: tuple[Source, ...]
    repository: Path | None
    memory_bytes: int | None
    host: str
    port: int
    grpc_port: int | None
    tls: Tls | None
    workers: int
    verify: Policy
    public_key: Path | None
    pseudonym_key: Path | None
    home: Path | None
    state: Path | None
    arm: str
    body_limit: int
    grace_s: int
    log_url: str | None
    log_queue: int
    log_drain_s: int
    listen_fd: int | None
    link_fd: int | None


def parse_options(arguments: Sequence[str]) -> Options:
    """Read the command line.

    Raises:
        SystemExit: with code 2 for a wrong one, after saying on stderr what is wrong; with 0 for --help.
    """
    parser = _parser()
    found = parser.parse_args(arguments)
    if (found.tls_cert is None) != (found.tls_key is None):
        parser.error("--tls-cert and --tls-key belong together")
    if found.verify == "required" and found.public_key is None:
        parser.error("--verify required needs --public-key")
    return Options(
        models=_models(parser, found),
        repository=found.repository,
        memory_bytes=found.memory_bytes,
        host=found.host,
        port=found.http_port,
        grpc_port=found.grpc_port,
        tls=Tls(found.tls_cert, found.tls_key) if found.tls_cert is not None else None,
        workers=found.workers,
        verify=found.verify,
        public_key=found.public_key,
        pseudonym_key=found.pseudonym_key,
        home=found.home,
        state=found.state_dir,
        arm=found.arm,
        body_limit=found.max_body_bytes,
        grace_s=found.grace_seconds,
        log_url=found.log_url,
        log_queue=found.log_queue,
        log_drain_s=found.log_drain_seconds,
        listen_fd=found.listen_fd,
        link_fd=found.link_fd,
    )


def _models(parser: argparse.ArgumentParser, found: argparse.Namespace) -> tuple[Source, ...]:
    models: list[Source] = list(found.model)
    if (found.model_name is None) != (found.model_dir is None):
        parser.error("--model-name and --model-dir belong together")
    if found.model_name is not None:
        version = found.version if found.version is not None else _version_of(found.model_dir)
        if version is None:
            parser.error("--version is needed: the folder's name is not a version")
        models.append(Source(found.model_name, version, found.model_dir))
    if not models and found.repository is None:
        parser.error("no model: give --model-name and --model-dir, --model NAME=DIR=VERSION, or --repository DIR")
    twice = [name for name, count in Counter(model.name for model in models).items() if count > 1]
    if twice:
        parser.error(f"two models are called {twice[0]}")
    return tuple(models)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.runtime",
        description="Serve model versions over KServe's V1 and V2 protocols, HTTP and gRPC.",
        allow_abbrev=False,
    )
    _add_models(parser.add_argument_group("models"))
    _add_trust(parser.add_argument_group("trust"))
    _add_listening(parser.add_argument_group("listening"))
    _add_log(parser.add_argument_group("prediction log"))
    parser.add_argument("--listen-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--link-fd", type=int, help=argparse.SUPPRESS)
    return parser


def _add_models(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--model-name", type=_name, help="name in the URL")
    group.add_argument("--model-dir", type=Path, help="version directory of that model")
    group.add_argument("--version", type=_positive, help="its version; default: the directory's name")
    group.add_argument(
        "--model",
        type=_model,
        action="append",
        default=[],
        metavar="NAME=DIR=VERSION",
        help="a model to serve, in one argument; may be repeated",
    )
    group.add_argument(
        "--repository",
        type=Path,
        metavar="DIR",
        help="more models, in NAME/VERSION/, each loaded by the first request for it",
    )
    group.add_argument(
        "--memory-bytes", type=_positive, metavar="N", help="for loaded models; default: half of the process's limit"
    )
    group.add_argument(
        "--state-dir", type=Path, metavar="DIR", help="keeps the histories of rolling features over a restart"
    )


def _add_trust(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--verify",
        choices=("required", "if-present"),
        default="if-present",
        help="whether every version must be signed; default: %(default)s",
    )
    group.add_argument("--public-key", type=Path, metavar="FILE", help="EC public key (PEM) to check signatures with")
    group.add_argument(
        "--pseudonym-key",
        type=Path,
        metavar="FILE",
        help="the key that private columns were pseudonymised with; needed by models that have any",
    )
    group.add_argument(
        "--home", type=Path, metavar="FILE", help="home.toml of the audit log that loads and refusals go to"
    )


def _add_listening(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--host", default="127.0.0.1", help="address to listen on; default: %(default)s")
    group.add_argument("--http-port", type=_port, default=8080, help="default: %(default)s")
    group.add_argument("--grpc-port", type=_port, help="default: gRPC is not served")
    group.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate and its chain (PEM)")
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="the certificate's key (PEM)")
    group.add_argument("--workers", type=_positive, default=1, help="processes that answer; default: %(default)s")
    group.add_argument("--max-body-bytes", type=_positive, default=16 << 20, help="default: %(default)s")
    group.add_argument(
        "--grace-seconds", type=_positive, default=30, help="to finish requests at SIGTERM; default: %(default)s"
    )
    group.add_argument("--arm", type=_name, default="champion", help="its part in a rollout; default: %(default)s")


def _add_log(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--log-url", type=_url, metavar="URL", help="where the prediction log goes; none if left out")
    group.add_argument("--log-queue", type=_positive, default=10_000, help="events that may wait; default: %(default)s")
    group.add_argument(
        "--log-drain-seconds", type=_positive, default=10, help="to send them at SIGTERM; default: %(default)s"
    )


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or not text.isascii() or not text.isprintable():
        raise argparse.ArgumentTypeError(f"expected http://... or https://..., got {text!r}")
    return text


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
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


def _model(text: str) -> Source:
    name, _, rest = text.partition("=")
    folder, _, version = rest.rpartition("=")  # a folder's name may hold "="
    if not folder:
        raise argparse.ArgumentTypeError(f"expected NAME=DIR=VERSION, got {text!r}")
    return Source(_name(name), _positive(version), Path(folder))


def _version_of(folder: Path) -> int | None:
    name = folder.resolve().name
    return int(name) if name.isascii() and name.isdigit() and int(name) > 0 else None
