# SPDX-License-Identifier: Apache-2.0
"""Read a snapshot batch by batch: the types of its columns, private values as pseudonyms, never all rows at once."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.prepare.distinct import Remembered, text_of
from kelp.errors import DataError, InputError
from kelp.frame.pseudonym import pseudonym
from kelp.home import PSEUDONYM_KEY, Home
from kelp.spec import Model

BATCH_ROWS = 131_072


@dataclass(frozen=True, slots=True)
class Source:
    """The rows of a snapshot.

    Attributes:
        path: the Parquet file.
        types: each column's type, in the source's order; a column in `texts` is a string.
        texts: what makes texts of the values of a column as it is read: pseudonyms of private ones.
        names: the columns in the order of the file.
        rows: how many there are.
        private: the columns whose values become pseudonyms.
    """

    path: Path
    types: Mapping[str, str]
    texts: Mapping[str, Callable[[Any], Any]]
    names: tuple[str, ...]
    rows: int
    private: frozenset[str] = field(default_factory=frozenset)

    def batches(self, columns: Sequence[str], encoded: Sequence[str] = ()) -> Iterator[Any]:
        """Read columns, in the order of the rows.

        Args:
            columns: names of columns.
            encoded: those of them to read as dictionaries.

        Yields:
            pyarrow.RecordBatch of at most `BATCH_ROWS` rows.
        """
        import pyarrow.parquet as pq

        whole = [name for name in encoded if name not in self.texts]
        with pq.ParquetFile(self.path, read_dictionary=whole, pre_buffer=True) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(dict.fromkeys(columns))):
                arrays = {name: self._read(name, batch.column(name)) for name in columns}
                yield _record_batch(arrays, batch.num_rows)

    def _read(self, name: str, cells: Any) -> Any:
        return self.texts[name](cells) if name in self.texts else cells


def _record_batch(arrays: Mapping[str, Any], rows: int) -> Any:
    import pyarrow as pa

    if not arrays:
        return pa.record_batch([pa.nulls(rows)], names=["none"])
    return pa.record_batch(list(arrays.values()), names=list(arrays))


def open_source(model: Model, home: Home, snapshot: Path) -> Source:
    """Look at what ingest wrote.

    Raises:
        DataError: a column that the spec names is absent, or the key of a series cannot be one.
        InputError: the target or the time would become a pseudonym, of which nothing can be learnt.
    """
    import pyarrow.parquet as pq

    path = snapshot / "data.parquet"
    types = {name: str(column["type"]) for name, column in _ingested(snapshot).items()}
    metadata = pq.read_metadata(path)
    _refuse_absent(model, types)
    private = _private(model)
    texts: dict[str, Callable[[Any], Any]] = {}
    if private:
        key = home.secret(PSEUDONYM_KEY)
        texts = {name: Remembered(lambda value: pseudonym(key, text_of(value))) for name in private}
    for name in _keys_that_are_no_texts(model, types):
        texts.setdefault(name, Remembered(text_of))
    return Source(
        path=path,
        types={name: "string" if name in texts else kind for name, kind in types.items()},
        texts=texts,
        names=tuple(metadata.schema.to_arrow_schema().names),
        rows=metadata.num_rows,
        private=frozenset(private),
    )


def _ingested(snapshot: Path) -> dict[str, Any]:
    return dict(json.loads((snapshot / "ingest.json").read_text(encoding="utf-8"))["columns"])


def _private(model: Model) -> list[str]:
    private = [name for name, column in model.spec.data.columns.items() if column.privacy == "pseudonymise"]
    for name in (model.spec.data.target, model.spec.data.time):
        if name in private:
            raise InputError(
                "expected the target and the time as they are, found pseudonymise",
                place=f"spec.data.columns.{name}.privacy",
                fix="leave the rule out",
            )
    return private


def _keys_that_are_no_texts(model: Model, types: Mapping[str, str]) -> Iterator[str]:
    """The key of a series is always text, so that it can be a category."""
    for name in model.spec.data.series.key if model.spec.data.series else ():
        if types[name] in ("int", "bool"):
            yield name
        elif types[name] not in ("string", "category"):
            raise DataError(
                f"expected texts or whole numbers as the key of a series, found {types[name]}",
                place=f"column {name}",
                fix="declare the column as category in spec.data.columns",
            )


def _refuse_absent(model: Model, types: Mapping[str, str]) -> None:
    data = model.spec.data
    wanted = {"spec.data.target": data.target, "spec.data.time": data.time, "spec.data.entity": data.entity}
    for index, feature in enumerate(model.spec.features):
        wanted |= {f"spec.features[{index}].by": feature.by, f"spec.features[{index}].over": feature.over}
    if data.series is not None:
        wanted |= {f"spec.data.series.key[{index}]": name for index, name in enumerate(data.series.key)}
        wanted |= {f"spec.data.series.knownAhead[{index}]": name for index, name in enumerate(data.series.known_ahead)}
    for place, name in wanted.items():
        if name is not None and name not in types:
            raise DataError(
                f"expected a column {name!r}, found {', '.join(list(types)[:12])}",
                place=place,
                fix="correct the name in the spec or the data",
            )
