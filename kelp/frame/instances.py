# SPDX-License-Identifier: Apache-2.0
"""Rows of a typed Arrow table as a caller would send them: one JSON object a row."""

import math
from datetime import UTC, date, datetime
from typing import Any

from kelp.frame.transform import Transform


def instances_from_table(transform: Transform, table: Any) -> list[dict[str, Any]]:
    """The columns of every row in declared order, then the windows; missing is None, times are ISO 8601 in UTC.

    With its windows a row is answered alike by every server, whatever that has seen before.
    """
    names = [column.name for column in (*transform.columns, *transform.window_columns)]
    return [{name: _json_value(row[name]) for name in names} for row in table.select(names).to_pylist()]


def _json_value(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
