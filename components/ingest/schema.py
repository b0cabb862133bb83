# SPDX-License-Identifier: Apache-2.0
"""One schema for the files of a source, by the names of their columns."""

from collections.abc import Mapping, Sequence

from components.ingest.read import EMPTY
from kelp.errors import DataError

_NUMBERS = ("BIGINT", "HUGEINT", "DOUBLE")  # each holds the ones before it


def common_types(files: Sequence[tuple[str, Mapping[str, str]]]) -> dict[str, str]:
    """Return the columns of the first file, each with a type that holds its values in every file.

    Args:
        files: the name of each, at least one, and the types of its columns in `raw`.

    Raises:
        DataError: a file has other columns, or a column holds other things than in the files before it.
    """
    (first, columns), *others = files
    types = dict(columns)
    for other, found in others:
        differences = [f"no column {name!r}" for name in types if name not in found]
        differences += [f"a new column {name!r}" for name in found if name not in types]
        if differences:
            raise DataError(
                f"expected the columns of {first}, found {', '.join(differences[:5])}",
                place=other,
                fix="bring all files of the source to one schema",
            )
        for name, kind in found.items():
            common = _common_type(types[name], kind)
            if not common:
                raise DataError(
                    f"expected {types[name]} in column {name!r} as in {first}, found {kind}",
                    place=other,
                    fix="bring all files of the source to one schema",
                )
            types[name] = common
    return {name: "VARCHAR" if kind == EMPTY else kind for name, kind in types.items()}


def _common_type(one: str, other: str) -> str:
    """The type that holds both, or nothing."""
    if one in (other, EMPTY) or other == EMPTY:
        return other if one == EMPTY else one
    if one in _NUMBERS and other in _NUMBERS:
        return max(one, other, key=_NUMBERS.index)
    return ""
