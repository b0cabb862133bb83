# SPDX-License-Identifier: Apache-2.0
"""kelp explain: what moved each row's score, from the registered version itself; no server is asked."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from kelp.cli.answered import Answered, check_scores, find_answered, scored_rows
from kelp.cli.answered_table import print_answered
from kelp.cli.cmd_predict import read_input
from kelp.cli.contribution_table import print_contribution, values_of_columns
from kelp.cli.instances import instances_from_text
from kelp.cli.session import Session
from kelp.errors import InputError, NotFound


def explain(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(help="the model; without --input, the x-request-id of an answer")],
    input_: Annotated[
        str | None, typer.Option("--input", help="raw rows: a .json or .csv file, or - for JSON on stdin")
    ] = None,
    version: Annotated[int | None, typer.Option(help="of the model; the champion if left out")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="explain only the first rows")] = None,
    is_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Say what moved each score: of raw rows, or of a request that was answered."""
    from kelp.frame.contributions import Explainer
    from kelp.frame.online import Online
    from kelp.frame.rows import columns_from_instances
    from kelp.home import PSEUDONYM_KEY
    from serving.explain import explanation

    session: Session = context.obj
    if input_ is None:
        if version is not None:
            raise InputError("a request has the version that answered it", place="--version", fix="leave it out")
        _explain_answered(session, find_answered(session, subject), limit, is_json)
        return
    text = read_input(input_)
    with _fetched(session, subject, _version(session, subject, version)) as folder:
        key = Path(session.home.keys) / PSEUDONYM_KEY
        online = Online.load(folder, key.read_bytes() if key.is_file() else None)
        explainer = Explainer.load(folder, online.scorer)
    transform = online.scorer.transform
    types: dict[str, str] = {column.name: column.type for column in (*transform.columns, *transform.window_columns)}
    instances = instances_from_text(text, input_, types)[:limit]
    columns = online.complete(columns_from_instances(transform, instances))
    found = explainer.explain(transform.apply(columns))
    if is_json:
        session.print_json({"explanations": [explanation(row) for row in found]})
        return
    for number, row in enumerate(found):
        print_contribution(session, f"row {number + 1}", row, values_of_columns(transform, columns, number), transform)


def _explain_answered(session: Session, answered: Answered, limit: int | None, is_json: bool) -> None:
    from kelp.frame.contributions import Explainer
    from kelp.frame.scorer import Scorer
    from serving.explain import explanation

    with _fetched(session, answered.model, answered.version) as folder:
        scorer = Scorer.load(folder)
        explainer = Explainer.load(folder, scorer)
    matrix, columns = scored_rows(answered.event, scorer.transform)
    found = explainer.explain(matrix[:limit])
    if is_json:
        request = answered.to_json(scorer.transform)
        session.print_json({"request": request, "explanations": [explanation(row) for row in found]})
    else:
        print_answered(session, answered, found, scorer.transform, columns)
    check_scores(answered.event, scorer, matrix)


@contextmanager
def _fetched(session: Session, name: str, version: int) -> Iterator[Path]:
    """A version's directory as the registry has it, checked and signed, for as long as it takes to load it."""
    from kelp.home import SIGNING_PUBLIC_KEY
    from kelp.registry.signature import verify

    with tempfile.TemporaryDirectory(prefix="kelp-explain-") as scratch:
        folder = session.registry.fetch(name, version, Path(scratch) / "version")
        verify(folder, Path(session.home.keys) / SIGNING_PUBLIC_KEY)
        yield folder


def _version(session: Session, name: str, version: int | None) -> int:
    number = version if version is not None else session.registry.champion(name)
    if number is None:
        known = ", ".join(session.registry.models()) or "none yet"
        raise NotFound(f"no version of {name!r} is champion", fix=f"give --version; known models: {known}")
    return number
