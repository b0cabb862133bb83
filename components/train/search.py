# SPDX-License-Identifier: Apache-2.0
"""Search for params: trials by optuna's tree-structured Parzen estimator, compared by the validation loss.

Trials are asked for one after another with a fixed seed, so that the same losses lead to the same trials. A trial in
the journal is answered from there: what a search finds depends on its journal alone, however often it was killed.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from time import monotonic
from typing import Any

from components.train.facts import checked_facts
from components.train.journal import Journal, Trial
from components.train.own import GUIDE, PLACE, Source
from kelp.errors import EnvironmentFault, InputError, IntegrityError, KelpError
from kelp.spec.model import Search
from kelp.trainer import Training

__all__ = ["Outcome", "search"]

_LENGTHS = ("rounds", "epochs")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search found: all trials, and the best of them."""

    trials: tuple[Trial, ...]
    best: Trial

    def params(self, training: Training, aliases: Mapping[str, str]) -> dict[str, Any]:
        """The params of the last fit, on all rows: the declared, the best, and how long early stopping let it run."""
        params = {**training.params, **self.best.params}
        if training.early_stopping is None:
            return params
        return {
            **{name: value for name, value in params.items() if aliases.get(name, name) not in self.best.length},
            **self.best.length,
        }

    def document(self) -> dict[str, Any]:
        """The content of search.json."""
        trials = []
        for trial in self.trials:
            values = asdict(trial)
            trials.append({name: values[name] for name in ("number", "params", "value", "seconds", "state")})
            if trial.reason:
                trials[-1]["reason"] = trial.reason
        return {"metric": "validation", "direction": "minimize", "trials": trials, "best": self.best.number}


def search(
    asked: Search,
    source: Source,
    training: Training,
    journal: Journal,
    progress: Callable[[int, int], None],
    clock: Callable[[], float] = monotonic,
) -> Outcome:
    """Run trials until there are enough of them or the time is over; at least one.

    Args:
        asked: how many trials, and how long; no trial begins after that time, and the last may take longer.
        source: makes a trainer for each trial.
        training: with rows kept back; its params are fixed.
        journal: trials that ended earlier.
        progress: called with the trials done and the trials in all.
        clock: seconds that never go back.

    Raises:
        InputError: the trainer has no space to search in, or every trial failed.
        IntegrityError: the journal has other trials than this search.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=training.seed))
    trials: list[Trial] = []
    while len(trials) < asked.trials and _has_time(asked, trials):
        number, asking = len(trials), study.ask()
        params = _params(source, asking, training)
        if number == len(journal.trials):
            journal.append(_run(source, replace(training, params={**training.params, **params}), number, params, clock))
        trial = journal.trials[number]
        if trial.params != params or trial.number != number:
            raise IntegrityError(
                f"expected trial {number} with {params}, found {dict(trial.params)}",
                place=str(journal.path),
                fix="remove the file: the search starts anew",
            )
        trials.append(trial)
        failed = optuna.trial.TrialState.FAIL if trial.state == "failed" else None
        study.tell(asking, trial.value, state=failed)
        progress(len(trials), asked.trials)
    return _outcome(trials)


def _has_time(asked: Search, trials: list[Trial]) -> bool:
    """By the seconds that were written down, so that a search goes on, or not, as it did the first time."""
    return not trials or sum(trial.seconds for trial in trials) < asked.time_limit.total_seconds()


def _params(source: Source, asking: Any, training: Training) -> dict[str, Any]:
    """What the trainer's space chooses, without what the spec declares."""
    trainer: Any = source.trainer()
    if not callable(getattr(trainer, "space", None)):
        fix = "leave out spec.train.search, or add the method"
        raise InputError("expected the method space(trial) for a search, found none", place=PLACE, fix=fix)
    aliases = getattr(trainer, "aliases", {})
    declared = {aliases.get(name, name): value for name, value in training.params.items()}
    with source.blamed("space"):
        chosen = trainer.space(_Fixed(asking, declared))
    if not isinstance(chosen, Mapping):
        raise InputError(f"expected params from space, found a {type(chosen).__name__}", place=PLACE, fix=GUIDE)
    params = {name: value for name, value in chosen.items() if aliases.get(name, name) not in declared}
    try:
        return dict(json.loads(json.dumps(params, allow_nan=False, sort_keys=True)))
    except (TypeError, ValueError) as error:
        raise InputError(f"expected JSON values from space, found {params}", place=PLACE, fix=GUIDE) from error


class _Fixed:
    """An optuna trial that answers with the declared value of a param instead of choosing one."""

    def __init__(self, trial: Any, declared: Mapping[str, Any]) -> None:
        self._trial = trial
        self._declared = declared

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._trial, name)
        if not name.startswith("suggest_"):
            return found
        return lambda param, *args, **kwargs: (
            self._declared[param] if param in self._declared else found(param, *args, **kwargs)
        )


def _run(
    source: Source, training: Training, number: int, params: Mapping[str, Any], clock: Callable[[], float]
) -> Trial:
    """Fit once; a failure is a result too, for another trial may do better."""
    started = clock()
    try:
        with source.blamed("fit"):
            facts = checked_facts(source.trainer().fit(training))
        if "validation" not in facts:
            raise InputError("expected `validation` from fit for a search, found none", place=PLACE, fix=GUIDE)
    except EnvironmentFault:
        raise  # no trial can do better
    except Exception as error:  # a trial can fail in any way
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        _log.warning("trial %d failed: %s", number, reason, exc_info=not isinstance(error, KelpError))
        return Trial(number, params, "failed", None, round(clock() - started, 3), reason=reason)
    length = {name: facts[name] for name in _LENGTHS if name in facts}
    return Trial(number, params, "complete", facts["validation"], round(clock() - started, 3), length)


def _outcome(trials: list[Trial]) -> Outcome:
    complete = [trial for trial in trials if trial.value is not None]
    if not complete:
        raise InputError(
            f"expected a trial that ends well, found that all {len(trials)} failed; the first: {trials[0].reason}",
            place="spec.train.search",
            fix="correct that, or leave spec.train.search out to see the whole error",
        )
    best = min(complete, key=lambda trial: (trial.value, trial.number))
    return Outcome(tuple(trials), best)
