# SPDX-License-Identifier: Apache-2.0
"""An answered request, from the events that `kelp up` keeps: what came, and the rows that its scores come from again.

Nothing is asked that may have moved since: private values are the event's pseudonyms, windows the event's own.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kelp.cli.contribution_table import PRIVATE, printable
from kelp.cli.session import Session
from kelp.cli.up_events import events_database
from kelp.errors import DataError, IntegrityError, NotFound, RequestError
from kelp.events import Prediction

if TYPE_CHECKING:
    from kelp.frame.scorer import Scorer
    from kelp.frame.transform import Column, Matrix, Transform

_WITHOUT = "kelp up keeps the newest events, a moment after it answered, unless it was told --no-events"


@dataclass(frozen=True, slots=True)
class Answered:
    """The newest event of a request id, and how many there are: a request that was tried again has several."""

    event: Prediction
    events: int

    @property
    def model(self) -> str:
        """The name of the model that answered."""
        name = self.event.model
        if not name.isprintable():
            raise DataError(f"expected the name of a model, found {name!r}", place="the event's source")
        return name

    @property
    def version(self) -> int:
        """The number of the version that answered."""
        number = self.event.version
        if not (number.isascii() and number.isdigit()):
            raise DataError(f"expected the number of a version, found {number!r}", place="the event's source")
        return int(number)

    @property
    def time(self) -> datetime:
        """When it was answered."""
        return datetime.fromtimestamp(self.event.time, UTC)

    def to_json(self, transform: "Transform") -> dict[str, Any]:
        """All that is known of it, as JSON values."""
        event = self.event
        return {
            "id": event.request_id,
            "events": self.events,
            "time": self.time.isoformat().replace("+00:00", "Z"),
            "model": event.model,
            "version": event.version,
            "arm": event.arm,
            "seconds": event.seconds,
            "rows": self.rows(transform),
        }

    def rows(self, transform: "Transform") -> list[dict[str, Any]]:
        """What each row was and got: `inputs` in declared order or else `features`, `score`, and `label` of classes."""
        event = self.event
        kind, given = ("features", _by_feature) if event.features else ("inputs", _inputs)
        columns = given(event, transform)
        return [
            {
                kind: {name: values[row] for name, values in columns.items()},
                "score": score,
                **({"label": event.labels[row]} if event.labels else {}),
            }
            for row, score in enumerate(event.scores)
        ]


def find_answered(session: Session, request_id: str) -> Answered:
    """Look a request up in the workspace.

    Raises:
        NotFound: it keeps no events, or none of this request.
        EnvironmentFault, IntegrityError: they cannot be read.
    """
    from monitoring.events.store import EventStore

    database = events_database(session.workspace)
    try:
        with EventStore(database, is_begun=True) as store:
            events = store.find(request_id)
    except NotFound as error:
        raise NotFound(error.message, place=error.place, fix=_fix(session, request_id)) from error
    if not events:
        raise NotFound(f"no event of the request {request_id!r}", place=str(database), fix=_fix(session, request_id))
    return Answered(events[-1], len(events))


def scored_rows(event: Prediction, transform: "Transform") -> "tuple[Matrix, dict[str, Column] | None]":
    """The matrix that the scores come from, and the columns it was made of: none if the rows came transformed.

    Raises:
        DataError: the event is none of this version.
    """
    if event.features:
        return _matrix(event, transform), None
    columns = _columns(event, transform)
    return transform.apply(columns), columns


def check_scores(event: Prediction, scorer: "Scorer", matrix: "Matrix") -> None:
    """Score the rows again, and compare with what was answered.

    Raises:
        IntegrityError: a score differs by more than golden rows may.
    """
    import numpy as np

    from kelp.frame.scorer import GOLDEN_TOLERANCE

    scores = scorer.score(matrix)
    found = (scores.max(axis=1) if scorer.transform.is_multiclass else scores).astype(np.float64)
    for row, (now, then) in enumerate(zip(found.tolist(), event.scores, strict=True), 1):
        if not abs(now - then) <= GOLDEN_TOLERANCE + GOLDEN_TOLERANCE * abs(then):
            raise IntegrityError(
                f"row {row} was answered with the score {then:.9g}, and the same version now computes {now:.9g}",
                place=f"{event.model}/{event.version}",
                fix="kelp audit verify says whether the version was changed; the server that answered may compute "
                "otherwise than this machine",
            )


def _columns(event: Prediction, transform: "Transform") -> "dict[str, Column]":
    from kelp.frame.rows import columns_from_instances

    absent = [window.name for window in transform.windows if window.name not in event.inputs]
    if absent:
        raise DataError(f"expected the windows that were answered with, {absent[0]} is absent", place="the event")
    rows = range(len(event.scores))
    instances = [{name: values[row] for name, values in event.inputs.items()} for row in rows]
    try:
        return columns_from_instances(transform, instances)
    except RequestError as error:
        raise DataError(f"does not fit the version: {printable(str(error))}", place="the event") from error


def _matrix(event: Prediction, transform: "Transform") -> "Matrix":
    import numpy as np

    rows = len(event.scores)
    if len(event.features) != 4 * rows * transform.width:
        found = len(event.features) / (4 * rows)
        raise DataError(f"expected rows of {transform.width} features, found {found:g}", place="the event")
    return np.frombuffer(event.features, dtype="<f4").reshape(rows, transform.width).astype(np.float32)


def _fix(session: Session, request_id: str) -> str:
    if request_id in session.registry.models():
        return f"it is the name of a model: kelp explain {request_id} --input FILE explains rows"
    return _WITHOUT


def _inputs(event: Prediction, transform: "Transform") -> dict[str, list[Any]]:
    """In declared order, windows last; never a pseudonym."""
    declared = (*transform.columns, *transform.window_columns)
    names = [column.name for column in declared if column.name in event.inputs]
    hidden = [PRIVATE] * len(event.scores)
    return {name: hidden if name in transform.private else event.inputs[name] for name in names}


def _by_feature(event: Prediction, transform: "Transform") -> dict[str, list[Any]]:
    matrix = _matrix(event, transform)
    return {feature.name: matrix[:, at].tolist() for at, feature in enumerate(transform.features)}
