# SPDX-License-Identifier: Apache-2.0
import pytest

from components.ingest.profile import ColumnProfile, profile
from kelp.errors import DataError
from tests.unit.components.ingest.factories import Bench


def test_every_column_is_described_in_order(bench: Bench) -> None:
    bench.write("a.csv", "word,number,label\na,1.5,yes\n,2,no\na,,no\n")
    assert profile("data://table", "label", bench.home) == [
        ColumnProfile("word", "category", rows=3, missing=1, distinct=1, labels=("a",)),
        ColumnProfile("number", "float", rows=3, missing=1, distinct=2, labels=("1.5", "2")),
        ColumnProfile("label", "category", rows=3, missing=0, distinct=2, labels=("no", "yes")),
    ]


def test_many_values_are_not_listed(bench: Bench) -> None:
    bench.write("a.csv", "x,label\n" + "".join(f"{number},yes\n" for number in range(30)))
    assert profile("data://table", "label", bench.home)[0].labels == ()


def test_a_target_that_is_not_there_is_refused(bench: Bench) -> None:
    bench.write("a.csv", "x,label\n1,yes\n")
    with pytest.raises(DataError, match="expected a column 'churn', found x, label") as caught:
        profile("data://table", "churn", bench.home)
    assert caught.value.fix


def test_nothing_is_left_behind(bench: Bench) -> None:
    bench.write("a.csv", "x,label\n1,yes\n")
    profile("data://table", "label", bench.home)
    assert not list((bench.root / ".kelp" / "store").iterdir())
