# SPDX-License-Identifier: Apache-2.0
"""Write the prepared rows in one pass over the snapshot: both matrices, the test part's rows and a sample."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.prepare.columns import naive_lag
from components.prepare.labels import Target
from components.prepare.matrix import Matrices
from components.prepare.series import Scales, series_of
from components.prepare.snapshot import Source
from components.prepare.split import TEST, VALIDATION, Codes, Parts
from kelp.errors import DataError
from kelp.frame.transform import Transform
from kelp.parquet import ParquetSink
from kelp.prepared import ENTITY, GROUP, LEGACY, NAIVE, SCALE, SERIES, TARGET, TIME
from kelp.prepared import VALIDATION as IS_KEPT_BACK
from kelp.spec import Model

REFERENCE_ROWS = 5_000
Progress = Callable[[int, int | None], None]
"""Called with rows done and rows in all, if known."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is known before rows are written.

    Attributes:
        windows: Parquet file of the windows of all rows; None without any.
        scales: of the series of a forecast.
    """

    model: Model
    source: Source
    parts: Parts
    target: Target
    transform: Transform
    windows: Path | None
    scales: Scales

    @property
    def encoded(self) -> list[str]:
        """Columns to read as dictionaries: categories."""
        return list(dict.fromkeys(f.column for f in self.transform.features if f.kind == "category"))

    @property
    def carried(self) -> list[str]:
        """Columns that are written beside the matrix, or needed for what is."""
        data, legacy = self.model.spec.data, self.model.spec.legacy
        groups = [name for name, column in data.columns.items() if column.protected]
        series = [str(data.time), *data.series.key] if data.series else []
        others = [data.entity, legacy.column if legacy else None]
        return list(dict.fromkeys([self.target.column, *groups, *series, *(name for name in others if name)]))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one part: the snapshot's columns, their windows by name, and their parts."""

    batch: Any
    windows: Mapping[str, NDArray[np.float64]]
    codes: Codes

    def where(self, is_wanted: NDArray[np.bool_]) -> "Chunk":
        """The rows that are wanted."""
        if is_wanted.all():
            return self
        windows = {name: values[is_wanted] for name, values in self.windows.items()}
        return Chunk(self.batch.filter(is_wanted), windows, self.codes[is_wanted])


def chunks(plan: Plan, columns: Sequence[str]) -> Iterator[Chunk]:
    """Every row with its windows, batch by batch, in the order of the snapshot."""
    import pyarrow.parquet as pq

    with ExitStack() as stack:
        windows: Iterator[Any] = iter(())
        names: list[str] = []
        if plan.windows is not None:
            names = [window.name for window in plan.transform.windows]
            windows = stack.enter_context(pq.ParquetFile(plan.windows)).iter_batches()
        read = _aligned(windows)
        start = 0
        for batch in plan.source.batches(columns, [name for name in plan.encoded if name in columns]):
            codes = plan.parts.codes[start : start + batch.num_rows]
            start += batch.num_rows
            found = read(batch.num_rows) if names else None
            yield Chunk(
                batch, {name: np.asarray(found.column(name)) for name in names} if found is not None else {}, codes
            )


def _aligned(batches: Iterator[Any]) -> Callable[[int], Any]:
    """Cut batches to the sizes that are asked for."""
    import pyarrow as pa

    waiting: list[Any] = []

    def read(rows: int) -> Any:
        while sum(batch.num_rows for batch in waiting) < rows:
            waiting.append(next(batches))
        table = pa.Table.from_batches(waiting)
        waiting[:] = table.slice(rows).to_batches()
        return table.slice(0, rows)

    return read


def write_rows(plan: Plan, prepared: Path, progress: Progress) -> None:
    """Write train, test, test_rows and reference.parquet."""
    names = [column.name for column in plan.transform.columns]
    writers = _Writers(plan)
    sample = _sample(plan)
    done = 0
    with ExitStack() as stack:
        sinks = {
            name: stack.enter_context(ParquetSink(prepared / f"{name}.parquet", schema))
            for name, schema in writers.schemas.items()
        }
        for chunk in chunks(plan, [*dict.fromkeys([*names, *plan.carried])]):
            for name, is_wanted in (("train", chunk.codes <= VALIDATION), ("test", chunk.codes == TEST)):
                if is_wanted.any():
                    part = chunk.where(is_wanted)
                    sinks[name].write(writers.matrix(part, name))
                    if name == "test":
                        sinks["test_rows"].write(writers.raw(part))
            end = done + len(chunk.codes)
            first, last = np.searchsorted(sample, (done, end))
            if last > first:
                is_wanted = np.zeros(len(chunk.codes), dtype=np.bool_)
                is_wanted[sample[first:last] - done] = True
                sinks["reference"].write(writers.raw(chunk.where(is_wanted)))
            done = end
            progress(done, plan.source.rows)


