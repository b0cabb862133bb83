# SPDX-License-Identifier: Apache-2.0
"""The part of a spec about data: where it is, what its columns promise, how it is split."""

from typing import Literal

from pydantic import Field

from kelp.spec.types import ColumnName, Duration, Part, Percent, PositiveDuration, Scalar, parse_duration

ColumnType = Literal["int", "float", "bool", "string", "category", "timestamp", "text"]
Missing = Literal["median", "mean", "mode", "constant", "other", "drop"]


class Column(Part):
    """What a column promises, and what becomes of it."""

    type: ColumnType
    privacy: Literal["none", "pseudonymise", "drop"] = "none"
    min: float | None = Field(default=None, description="smaller values break the contract")
    max: float | None = Field(default=None, description="larger values break the contract")
    missing: Missing | None = Field(
        default=None, description="default: median for numbers, mode for booleans, other for categories"
    )
    fill: Scalar | None = Field(default=None, description="the value of `missing: constant`")
    clip: Percent | None = Field(
        default=None, description="numbers beyond this share at either end of the training part become its limit"
    )
    max_categories: int = Field(default=255, ge=1, le=100_000, description="the rest, by frequency, is `other`")
    monotone: Literal["increasing", "decreasing"] | None = Field(
        default=None, description="the score may only rise, or only fall, with this number (trainer xgboost)"
    )
    protected: bool = Field(default=False, description="a group that gates and the report compare")
    feature: bool | None = Field(
        default=None, description="default: yes, except for strings, ids, times, targets and private columns"
    )


class Split(Part):
    """How rows are divided into a training and a test part."""

    by: Literal["time", "entity", "row"] | None = Field(
        default=None, description="default: time if there is one, else entity, else row"
    )
    test: Percent = 0.2
    gap: Duration = Field(default=parse_duration("0d"), description="rows left out before the test part")


class Series(Part):
    """Forecasts only: what makes one series, and how far ahead to look."""

    key: tuple[ColumnName, ...]
    frequency: PositiveDuration
    horizon: PositiveDuration
    season: PositiveDuration | None = Field(
        default=None, description="default: 7d for a frequency of a day, 24h for one of hours, else the horizon"
    )
    known_ahead: tuple[ColumnName, ...] = ()


class Csv(Part):
    """How CSV files are written; what is left out is detected file by file."""

    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    quote: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: str | None = Field(default=None, description="utf-8, utf-16, latin-1, windows-1252, ...")
    header: bool | None = Field(default=None, description="no header: columns are called column_1, column_2, ...")
    decimal: Literal[".", ","] | None = None


class Data(Part):
    """The source and the contract of its columns."""

    source: str = Field(min_length=1, max_length=1000, description="data://, file:// or s3://; Parquet or CSV, a glob")
    target: ColumnName
    positive: str | None = Field(default=None, description="binary: the label that counts as positive")
    id: ColumnName | None = None
    time: ColumnName | None = None
    entity: ColumnName | None = None
    split: Split = Split()
    series: Series | None = None
    csv: Csv = Csv()
    engine: Literal["duckdb", "spark"] = "duckdb"
    max_bad_rows: Percent = 0.01
    retention: Duration = parse_duration("365d")
    columns: dict[ColumnName, Column] = Field(default_factory=dict)
    columns_closed: bool = False

    @property
    def split_by(self) -> str:
        """The split in force: as declared, else time, else entity, else row."""
        return self.split.by or ("time" if self.time else "entity" if self.entity else "row")


class Feature(Part):
    """One rolling feature: `take` of `over` in the last `window` of the same `by`."""

    name: ColumnName
    over: ColumnName
    by: ColumnName
    window: PositiveDuration
    take: Literal["count", "sum", "mean", "min", "max", "distinct", "since"]
