# SPDX-License-Identifier: Apache-2.0
import numpy as np
import numpy.typing as npt
import pytest

from components.evaluate.comparison import Judged, judge
from components.evaluate.metrics import names_of, scarcest, supports, values_of
from components.evaluate.resampling import Setting, System
from components.evaluate.truth import Truth

Floats = npt.NDArray[np.float64]
ROWS = 400


def target_and_score(shift: float = 1.0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(0)
    target = (rng.random(ROWS) < 0.3).astype(np.float64)
    return target, 1 / (1 + np.exp(1.0 - rng.normal(size=ROWS) - shift * target))


def a_system(name: str, score: Floats, rows: npt.NDArray[np.bool_] | None = None) -> System:
    return System(name, score, np.ones(len(score), bool) if rows is None else rows, frozenset(names_of("binary")))


def judged(target: Floats, *systems: System) -> dict[str, Judged]:
    return judge(Setting(0.95, np.random.default_rng(1)), Truth("binary", target), systems)


def test_the_same_scores_improve_nothing_by_exactly_nothing() -> None:
    target, score = target_and_score()
    again = score.astype(np.float32).astype(np.float64)
    found = judged(target, a_system("candidate", score), a_system("champion", again))
    assert {(e.low, e.high) for e in found["champion"].improvement.values() if not e.reason} == {(0.0, 0.0)}


def test_an_improvement_is_positive_where_the_candidate_is_better() -> None:
    target, score = target_and_score(2.0)
    found = judged(target, a_system("candidate", score), a_system("dummy", np.full(ROWS, target.mean())))
    for name in ("roc_auc", "log_loss", "brier"):
        low = found["dummy"].improvement[name].low
        assert low is not None
        assert low > 0


def test_a_pair_is_told_apart_better_than_two_intervals_would() -> None:
    target, score = target_and_score(1.0)
    other = np.clip(score + np.random.default_rng(3).normal(scale=0.02, size=ROWS), 0, 1)
    found = judged(target, a_system("candidate", score), a_system("champion", other))
    difference, alone = found["champion"].improvement["roc_auc"], found["candidate"].metrics["roc_auc"]
    assert None not in (difference.low, difference.high, alone.low, alone.high)
    assert (difference.high or 0) - (difference.low or 0) < 0.3 * ((alone.high or 0) - (alone.low or 0))


def test_a_system_on_some_rows_is_compared_on_those_alone() -> None:
    target, score = target_and_score()
    rows = np.arange(ROWS) % 4 != 0
    other = np.where(rows, score[::-1], 0.0)
    found = judged(target, a_system("candidate", score), a_system("legacy", other, rows))["legacy"]
    mine = values_of(Truth("binary", target[rows]), score[rows])["roc_auc"]
    theirs = values_of(Truth("binary", target[rows]), other[rows])["roc_auc"]
    assert found.metrics["roc_auc"].value == pytest.approx(theirs)
    assert found.improvement["roc_auc"].value == pytest.approx(mine - theirs)


def test_metrics_that_a_system_cannot_have_say_why() -> None:
    target, score = target_and_score()
    ranking = System("legacy", score, np.ones(ROWS, bool), frozenset({"roc_auc"}), "only ranking")
    found = judged(target, a_system("candidate", score), ranking)["legacy"]
    assert found.metrics["brier"].reason == "only ranking"
    assert found.improvement["brier"].reason == "legacy: only ranking"
    assert found.improvement["roc_auc"].low is not None


@pytest.mark.parametrize(
    ("task", "target", "expected"),
    [
        pytest.param("binary", [0, 0, 0, 1], 1, id="binary"),
        pytest.param("binary", [0, 0, 0, 0], 0, id="binary-class-absent"),
        pytest.param("multiclass", [0, 0, 0, 2, 2], 2, id="multiclass-counts-classes-that-are-there"),
        pytest.param("regression", [1.5, 2.5, 0.0], 3, id="regression-all-rows"),
    ],
)
def test_the_scarcest_class_is_counted(task: str, target: list[float], expected: int) -> None:
    assert scarcest(Truth(task, np.array(target, dtype=np.float64))) == expected


def test_each_metric_rests_on_its_own_rows() -> None:
    found = supports(Truth("binary", np.array([1.0, 1, 0, 0, 0])), np.array([0.9, 0.1, 0.8, 0.7, 0.2]))
    expected = {"recall": 2, "precision": 3, "false_positive_rate": 3, "accuracy": 5, "roc_auc": 2, "log_loss": 5}
    assert {name: found[name] for name in expected} == expected
