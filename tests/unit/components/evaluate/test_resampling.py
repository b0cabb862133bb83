# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.stats import binom

from components.evaluate.comparison import judge
from components.evaluate.metrics import names_of, values_of
from components.evaluate.resampling import Setting, System, few_units_stretch, resample
from components.evaluate.series import blocks_of
from components.evaluate.truth import FloatArray, Truth, Units

HORIZON = 7
SECOND_US = 1_000_000


def forecasts(rng: np.random.Generator, series: int, steps: int) -> tuple[Truth, FloatArray]:
    """Errors that hang together over the horizon; of several series each has its own size and bias."""
    noise = rng.normal(size=(series, steps + HORIZON - 1))
    error = np.lib.stride_tricks.sliding_window_view(noise, HORIZON, axis=1).sum(axis=2) / np.sqrt(HORIZON)
    if series > 1:
        error = np.exp(0.3 * rng.normal(size=(series, 1))) * (error + 0.4 * rng.normal(size=(series, 1)))
    target = 10 + rng.normal(size=error.shape).ravel()
    units, time_us = Units(np.repeat(np.arange(series), steps), series), np.tile(np.arange(steps) * SECOND_US, series)
    blocks, _ = blocks_of(units, time_us, SECOND_US, HORIZON * SECOND_US)
    return Truth("forecast", target, scale=np.ones(len(target)), blocks=blocks), target + error.ravel()


def a_system(score: FloatArray) -> System:
    return System("candidate", score, np.ones(len(score), dtype=bool), frozenset(names_of("forecast")))


@pytest.mark.parametrize(
    ("series", "steps"), [pytest.param(30, 30, id="whole-series"), pytest.param(1, 140, id="stretches-of-time")]
)
def test_resamples_of_what_hangs_together_vary_as_much_as_samples_do(series: int, steps: int) -> None:
    rng = np.random.default_rng(0)
    column, found, drawn = names_of("forecast").index("mae"), [], []
    for _ in range(120):
        truth, score = forecasts(rng, series, steps)
        found.append(values_of(truth, score)["mae"])
    for _ in range(12):
        truth, score = forecasts(rng, series, steps)
        drawn.append(resample(Setting(0.95, rng), truth, [a_system(score)])["candidate"].deviations[:, column].std())
    assert np.mean(drawn) == pytest.approx(np.std(found), rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("series", "steps", "most"),
    [
        pytest.param(12, 40, 0.07, id="12-series"),
        pytest.param(30, 40, 0.05, id="30-series"),
        pytest.param(1, 56, 0.09, id="8-stretches"),
        pytest.param(1, 140, 0.07, id="20-stretches"),
    ],
)
def test_bounds_of_forecasts_are_wrong_as_rarely_as_stated(series: int, steps: int, most: float) -> None:
    rng, repeats, misses = np.random.default_rng(7), 300, [0, 0]
    many = (20_000, 40) if series > 1 else (1, 1_000_000)
    expected = values_of(*forecasts(np.random.default_rng(1), *many))["mase"]
    for _ in range(repeats):
        truth, score = forecasts(rng, series, steps)
        estimate = judge(Setting(0.95, rng), truth, [a_system(score)])["candidate"].metrics["mase"]
        assert estimate.low is not None
        assert estimate.high is not None
        misses[0] += expected < estimate.low
        misses[1] += expected > estimate.high
    assert misses[0] <= binom.ppf(0.999, repeats, 0.025)
    assert misses[1] <= binom.ppf(0.999, repeats, most)


def test_a_single_unit_cannot_be_stretched_and_many_hardly_are() -> None:
    assert few_units_stretch(1, 0.95) == 1.0
    assert few_units_stretch(8, 0.95) == pytest.approx(np.sqrt(8 / 7) * 2.3646 / 1.9600, rel=1e-4)
    assert few_units_stretch(10_000, 0.95) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.slow
def test_a_sample_of_many_units_gives_nearly_the_interval_of_all() -> None:
    rng = np.random.default_rng(3)
    of_row = np.repeat(np.arange(60_000), 2)
    target = np.tile([1.0, 0.0], 60_000)
    truth = Truth("binary", target, entities=Units(of_row, 60_000))
    system = System("candidate", rng.random(120_000), np.ones(120_000, dtype=bool), frozenset(names_of("binary")))
    sample = resample(Setting(0.95, rng), truth, [system])["candidate"]
    half = (1 - 1 / np.log2(3)) / 2  # each entity's value is one of two
    assert sample.deviations[:, names_of("binary").index("ndcg_at_10")].std() == pytest.approx(
        half / np.sqrt(60_000), rel=0.15
    )
