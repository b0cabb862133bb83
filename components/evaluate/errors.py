# SPDX-License-Identifier: Apache-2.0
"""Metrics of how far values are off, of regressions and forecasts. Pure; `metrics` lists them."""

import numpy as np

from components.evaluate.truth import FloatArray, Statistic, Truth, sums_statistic


def regression_errors(truth: Truth, score: FloatArray) -> Statistic:
    """Return rmse, mae and r2."""
    error, centred = score - truth.target, truth.target - truth.target.mean()
    columns = np.stack([error**2, np.abs(error), centred**2, centred, np.ones_like(error)], axis=1)

    def combine(sums: FloatArray) -> list[FloatArray]:
        squared, absolute, around_mean, shift, rows = sums
        spread = around_mean - shift**2 / rows
        return [np.sqrt(squared / rows), absolute / rows, 1 - squared / spread]

    return sums_statistic(columns, combine)


def forecast_errors(truth: Truth, score: FloatArray) -> Statistic:
    """Return mase, wape, rmse and mae, with weights of blocks.

    MASE (Hyndman & Koehler, Int. J. Forecasting 2006) scales a row's error by the seasonal naive error of its series
    in the training part; rows without one take no part in it. WAPE is the sum of errors over the sum of |target|.
    """
    error = np.abs(score - truth.target)
    scale = np.full(len(error), np.nan) if truth.scale is None else truth.scale
    is_scaled = np.isfinite(scale)
    scaled = np.where(is_scaled, error / np.where(is_scaled, scale, 1.0), 0.0)
    columns = np.stack([scaled, is_scaled, error, np.abs(truth.target), error**2, np.ones_like(error)], axis=1)

    def combine(sums: FloatArray) -> list[FloatArray]:
        scaled, with_scale, absolute, size, squared, rows = sums
        return [scaled / with_scale, absolute / size, np.sqrt(squared / rows), absolute / rows]

    return sums_statistic(truth.units("block").sums(columns), combine)
