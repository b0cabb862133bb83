# SPDX-License-Identifier: Apache-2.0
"""Five-field cron as a Kubernetes CronJob reads it (robfig/cron's standard parser): checked here, run elsewhere."""

import re
from dataclasses import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_ITEM = re.compile(r"(?P<first>\*|[0-9]{1,2}|[a-z]{3})(?:-(?P<last>[0-9]{1,2}|[a-z]{3}))?(?:/(?P<step>[0-9]{1,2}))?")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()

    def number(self, text: str) -> int | None:
        """The number that a word or a number of this field means, or None."""
        if text in self.words:
            return self.words.index(text) + self.low
        return int(text) if text.isdigit() and self.low <= int(text) <= self.high else None


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 6, _DAYS),
)


def check_cron(value: str) -> str:
    """Return the expression if a CronJob accepts it.

    Raises:
        ValueError: naming the field that is wrong.
    """
    texts = value.split()
    if len(texts) == 6:
        raise ValueError(
            "expected five cron fields as in Kubernetes, found six; leave out the field of seconds, "
            "kelp writes it where Kubeflow Pipelines wants it"
        )
    if len(texts) != 5:
        raise ValueError(f"expected five cron fields (minute hour day month weekday), found {len(texts)}")
    for field, text in zip(_FIELDS, texts, strict=True):
        if not all(_is_right(field, item.lower()) for item in text.split(",")):
            words = f", {field.words[0]} to {field.words[-1]}" if field.words else ""
            raise ValueError(
                f"expected the {field.name} to be made of {field.low} to {field.high}{words}, *, -, / and commas, "
                f"found {text!r}"
            )
    return value


def _is_right(field: _Field, item: str) -> bool:
    match = _ITEM.fullmatch(item)
    if match is None or match["step"] in ("0", "00"):
        return False
    if match["first"] == "*":
        return match["last"] is None
    first = field.number(match["first"])
    last = field.number(match["last"]) if match["last"] else first
    return first is not None and last is not None and first <= last
