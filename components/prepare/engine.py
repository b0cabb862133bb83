# SPDX-License-Identifier: Apache-2.0
"""Where questions about many rows at once are answered: Ibis expressions, run by DuckDB or by Spark.

Both read Parquet files whose columns they call `c0`, `c1`, ... in the order of the file, so that a name from the data
is never SQL, and `row`, the position in the file. A timestamp is int64, in microseconds since 1970.
"""

import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

from kelp.errors import EnvironmentFault
from kelp.memory import memory_limit

SHARE_OF_MEMORY = 0.4
_SPARK_IS_CONFIGURED = ("PYSPARK_SUBMIT_ARGS", "SPARK_CONF_DIR", "SPARK_HOME", "SPARK_REMOTE")
MOST_MEMORY = 2**30  # bytes; DuckDB sorts what is larger on disk, at little cost


class Engine(Protocol):
    """Runs Ibis expressions over Parquet files."""

    def table(self, path: Path, name: str) -> Any:
        """The rows of a file as an ibis.Table; `name` is a word of ours, one a file."""
        ...

    def rows(self, expression: Any) -> list[dict[str, Any]]:
        """The few rows of a small answer."""
        ...

    def batches(self, expression: Any) -> Iterator[Any]:
        """The many rows of an ordered answer, as pyarrow.RecordBatch; ask nothing else before its end."""
        ...


def open_engine(kind: Literal["duckdb", "spark"], scratch: Path) -> AbstractContextManager[Engine]:
    """Start an engine, which ends with the block.

    Args:
        kind: `spec.data.engine`.
        scratch: an existing folder for what does not fit into memory.

    Raises:
        EnvironmentFault: Spark or its Java is not there, or memory or disk ran out.
    """
    return _spark(scratch) if kind == "spark" else _duckdb(scratch)


@contextmanager
def _duckdb(scratch: Path) -> Iterator[Engine]:
    import duckdb
    import ibis

    limit = min(int(memory_limit() * SHARE_OF_MEMORY), MOST_MEMORY)
    config: dict[str, Any] = {
        "preserve_insertion_order": True,
        "autoinstall_known_extensions": False,
        "memory_limit": f"{limit // 2**20}MiB",
        "temp_directory": str(scratch / "duckdb"),
    }
    with duckdb.connect(config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        try:
            yield _DuckDb(ibis.duckdb.from_connection(connection), connection)
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise EnvironmentFault(
                f"memory or disk ran out: {str(error).splitlines()[0]}", place="prepare", fix="give the step more"
            ) from error


class _DuckDb:
    def __init__(self, backend: Any, connection: Any) -> None:
        self._backend = backend
        self._connection = connection

    def table(self, path: Path, name: str) -> Any:
        import pyarrow.parquet as pq
        from pyarrow.types import is_timestamp

        schema = pq.read_schema(path)
        cells = [
            f"epoch_us(c{at}) AS c{at}" if is_timestamp(kind) else f"c{at}" for at, kind in enumerate(schema.types)
        ]
        names = ", ".join(f"c{at}" for at in range(len(schema)))
        file = "'" + glob.escape(str(path)).replace("'", "''") + "'"
        self._backend.raw_sql(
            f"CREATE OR REPLACE VIEW {name} AS SELECT {', '.join(cells)}, row"
            f" FROM read_parquet({file}, hive_partitioning=false, file_row_number=true) AS source({names}, row)"
        )
        return self._backend.table(name)

    def rows(self, expression: Any) -> list[dict[str, Any]]:
        return list(self._connection.execute(self._backend.compile(expression)).to_arrow_table().to_pylist())

    def batches(self, expression: Any) -> Iterator[Any]:
        yield from self._connection.execute(self._backend.compile(expression)).to_arrow_reader(131_072)


@contextmanager
def _spark(scratch: Path) -> Iterator[Engine]:
    session = _spark_session(scratch)
    try:
        import ibis

        yield _Spark(ibis.pyspark.connect(session), session, scratch)
    finally:
        session.stop()


def _spark_session(scratch: Path) -> Any:
    """A session as the environment configures it; on this machine where it says nothing."""
    try:
        from pyspark.errors import PySparkException, PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise EnvironmentFault(
            "expected pyspark, which `engine: spark` needs, found none",
            place="spec.data.engine",
            fix="install pyspark, or use engine: duckdb",
        ) from error
    settings: dict[str, bool | float | int | str | None] = {
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.caseSensitive": "true",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
    }
    if not any(name in os.environ for name in _SPARK_IS_CONFIGURED):
        settings |= {"spark.master": "local[*]", "spark.driver.host": "127.0.0.1"}
        settings["spark.driver.bindAddress"] = "127.0.0.1"
    builder = SparkSession.builder.appName("kelp prepare").config(map=settings)
    try:
        return builder.getOrCreate()
    except (PySparkException, PySparkRuntimeError, OSError) as error:
        raise EnvironmentFault(
            f"Spark does not start: {str(error).splitlines()[0]}",
            place="spec.data.engine",
            fix="install Java 17 and name it in JAVA_HOME, or use engine: duckdb",
        ) from error


class _Spark:
    def __init__(self, backend: Any, session: Any, scratch: Path) -> None:
        self._backend = backend
        self._session = session
        self._scratch = scratch

    def table(self, path: Path, name: str) -> Any:
        from pyspark.sql import functions

        frame = self._session.read.parquet(glob.escape(str(path.resolve())))
        kinds = [kind for _, kind in frame.dtypes]
        frame = frame.withColumn("row", functions.col("_metadata.row_index"))
        frame = frame.toDF(*(f"c{at}" for at in range(len(kinds))), "row")
        for at, kind in enumerate(kinds):
            if kind.startswith("timestamp"):
                frame = frame.withColumn(f"c{at}", functions.unix_micros(functions.col(f"c{at}").cast("timestamp")))
        frame.createOrReplaceTempView(name)
        return self._backend.table(name)

    def rows(self, expression: Any) -> list[dict[str, Any]]:
        return [row.asDict() for row in self._session.sql(self._backend.compile(expression)).collect()]

    def batches(self, expression: Any) -> Iterator[Any]:
        """Through files: one a partition, which Spark sorts and names in order."""
        import pyarrow.parquet as pq

        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            found = Path(folder) / "found"
            self._session.sql(self._backend.compile(expression)).write.parquet(found.as_uri())
            for path in sorted(found.glob("part-*.parquet")):
                with pq.ParquetFile(path) as file:
                    yield from file.iter_batches()
