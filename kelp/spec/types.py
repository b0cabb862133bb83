# SPDX-License-Identifier: Apache-2.0
"""The spec's own words for values: durations, percents, quantities, names.

Each type reads what a person writes and writes it back the same; its JSON Schema accepts what the type accepts.
"""

import math
import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from kelp.spec.cron import check_cron

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
# Patterns are of the dialect that Python, JavaScript and Go share: editors and the API server use them as they are.
_DURATION = r"(0|[1-9][0-9]{0,8})(ms|s|m|h|d)"
_POSITIVE_DURATION = r"[1-9][0-9]{0,8}(?:ms|s|m|h|d)"
PERCENT = r"((?:100(?:\.0{1,6})?)|(?:[0-9]{1,2}(?:\.[0-9]{1,6})?))%"
_QUANTITY = r"[0-9]{1,12}(?:\.[0-9]{1,9})?(?:m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?"
_NAME = r"[a-z](?:[-a-z0-9]{0,38}[a-z0-9])?"
_TIME_ZONE = r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*"
_LABEL = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"


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
    """`50ms`, `24h`, `7d`: a whole number and one unit of ms, s, m, h, d.

    Raises:
        ValueError: it is something else.
    """
    match = re.fullmatch(_DURATION, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a whole number with a unit of ms, s, m, h or d, such as 24h")
    return timedelta(milliseconds=int(match[1]) * _UNITS_MS[match[2]])


def format_duration(value: timedelta) -> str:
    """The shortest spelling that `parse_duration` reads back as the same value; `value` is whole milliseconds."""
    milliseconds = value // timedelta(milliseconds=1)
    unit = next((unit for unit in ("d", "h", "m", "s") if milliseconds % _UNITS_MS[unit] == 0), "ms")
    return f"{milliseconds // _UNITS_MS[unit]}{unit}"


def parse_percent(value: Any) -> float:
    """`20%` is 0.2; a bare number is refused, it could mean either.

    Raises:
        ValueError: it is not a number from 0 to 100, with at most six decimals, and a percent sign.
    """
    match = re.fullmatch(PERCENT, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a percentage from 0% to 100%, such as 20%")
    return round(float(match[1]) / 100, 8)


def format_percent(value: float) -> str:
    """0.2 is `20%`; six decimals, without zeros at the end."""
    return f"{value * 100:.6f}".rstrip("0").rstrip(".") + "%"


def _more_than_none(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("expected a duration of more than 0")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(_NAME, value):
        raise ValueError(
            "expected at most 40 lower-case letters, digits and hyphens, starting with a letter (DNS-1123)"
        )
    return value


def _label(value: str) -> str:
    if not re.fullmatch(_LABEL, value):
        raise ValueError("expected at most 63 letters, digits, dots, hyphens and underscores, as in Kubernetes")
    return value


def _time_zone(value: str) -> str:
    if not re.fullmatch(_TIME_ZONE, value):
        raise ValueError("expected a name of the time zone database, such as UTC or Europe/Berlin")
    return value


def _quantity(value: Any) -> str:
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(_QUANTITY, text):
        raise ValueError("expected a Kubernetes quantity, such as 500m or 4Gi")
    return text


def _scalar(value: Any) -> int | float | str | bool:
    if not isinstance(value, int | float | str):
        raise ValueError("expected a number, a word, true or false")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("expected a finite number")
    return value


def _text(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "examples": [example]})


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration), _text(_DURATION, "24h")
]
PositiveDuration = Annotated[Duration, AfterValidator(_more_than_none), _text(_POSITIVE_DURATION, "24h")]
Percent = Annotated[float, BeforeValidator(parse_percent), PlainSerializer(format_percent), _text(PERCENT, "20%")]
Quantity = Annotated[
    str,
    BeforeValidator(_quantity),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": f"^{_QUANTITY}$"}, {"type": "number", "minimum": 0}],
            "examples": ["4Gi"],
        }
    ),
]
ModelName = Annotated[str, AfterValidator(_name), _text(_NAME, "fraud")]
LabelValue = Annotated[str, AfterValidator(_label), _text(_LABEL, "finance")]
TimeZone = Annotated[str, AfterValidator(_time_zone), _text(_TIME_ZONE, "UTC")]
Cron = Annotated[str, AfterValidator(check_cron), WithJsonSchema({"type": "string", "examples": ["0 3 * * 1"]})]
Scalar = Annotated[Any, BeforeValidator(_scalar), WithJsonSchema({"type": ["number", "string", "boolean"]})]
Text = Annotated[str, Field(max_length=2000)]
ColumnName = Annotated[str, Field(min_length=1, max_length=200)]
