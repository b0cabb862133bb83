# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of a spec, for editors; made from the same classes that check it."""

from typing import Any

from kelp.spec.model import Model


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `models/<name>.yaml`."""
    schema = Model.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "kelp Model"}
