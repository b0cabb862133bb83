# SPDX-License-Identifier: Apache-2.0
from components.ingest.sql import query_memory


def test_queries_get_half_of_the_limit_and_what_duckdb_needs() -> None:
    assert query_memory(min(8 << 30, 4 << 30)) == 2 << 30
    assert query_memory(100 << 20) == 256 << 20
