# SPDX-License-Identifier: Apache-2.0
"""The spec's own words for values: durations, percents, quantities, names, five-field cron."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"^(\d{1,9})(ms|s|m|h|d)$")
_PERCENT = re.compile(r"^(\d{1,3}(?:\.\d{1,6})?)%$")
_QUANTITY = re.compile(r"^\d{1,12}(?:\.\d{1,9})?(?:m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$")
_NAME = re.compile(r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$")
_CRON_FIELD = re.compile(r"^(\*|\d{1,2}|[A-Za-z]{3})(-(\d{1,2}|[A-Za-z]{3}))?(/\d{1,2})?$")


def camel(name: str) -> str:
    """The YAML spelling of a Python field: `max_bad_rows` is `maxBadRows`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


class Part(BaseModel):
    """Base of every part of a spec: frozen, camelCase in YAML, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=camel, populate_by_name=False, allow_inf_nan=False
    )


def parse_duration(value: Any) -> timedelta:
    """`50ms`, `24h`, `7d`: a whole number and one unit of ms, s, m, h, d."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a whole number with a unit of ms, s, m, h or d, such as 24h")
    return timedelta(milliseconds=int(match[1]) * _UNITS_MS[match[2]])


def format_duration(value: timedelta) -> str:
    """The shortest spelling that `parse_duration` reads back as the same value."""
    milliseconds = value // timedelta(milliseconds=1)
    unit = next((unit for unit in ("d", "h", "m", "s") if milliseconds % _UNITS_MS[unit] == 0), "ms")
    return f"{milliseconds // _UNITS_MS[unit]}{unit}"


def parse_percent(value: Any) -> float:
    """`20%` is 0.2; a bare number is refused, it could mean either."""
    if isinstance(value, float) and 0 <= value <= 1:  # a default of ours
        return value
    match = _PERCENT.match(value) if isinstance(value, str) else None
    if match is None or float(match[1]) > 100:
        raise ValueError("expected a percentage from 0% to 100%, such as 20%")
    return round(float(match[1]) / 100, 10)


def format_percent(value: float) -> str:
    """0.2 is `20%`."""
    return f"{round(value * 100, 8):.10g}%"


def _name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError(
            "expected at most 40 lower-case letters, digits and hyphens, starting with a letter (DNS-1123)"
        )
    return value


def _quantity(value: Any) -> str:
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _QUANTITY.match(text):
        raise ValueError("expected a Kubernetes quantity, such as 500m or 4Gi")
    return text


def _cron(value: str) -> str:
    fields = value.split()
    if len(fields) == 6:
        raise ValueError(
            "expected five cron fields as in Kubernetes, found six; leave out the field of seconds, "
            "kelp writes it where Kubeflow Pipelines wants it"
        )
    if len(fields) != 5:
        raise ValueError(f"expected five cron fields (minute hour day month weekday), found {len(fields)}")
    limits = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    for field, (low, high) in zip(fields, limits, strict=True):
        for item in field.split(","):
            numbers = [int(number) for number in re.findall(r"\d+", item.split("/")[0])]
            if not _CRON_FIELD.match(item) or not all(low <= number <= high for number in numbers):
                raise ValueError(f"expected {field!r} to be made of numbers from {low} to {high}, *, -, / and commas")
    return value


def _scalar(value: Any) -> int | float | str | bool:
    if not isinstance(value, int | float | str):
        raise ValueError("expected a number, a word, true or false")
    return value


def _schema(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration), _schema(_DURATION.pattern, "24h")
]
Percent = Annotated[
    float, BeforeValidator(parse_percent), PlainSerializer(format_percent), _schema(_PERCENT.pattern, "20%")
]
Quantity = Annotated[str, BeforeValidator(_quantity), _schema(_QUANTITY.pattern, "4Gi")]
ModelName = Annotated[str, AfterValidator(_name), _schema(_NAME.pattern, "fraud")]
Cron = Annotated[str, AfterValidator(_cron), WithJsonSchema({"type": "string", "examples": ["0 3 * * 1"]})]
Scalar = Annotated[Any, BeforeValidator(_scalar), WithJsonSchema({"type": ["number", "string", "boolean"]})]
Text = Annotated[str, Field(max_length=2000)]
ColumnName = Annotated[str, Field(min_length=1, max_length=200)]
