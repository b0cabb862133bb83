# SPDX-License-Identifier: Apache-2.0
"""Numbers and dates as people write them, in SQL: `1.234,56`, `31.12.2024`, `12/31/2024`."""

from typing import Literal

Spelling = Literal["plain", "comma", "day-first", "month-first"]

_COMMA = r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?([eE][+-]?\d+)?"
_DATE = r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})((?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?)$"


def spelled(value: str, spelling: Spelling) -> str:
    """Return SQL: a text as DuckDB's casts read it, NULL where it is not in this spelling.

    Args:
        value: SQL of a VARCHAR; of any type if the spelling is plain.
        spelling: of a column's numbers or times.
    """
    match spelling:
        case "comma":
            digits = f"replace(replace({value}, '.', ''), ',', '.')"
            return f"CASE WHEN regexp_full_match({value}, '{_COMMA}') THEN {digits} END"
        case "day-first":
            return _date(value, r"\3-\2-\1\4")
        case "month-first":
            return _date(value, r"\3-\1-\2\4")
    return value


def offset(value: str) -> str:
    """Return SQL: the distance to UTC that a timestamp's text ends with, as `+0200`; without one it is UTC."""
    found = rf"regexp_extract({value}, ':\d{{2}}(?:\.\d+)?\s*([+-]\d{{2}}(?::?\d{{2}})?)$', 1)"
    return f"CASE WHEN {found} = '' THEN '+0000' ELSE rpad(replace({found}, ':', ''), 5, '0') END"


def _date(value: str, order: str) -> str:
    return f"CASE WHEN regexp_matches({value}, '{_DATE}') THEN regexp_replace({value}, '{_DATE}', '{order}') END"
