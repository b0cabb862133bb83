# SPDX-License-Identifier: Apache-2.0
"""The spec that `kelp init` writes: right for the task, whatever the columns are called."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.ingest.profile import ColumnProfile
from kelp.cli.spec_text import spec_text, task_of
from kelp.spec import Model, model_from_values, refuse_unbuilt
from kelp.spec.yaml import parse

TYPES = ("int", "float", "bool", "string", "category", "timestamp")


def column(name: str, type_: str = "float", *, rows: int = 100, missing: int = 0, distinct: int = 50) -> ColumnProfile:
    labels = tuple(f"label {i}" for i in range(distinct)) if distinct <= 20 else ()
    return ColumnProfile(name, type_, rows, missing, distinct, labels)


LABEL = column("y", "category", distinct=2)


def written(*columns: ColumnProfile, target: ColumnProfile = LABEL, name: str = "churn") -> Model:
    """The model that loads from what was written for these columns and this target."""
    text = spec_text(name, "data://churn/*.csv", target.name, [*columns, target])
    model = model_from_values(parse(text.encode(), "churn.yaml"), "churn.yaml")
    refuse_unbuilt(model, "churn.yaml")
    return model


@pytest.mark.parametrize(
    ("target", "task", "metric"),
    [
        pytest.param(column("y", "category", distinct=2), "binary", "roc_auc", id="two words"),
        pytest.param(column("y", "bool", distinct=2), "binary", "roc_auc", id="true and false"),
        pytest.param(column("y", "int", distinct=2), "binary", "roc_auc", id="two numbers"),
        pytest.param(column("y", "category", distinct=3), "multiclass", "accuracy", id="three words"),
        pytest.param(column("y", "int", distinct=20), "multiclass", "accuracy", id="twenty numbers"),
        pytest.param(column("y", "int", distinct=21), "regression", "r2", id="many numbers"),
        pytest.param(column("y", "float", distinct=5), "regression", "r2", id="few fractions"),
    ],
)
def test_the_task_follows_from_the_target(target: ColumnProfile, task: str, metric: str) -> None:
    model = written(column("x"), target=target)
    assert (task_of(target), model.spec.task) == (task, task)
    assert [(gate.metric, gate.not_worse_than) for gate in model.spec.gates] == [(metric, "champion")]
    assert (model.spec.data.positive is not None) == (task == "binary")


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        pytest.param(("no", "yes"), "yes", id="yes"),
        pytest.param(("1", "2"), "1", id="one"),
        pytest.param(("TRUE", "false"), "TRUE", id="true"),
        pytest.param(("churned", "stays"), "stays", id="the last in order"),
        pytest.param(("a", 'b"#: '), 'b"#: ', id="signs"),
    ],
)
def test_the_positive_label_is_the_word_for_yes(labels: tuple[str, ...], positive: str) -> None:
    target = ColumnProfile("y", "category", 100, 0, 2, labels)
    assert written(column("x"), target=target).spec.data.positive == positive


@pytest.mark.parametrize(
    ("profile", "role"),
    [
        pytest.param(column("payment_id", "string", distinct=100), "id", id="id"),
        pytest.param(column("Order Number", "int", distinct=100), "id", id="id with a space"),
        pytest.param(column("orderNo", "int", distinct=100), "id", id="id in camel case"),
        pytest.param(column("event_time", "timestamp"), "time", id="time"),
        pytest.param(column("Signup Date", "timestamp"), "time", id="time with a space"),
        pytest.param(column("createdAt", "timestamp"), "time", id="time in camel case"),
        pytest.param(column("customer_id", "string"), "entity", id="entity"),
        pytest.param(column("Customer ID", "string"), "entity", id="entity with a space"),
        pytest.param(column("patient"), "entity", id="entity without id"),
        pytest.param(column("customer_id", "string", distinct=100), "id", id="an entity of one row each is an id"),
    ],
)
def test_a_telling_name_gets_its_role(profile: ColumnProfile, role: str) -> None:
    data = written(column("x"), profile).spec.data
    roles = {name: getattr(data, name) for name in ("id", "time", "entity")}
    assert roles == dict.fromkeys(("id", "time", "entity"), None) | {role: profile.name}


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param(column("payment_id", "string", distinct=99), id="an id that stands twice"),
        pytest.param(column("payment_id", "string", distinct=99, missing=1), id="an id with a gap"),
        pytest.param(column("amount", "float", distinct=100), id="a measure that differs in every row"),
        pytest.param(column("event_time", "string"), id="a time that is none"),
        pytest.param(column("event_time", "timestamp", missing=1), id="a time with a gap"),
        pytest.param(column("event_day", "timestamp", distinct=10), id="too few days to split by"),
        pytest.param(column("birth", "timestamp"), id="another time"),
        pytest.param(column("customer_id", "string", distinct=10), id="too few customers"),
        pytest.param(column("runtime_seconds"), id="a word with time in it"),
        pytest.param(column("email_id", "string", distinct=100), id="a personal id"),
    ],
)
def test_a_column_that_does_not_fit_gets_no_role(profile: ColumnProfile) -> None:
    data = written(column("x"), profile).spec.data
    assert (data.id, data.time, data.entity) == (None, None, None)


@pytest.mark.parametrize("name", ["email", "E-Mail", "phoneNumber", "Home Address", "first_name", "IBAN"])
def test_personal_columns_are_dropped(name: str) -> None:
    assert written(column("x"), column(name, "string")).spec.data.columns[name].privacy == "drop"


def test_a_personal_target_is_kept() -> None:
    target = column("has_email", "category", distinct=2)
    assert written(column("x"), target=target).spec.data.columns["has_email"].privacy == "none"


def test_a_column_of_gaps_is_no_feature_and_its_gaps_are_told() -> None:
    profiles = [column("gone", "category", missing=100, distinct=0), column("some", missing=12), LABEL]
    text = spec_text("churn", "data://x.csv", "y", profiles)
    assert "gone: {type: category, feature: false}   # 100.0% missing" in text
    assert "some: {type: float}   # 12.0% missing" in text


@pytest.mark.parametrize(
    "name",
    [
        'a "quoted" one',
        "it's",
        "a: b",
        "a:",
        "a #b",
        "#a",
        "- a",
        "-a",
        "new\nline",
        "tab\there",
        "back\\slash",
        "größe",
        "年齢",
        "😀",
        "line\u2028separator",
        "next\x85line",
        "delete\x7f",
        "\ufeffmark",
        "\xa0",
        " padded ",
        "yes",
        "no",
        "on",
        "true",
        "null",
        "~",
        "1",
        "1.5",
        "2026-01-31",
        "*",
        "&a",
        "!tag",
        "{a}",
        "[a]",
        "a, b",
        "? a",
        "|",
        ">",
        "%a",
        "@a",
        "`a`",
        "<<",
        "---",
        "...",
        "=",
        "x" * 200,
        "\u200d" * 200,
        "\U000e0001" * 200,
        "type",
        "a.b",
    ],
    ids=ascii,
)
def test_a_hostile_column_name_comes_back_as_it_is(name: str) -> None:
    target = column(f"{name}!"[-200:], "category", distinct=2)
    model = written(column(name), target=target)
    assert list(model.spec.data.columns) == [name, target.name]
    assert model.spec.data.target == target.name


@pytest.mark.parametrize("name", ["true", "null", "on", "a1"])
def test_a_model_may_be_called_by_a_word_of_yaml(name: str) -> None:
    assert written(column("x"), name=name).name == name


@pytest.mark.parametrize(
    "source",
    [
        "data://a/*.csv",
        "file:///a b/c#d: e.csv",
        "s3://bucket/x?.parquet",
        "data://*.csv",
        'file:///"/é.csv',
        "data://-",
    ],
)
def test_any_source_comes_back_as_it_is(source: str) -> None:
    text = spec_text("churn", source, "y", [column("x"), LABEL])
    assert parse(text.encode(), "")["spec"]["data"]["source"] == source


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200)
TELLING = st.sampled_from(["customer_id", "email", "event_time", "order no", "Account Key", "phone_id", "address_date"])


@st.composite
def profiles(draw: st.DrawFn, name: str) -> ColumnProfile:
    rows = draw(st.integers(1, 200))
    missing = draw(st.integers(0, rows))
    return column(
        name, draw(st.sampled_from(TYPES)), rows=rows, missing=missing, distinct=draw(st.integers(0, rows - missing))
    )


@settings(deadline=None)
@given(st.data())
def test_the_written_text_always_loads(data: st.DataObject) -> None:
    names = data.draw(st.lists(NAMES | TELLING, min_size=1, max_size=6, unique=True))
    columns = [data.draw(profiles(name)) for name in names]
    target = data.draw(st.sampled_from(columns))
    others = [item for item in columns if item.name != target.name]
    model = written(*others, target=target)
    assert set(model.spec.data.columns) == set(names)
    assert model.spec.data.target == target.name