def _sample(plan: Plan) -> NDArray[np.int64]:
    rows = np.flatnonzero(plan.parts.is_training)
    if len(rows) > REFERENCE_ROWS:
        rng = np.random.default_rng(plan.model.spec.train.seed)
        rows = np.sort(rows[rng.choice(len(rows), REFERENCE_ROWS, replace=False)])
    return rows


class _Writers:
    """From chunks to the record batches of each file."""

    def __init__(self, plan: Plan) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._plan = plan
        self._matrices = Matrices(plan.transform)
        self._naive = f"{plan.target.column}.lag_{naive_lag(plan.model)}" if plan.model.spec.data.series else ""
        types = {field.name: field.type for field in pq.read_schema(plan.source.path)}
        types |= dict.fromkeys(plan.source.texts, pa.string())
        raw = [(column.name, types[column.name]) for column in plan.transform.columns]
        raw += [(window.name, pa.float64()) for window in plan.transform.windows]
        columns: list[tuple[str, Any]] = [(feature.name, pa.float32()) for feature in plan.transform.features]
        columns.append((TARGET, pa.int64() if plan.target.classes else pa.float64()))
        carried = list(self._carried_types())
        self.schemas = {
            "train": pa.schema([*columns, (IS_KEPT_BACK, pa.bool_()), *carried]),
            "test": pa.schema([*columns, *carried]),
            "test_rows": pa.schema(raw),
            "reference": pa.schema(raw),
        }

    def _carried_types(self) -> Iterator[tuple[str, Any]]:
        import pyarrow as pa

        data, legacy = self._plan.model.spec.data, self._plan.model.spec.legacy
        for name, column in data.columns.items():
            if column.protected:
                yield f"{GROUP}{name}", pa.string()
        if legacy is not None and legacy.column is not None:
            if self._plan.source.types[legacy.column] not in ("int", "float"):
                raise DataError(
                    f"expected numbers of the legacy system, found {self._plan.source.types[legacy.column]}",
                    place=f"column {legacy.column}",
                    fix=f"declare {legacy.column} as int or float in spec.data.columns",
                )
            yield LEGACY, pa.float64()
        if data.entity is not None:
            yield ENTITY, pa.string()
        if data.series is not None:
            yield from ((TIME, pa.timestamp("us")), (SERIES, pa.string()))
            yield from ((NAIVE, pa.float64()), (SCALE, pa.float64()))

    def matrix(self, chunk: Chunk, name: str) -> Any:
        """The rows of `train` or `test`."""
        import pyarrow as pa

        matrix = self._matrices.of(chunk.batch, chunk.windows)
        arrays = [pa.array(matrix[:, at]) for at in range(matrix.shape[1])]
        arrays.append(pa.array(self._plan.target.numbers(chunk.batch.column(self._plan.target.column))))
        if name == "train":
            arrays.append(pa.array(chunk.codes == VALIDATION))
        arrays += self._carried(chunk)
        return pa.record_batch(arrays, schema=self.schemas[name])

    def _carried(self, chunk: Chunk) -> Iterator[Any]:
        import pyarrow as pa

        data, legacy, batch = self._plan.model.spec.data, self._plan.model.spec.legacy, chunk.batch
        for name, column in data.columns.items():
            if column.protected:
                yield batch.column(name).cast(pa.string())
        if legacy is not None and legacy.column is not None:
            yield batch.column(legacy.column).cast(pa.float64())
        if data.entity is not None:
            yield batch.column(data.entity).cast(pa.string())
        if data.series is not None:
            series = series_of(batch, data.series.key)
            naive = chunk.windows[self._naive]
            yield batch.column(str(data.time)).cast(pa.timestamp("us"))
            yield series
            yield pa.array(naive, from_pandas=True)
            yield pa.array([self._plan.scales.get(name) for name in series.to_pylist()], pa.float64())

    def raw(self, chunk: Chunk) -> Any:
        """The rows of `test_rows` or `reference`: what a request would hold, and its windows."""
        import pyarrow as pa

        schema = self.schemas["reference"]
        arrays = [
            pa.array(chunk.windows[field.name], from_pandas=True)
            if field.name in chunk.windows
            else chunk.batch.column(field.name).cast(field.type)
            for field in schema
        ]
        return pa.record_batch(arrays, schema=schema)
