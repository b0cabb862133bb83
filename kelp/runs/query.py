# SPDX-License-Identifier: Apache-2.0
"""Filters and order for lists of runs: pure, on flat records of texts, numbers and booleans.

`kelp.runs.facts` says what a run is; `flat_record` gives every fact one name, as it is written in `--where` and
`--sort`. What is not known matches no filter, not even `!=`, and is sorted last.
"""

import difflib
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kelp.errors import InputError
from kelp.runs.facts import RunFacts
from kelp.runs.outputs import Artifact

Value = str | int | float | bool
Flat = dict[str, Value]

FIELDS = (
    "run", "model", "state", "reason", "source", "created", "started", "finished", "seconds", "seed", "version",
    "status", "gates", "failure", "problem",
)  # fmt: skip
TRIAL = ("trial", "trial.value", "trial.seconds", "trial.state")
EXAMPLE = "write name, operator and value, such as pr_auc>=0.5; operators: = != < <= > >="
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_FILTER = re.compile(r"\s*([^\s<>=!]+)\s*(>=|<=|!=|==|=|>|<)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition, such as `pr_auc>=0.5`; `text` is how it was written."""

    name: str
    sign: str
    value: str
    text: str


def flat_record(facts: RunFacts, artifacts: Sequence[Artifact] = ()) -> Flat:
    """One run as name and value pairs: a metric by its name alone, its bounds as `pr_auc.low` and `pr_auc.high`."""
    found: dict[str, Any] = {name: getattr(facts, name) for name in FIELDS}
    for name, estimate in facts.metrics.items():
        found |= {name: estimate.get("value"), f"{name}.low": estimate.get("low"), f"{name}.high": estimate.get("high")}
    found |= {name: digest for name, digest in facts.digests.items()}
    found |= {f"params.{name}": value for name, value in facts.params.items()}
    found |= {f"packages.{name}": version for name, version in facts.packages.items()}
    for artifact in artifacts:
        found |= {f"artifacts.{artifact.name}": artifact.sha256, f"artifacts.{artifact.name}.bytes": artifact.bytes}
    return {name: value for name, value in found.items() if isinstance(value, Value) and value != ""}


def trial_record(run: Flat, trial: Mapping[str, Any]) -> Flat:
    """One trial of a run's search: the run's facts, with the trial's own parameters and result."""
    of_trial = {
        "trial": trial["number"],
        **{f"trial.{name}": trial.get(name) for name in ("value", "seconds", "state")},
    }
    params = trial.get("params")
    own = {f"params.{name}": value for name, value in (params if isinstance(params, dict) else {}).items()}
    return {**run, **{name: value for name, value in {**of_trial, **own}.items() if isinstance(value, Value)}}


def parse_filter(text: str) -> Filter:
    """Read one condition.

    Raises:
        InputError: it is not name, operator and value.
    """
    match = _FILTER.fullmatch(text)
    if match is None or not match[3]:
        raise InputError(f"expected a condition, found {text!r}", place="--where", fix=EXAMPLE)
    return Filter(match[1].removeprefix("metrics."), "=" if match[2] == "==" else match[2], match[3], text)


def check_names(names: Iterable[str], records: Sequence[Flat], place: str) -> None:
    """Refuse a name that no run has.

    Raises:
        InputError: with the known names that are nearest.
    """
    known = {*FIELDS, *(name for record in records for name in record)}
    for name in names:
        if name in known or not records:
            continue
        tail = name.rpartition(".")[2]
        near = [other for other in _short(known) if tail and tail in other]
        near += [other for other in difflib.get_close_matches(name, sorted(known), n=3) if other not in near]
        shown = ", ".join(near[:3])
        raise InputError(
            f"no run has a fact named {name!r}",
            place=place,
            fix=f"did you mean {shown}?" if near else f"known are {', '.join(_short(known))}",
        )


def _short(known: set[str]) -> list[str]:
    """The names worth showing where none is near: without bounds, packages and artifacts."""
    dull = (".low", ".high")
    return sorted(
        name for name in known if not name.endswith(dull) and not name.startswith(("packages.", "artifacts."))
    )


def matches(condition: Filter, record: Flat) -> bool:
    """Whether a record fulfils the condition.

    Raises:
        InputError: the fact is a number, or true or false, and the condition's value is not.
    """
    found = record.get(condition.name)
    return found is not None and _OPERATORS[condition.sign](found, _read(condition, found))


def _read(condition: Filter, beside: Value) -> Value:
    """The condition's value as the type of the fact that it is held against."""
    if isinstance(beside, str):
        return condition.value
    if isinstance(beside, bool):
        if condition.value.lower() not in ("true", "false"):
            raise InputError(f"expected true or false for {condition.name}", place=f"--where {condition.text}")
        return condition.value.lower() == "true"
    try:
        number = float(condition.value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise InputError(
            f"expected a number for {condition.name}, found {condition.value!r}",
            place=f"--where {condition.text}",
            fix=EXAMPLE,
        )
    return number


@dataclass(frozen=True, slots=True)
class Query:
    """What to list: all that is given must hold. `sort` is a fact, with `-` in front for the largest first."""

    model: str | None = None
    state: str | None = None
    since: str | None = None
    where: tuple[Filter, ...] = ()
    sort: str = ""
    limit: int | None = None

    @property
    def names(self) -> list[str]:
        """The facts that conditions and order ask for, in their order."""
        asked = [*(condition.name for condition in self.where), _sort_name(self.sort)]
        return [name for name in dict.fromkeys(asked) if name]


def select(records: Sequence[Flat], query: Query) -> list[int]:
    """Positions of the records that the query asks for, in its order; as they were without `sort`.

    Raises:
        InputError: a name that no record has, or a value of another type than the fact's.
    """
    check_names((condition.name for condition in query.where), records, "--where")
    check_names((_sort_name(query.sort),) if query.sort else (), records, "--sort")
    found = [position for position, record in enumerate(records) if _is_wanted(record, query)]
    return _ordered(records, found, query.sort)[: query.limit] if query.sort else found[: query.limit]


def _is_wanted(record: Flat, query: Query) -> bool:
    if query.since is not None and str(record.get("created", "")) < query.since:
        return False
    plain = (("model", query.model), ("state", query.state))
    if any(value is not None and record.get(name) != value for name, value in plain):
        return False
    return all(matches(condition, record) for condition in query.where)


def _sort_name(sort: str) -> str:
    return sort.removeprefix("-").removeprefix("metrics.")


def _ordered(records: Sequence[Flat], positions: Sequence[int], sort: str) -> list[int]:
    """Sorted by a fact; those without it last, equal ones as they were."""
    name = _sort_name(sort)
    known = [position for position in positions if name in records[position]]
    has_text = any(isinstance(records[position][name], str) for position in known)
    known.sort(
        key=lambda position: str(records[position][name]) if has_text else records[position][name],
        reverse=sort.startswith("-"),
    )
    return known + [position for position in positions if name not in records[position]]
