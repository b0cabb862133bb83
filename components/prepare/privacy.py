# SPDX-License-Identifier: Apache-2.0
"""Privacy rules of columns: drop them, or put a keyed pseudonym in the place of every value."""

import hashlib
import hmac
from typing import Any

from kelp.errors import InputError
from kelp.home import PSEUDONYM_KEY, Home
from kelp.spec import Model


def protect(table: Any, model: Model, home: Home) -> Any:
    """Drop and pseudonymise columns before anything else looks at their values.

    Raises:
        InputError: the target or the time would become a pseudonym, of which nothing can be learnt.
    """
    import pyarrow as pa

    private = {name: column.privacy for name, column in model.spec.data.columns.items() if column.privacy != "none"}
    table = table.drop_columns([name for name, rule in private.items() if rule == "drop"])
    for name in (model.spec.data.target, model.spec.data.time):
        if private.get(str(name)) == "pseudonymise":
            raise InputError(
                "expected the target and the time as they are, found pseudonymise",
                place=f"spec.data.columns.{name}.privacy",
                fix="leave the rule out",
            )
    for name in (name for name, rule in private.items() if rule == "pseudonymise"):
        key = home.secret(PSEUDONYM_KEY)
        encoded = table.column(name).combine_chunks().dictionary_encode()
        pseudonyms = pa.array([_pseudonym(key, value) for value in encoded.dictionary.to_pylist()], pa.string())
        hidden = pa.DictionaryArray.from_arrays(encoded.indices, pseudonyms).cast(pa.string())
        table = table.set_column(table.column_names.index(name), name, hidden)
    return table


def _pseudonym(key: bytes, value: object) -> str:
    """Keyed HMAC-SHA256 (RFC 2104) of the value's text, 32 hex digits."""
    return hmac.new(key, str(value).encode(), hashlib.sha256).hexdigest()[:32]
