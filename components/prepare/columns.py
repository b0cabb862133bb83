# SPDX-License-Identifier: Apache-2.0
"""Decide what a request has to send and which windows it needs: from the spec and the columns' types alone."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from components.prepare.snapshot import Source
from components.prepare.windows import NUMBERS
from kelp.errors import DataError, InputError
from kelp.frame.parts import TAKES_OF_NUMBERS, Window
from kelp.frame.transform import RawColumn
from kelp.spec import Model

LAGS = 7
_MICROSECOND = timedelta(microseconds=1)


def feature_columns(model: Model, source: Source) -> tuple[str, ...]:
    """The columns that are features by themselves, in the source's order."""
    data = model.spec.data
    if data.series is not None:
        chosen = {data.time, *data.series.key, *data.series.known_ahead}
        return tuple(name for name in source.types if name in chosen)
    return tuple(name for name, kind in source.types.items() if _is_feature(model, name, kind))


def _is_feature(model: Model, name: str, kind: str) -> bool:
    data = model.spec.data
    contract = data.columns.get(name)
    if name == data.target or (contract is not None and contract.privacy == "drop"):
        return False
    if contract is not None and contract.feature is not None:
        return contract.feature
    legacy = model.spec.legacy.column if model.spec.legacy else None
    is_private = contract is not None and contract.privacy != "none"
    return name not in (data.id, data.time, data.entity, legacy) and kind != "string" and not is_private


def windows_of(model: Model, source: Source) -> tuple[Window, ...]:
    """The windows of the spec, or of a forecast, with units of 1.

    Raises:
        DataError: a window takes a number of a column that holds none.
        InputError: a forecast with features of its own.
    """
    if model.spec.data.series is not None:
        if model.spec.features:
            raise InputError(
                "expected none with task forecast, which has windows of its own",
                place="spec.features",
                fix="leave them out",
            )
        return tuple(_forecast_windows(model))
    return tuple(_rolling_windows(model, source.types))


def _rolling_windows(model: Model, types: Mapping[str, str]) -> Iterator[Window]:
    for index, feature in enumerate(model.spec.features):
        if feature.take in TAKES_OF_NUMBERS and types[feature.over] not in NUMBERS:
            raise DataError(
                f"expected numbers to take the {feature.take} of, found {types[feature.over]}",
                place=f"spec.features[{index}].over: column {feature.over}",
                fix="take count, distinct or since, or declare the column as int or float",
            )
        yield Window(
            name=feature.name,
            by=(feature.by,),
            over=feature.over,
            take=feature.take,
            start_us=feature.window // _MICROSECOND,
            end_us=1,
        )


def forecast_steps(model: Model) -> tuple[int, int, int]:
    """Microseconds of a step, steps of the horizon, steps of the season.

    Without a season in the spec it is a week of days, a day of whole parts of a day, else the horizon.
    """
    series = model.spec.data.series
    if series is None:
        raise InputError("expected key, frequency and horizon, found nothing", place="spec.data.series")
    day = timedelta(days=1)
    season = series.season or series.horizon
    if series.season is None and series.frequency == day:
        season = 7 * day
    elif series.season is None and series.frequency < day and not day % series.frequency:
        season = day
    return series.frequency // _MICROSECOND, series.horizon // series.frequency, season // series.frequency


def naive_lag(model: Model) -> int:
    """Steps back to the seasonal naive forecast: the smallest multiple of the season from the horizon on."""
    _, horizon, season = forecast_steps(model)
    return -(-horizon // season) * season


def _forecast_windows(model: Model) -> Iterator[Window]:
    """Lags and rolling means of the target, none newer than the horizon: every answer is made as if that far ahead."""
    step, horizon, season = forecast_steps(model)
    nearest = naive_lag(model)
    lags = dict.fromkeys([*range(horizon, horizon + LAGS), *range(nearest, nearest + 3 * season, season)])
    for lag in lags:
        yield _target_window(model, f"lag_{lag}", lag * step, lag * step)
    for spread in (season, 4 * season):
        yield _target_window(model, f"mean_{spread}", (horizon + spread - 1) * step, horizon * step)


def _target_window(model: Model, name: str, start_us: int, end_us: int) -> Window:
    data = model.spec.data
    by = data.series.key if data.series else ()
    return Window(name=f"{data.target}.{name}", by=by, over=data.target, take="mean", start_us=start_us, end_us=end_us)


def raw_columns(
    model: Model, source: Source, features: tuple[str, ...], windows: tuple[Window, ...]
) -> list[RawColumn]:
    """What a caller sends: the features' columns and what windows read, in the source's order."""
    wanted = set(features)
    for window in windows:
        wanted |= {str(model.spec.data.time), *window.by, window.over}
    return [_raw_column(model, source, name) for name in source.types if name in wanted]


def _raw_column(model: Model, source: Source, name: str) -> RawColumn:
    data, kind = model.spec.data, source.types[name]
    if name == data.target:  # of a forecast: a request with it is an observation, one without it asks
        return RawColumn(name=name, type="float", nullable=True, optional=True)
    contract = data.columns.get(name)
    has_bounds = contract is not None and kind in ("int", "float")
    return RawColumn.model_validate(
        {
            "name": name,
            "type": kind,
            "nullable": name != data.time and (contract is None or contract.missing != "drop"),
            "min": contract.min if contract and has_bounds else None,
            "max": contract.max if contract and has_bounds else None,
            "private": name in source.private,
        }
    )
