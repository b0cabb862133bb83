# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of a spec, for editors; made from the same classes that check it."""

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from kelp.spec.model import Model
from kelp.spec.types import PERCENT, Part, format_duration, format_percent


class _AsWritten(GenerateJsonSchema):
    """States defaults the way a person writes them: `24h` and `20%`, not `P1D` and 0.2."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        written = super().default_schema(schema)
        default: Any = schema.get("default")
        if isinstance(default, Part):
            del written["default"]  # its own fields say theirs
        elif PERCENT in written.get("pattern", ""):
            written["default"] = format_percent(default)
        return written

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `models/<name>.yaml`."""
    schema = Model.model_json_schema(by_alias=True, mode="validation", schema_generator=_AsWritten)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "kelp Model"}
