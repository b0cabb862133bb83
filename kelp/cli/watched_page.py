# SPDX-License-Identifier: Apache-2.0
"""The page of `kelp up`, served while a model server runs: `up_page` is what it shows, `watch` what it shows it of."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from kelp.cli.session import Session

if TYPE_CHECKING:
    from kelp.audit.record import Record

_RECORDS = 20


@contextmanager
def watched_page(session: Session, address: str, champions: Mapping[str, int], port: int) -> Iterator[str]:
    """The page's address, while it is served."""
    from kelp.cli.page_server import page_app, serving
    from kelp.cli.up_page import up_page
    from kelp.cli.watch import Watch

    with (
        Watch(champions, partial(_metrics, address), partial(_records, session)) as watch,
        serving(page_app(up_page(address), lambda: watch.state), port) as page,
    ):
        yield page


def _metrics(address: str) -> str:
    import httpx

    try:
        return httpx.get(f"{address}/metrics", timeout=1).raise_for_status().text
    except httpx.HTTPError as error:
        raise OSError(str(error)) from error


def _records(session: Session) -> "Sequence[Record]":
    log = session.registry.log
    return [entry.record for entry in log.entries(max(0, log.size() - _RECORDS), _RECORDS)]
