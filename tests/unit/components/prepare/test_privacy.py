# SPDX-License-Identifier: Apache-2.0
import hashlib
import hmac
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components.prepare.snapshot import open_source
from kelp.errors import EnvironmentFault, InputError
from tests.unit.components.ingest.factories import Bench, a_model
from tests.unit.components.prepare.snapshots import Columns, prepared_of, write_snapshot

PEOPLE = [f"customer-{number % 60}-secret" for number in range(300)]
EMAILS = [f"person{number}@example.org" for number in range(300)]
RULES = {
    "customer": {"type": "string", "privacy": "pseudonymise"},
    "email": {"type": "string", "privacy": "drop"},
    "ssn": {"type": "int", "privacy": "drop", "missing": "drop"},
    "account": {"type": "int", "privacy": "pseudonymise"},
}


def people() -> Columns:
    return {
        "customer": ("string", PEOPLE),
        "email": ("string", EMAILS),
        "ssn": ("int", [123_456_700 + number for number in range(299)] + [None]),
        "account": ("int", [987_654_000 + number for number in range(300)]),
        "amount": ("float", [float(number % 17) for number in range(300)]),
        # Every customer has both labels: which customers are in the test part depends on the key of the workspace.
        "label": ("category", ["no" if (number + number // 60) % 3 else "yes" for number in range(300)]),
    }


def reference(bench: Bench, value: object) -> str:
    key = (Path(bench.home.keys) / "pseudonym.key").read_bytes()
    return hmac.new(key, str(value).encode(), hashlib.sha256).hexdigest()[:32]


def hidden(bench: Bench, columns: Columns, **declared: Any) -> Any:
    model = a_model(columns=declared)
    table: Columns = {**columns, "label": ("category", ["yes"] * len(next(iter(columns.values()))[1]))}
    source = open_source(model, bench.home, write_snapshot(bench.root / "hidden", table))
    return pa.Table.from_batches(source.batches(list(columns)))


def test_a_pseudonym_is_the_keyed_hash_of_the_value(bench: Bench) -> None:
    columns: Columns = {
        "customer": ("string", ["ada", None, "ada", "größe"]),
        "account": ("int", [7, 7, None, -1]),
        "member": ("bool", [True, None, False, True]),
    }
    private = {"privacy": "pseudonymise"}
    table = hidden(bench, columns, **{name: {"type": kind, **private} for name, (kind, _) in columns.items()})
    expected = {
        "customer": ["ada", None, "ada", "größe"],
        "account": ["7", "7", None, "-1"],
        "member": ["true", None, "false", "true"],
    }
    for name, texts in expected.items():
        assert table.column(name).to_pylist() == [None if text is None else reference(bench, text) for text in texts]


def test_other_columns_stay_as_they_are(bench: Bench) -> None:
    columns: Columns = {"a": ("int", [1]), "customer": ("string", ["y"]), "b": ("int", [2])}
    assert hidden(bench, columns, customer=RULES["customer"]).column("b").to_pylist() == [2]


def test_another_key_gives_other_pseudonyms(bench: Bench) -> None:
    columns: Columns = {"customer": ("string", ["ada"])}
    before = hidden(bench, columns, customer=RULES["customer"]).to_pylist()
    (Path(bench.home.keys) / "pseudonym.key").write_bytes(b"x" * 32)
    assert hidden(bench, columns, customer=RULES["customer"]).to_pylist() != before


def test_without_its_key_nothing_is_pseudonymised(bench: Bench) -> None:
    (Path(bench.home.keys) / "pseudonym.key").unlink()
    with pytest.raises(EnvironmentFault, match=r"pseudonym\.key"):
        prepared_of(bench, a_model(columns=RULES, entity="customer"), people())


@pytest.mark.parametrize("role", ["label", "at"])
def test_target_and_time_cannot_become_pseudonyms(bench: Bench, role: str) -> None:
    kind = "timestamp" if role == "at" else "category"
    model = a_model(columns={role: {"type": kind, "privacy": "pseudonymise"}}, time="at")
    columns: Columns = {"at": ("timestamp", []), "label": ("category", [])}
    with pytest.raises(InputError, match="found pseudonymise") as caught:
        open_source(model, bench.home, write_snapshot(bench.root / "snapshot", columns))
    assert caught.value.place == f"spec.data.columns.{role}.privacy"


def test_no_raw_private_value_is_in_what_prepare_writes(bench: Bench) -> None:
    prepared = prepared_of(bench, a_model(columns=RULES, entity="customer"), people())
    assert {"customer", "email", "ssn", "account"} <= set(prepared.summary["dropped"])
    written = {path.name: path.read_bytes() for path in prepared.folder.iterdir()}
    # Parquet pages are compressed: the values are looked for in the tables as well as in the bytes.
    for part in ("train", "test", "test_rows", "reference"):
        written[f"{part} as text"] = str(prepared.table(part).to_pylist()).encode()
    for name, content in written.items():
        for secret in (b"secret", b"@example.org", b"1234567", b"9876540"):
            assert secret not in content, (name, secret)
        if name != "prepare.json":
            assert b"email" not in content, name
    assert prepared.table("test_rows").column_names == ["amount"]


def test_a_dropped_column_may_still_say_which_rows_to_leave_out(bench: Bench) -> None:
    prepared = prepared_of(bench, a_model(columns=RULES, entity="customer"), people())
    assert sum(prepared.summary["rows"].values()) == 299


def test_pseudonyms_split_entities_as_well(bench: Bench) -> None:
    columns: Columns = {**people(), "copy": ("category", PEOPLE)}
    declared = RULES | {"copy": {"type": "category"}}
    prepared = prepared_of(bench, a_model(columns=declared, entity="customer"), columns)
    train, test = (set(prepared.column(part, "copy")) for part in ("reference", "test_rows"))
    assert not train & test
    assert len(train | test) == 60
