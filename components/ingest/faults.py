# SPDX-License-Identifier: Apache-2.0
"""What libraries raise about a file of a source, as our own errors that name it."""

import csv
import errno
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from components.ingest.source import SourceFile
from kelp.errors import DataError, EnvironmentFault


@contextmanager
def file_faults(file: SourceFile) -> Iterator[None]:
    """Name the file in whatever the block raises.

    Raises:
        DataError: it is not what its name says, or damaged.
        EnvironmentFault: memory or disk ran out.
    """
    import duckdb

    try:
        yield
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise EnvironmentFault("memory ran out while reading", place=file.name, fix="give the step more") from error
    except (duckdb.Error, csv.Error, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EnvironmentFault("the disk is full", place=str(error.filename), fix="free some space") from error
        message = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"cannot be read as {file.format}: {message}", place=file.name, fix="write the file again"
        ) from error
