# SPDX-License-Identifier: Apache-2.0
"""What the messages hold, that spec and request fit them, and that the command is repeatable."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from examples.intents.__main__ import main
from examples.intents.messages import make_messages, read_heldout, read_phrases
from kelp.spec import load_model

CHECKOUT = Path(__file__).parents[4]
SPEC = CHECKOUT / "models" / "intents.yaml"


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path / "1")]) == 0
    command = [sys.executable, "-m", "examples.intents", "--out", str(tmp_path / "2")]
    subprocess.run(command, cwd=CHECKOUT, env={**os.environ, "PYTHONHASHSEED": "2"}, check=True, capture_output=True)
    assert (tmp_path / "1" / "messages.csv").read_bytes() == (tmp_path / "2" / "messages.csv").read_bytes()


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        main(["--out", str(tmp_path / seed), "--seed", seed])
    assert (tmp_path / "1" / "messages.csv").read_bytes() != (tmp_path / "2" / "messages.csv").read_bytes()


def test_an_export_replaces_an_earlier_one_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(2):
        main(["--out", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["notes.txt", "messages.csv"])


@pytest.mark.parametrize(("flag", "value"), [("--copies", "0"), ("--seed", "-1")])
def test_a_wrong_argument_is_refused_by_name(
    flag: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(["--out", str(tmp_path / "out"), flag, value])
    assert refusal.value.code == 2
    assert f"argument {flag}: expected a whole number" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--out", str(tmp_path / "file")]) == 4
    assert "choose another --out" in capsys.readouterr().err


def test_there_are_as_many_messages_of_each_of_twelve_intents() -> None:
    counts = Counter(row["intent"] for row in make_messages(3, 7))
    assert len(counts) == 12
    assert set(counts.values()) == {78}


def test_no_phrase_is_written_twice() -> None:
    phrases = [phrase for of_intent in read_phrases().values() for phrase in of_intent]
    assert len(set(phrases)) == len(phrases)


def test_the_held_out_sentences_cover_every_intent_and_are_not_in_the_export() -> None:
    heldout = read_heldout()
    counts = Counter(intent for intent, _ in heldout)
    assert set(counts) == set(read_phrases())
    assert min(counts.values()) >= 5
    assert not {message for _, message in heldout} & {row["message"] for row in make_messages(5, 7)}


def test_words_are_filled_in_and_some_are_mistyped() -> None:
    messages = [row["message"] for row in make_messages(3, 7)]
    assert not any("{" in message or "}" in message for message in messages)
    words = {word for phrases in read_phrases().values() for phrase in phrases for word in phrase.split()}
    unknown = [
        m for m in messages if any(word.isalpha() and word.islower() and word not in words for word in m.split())
    ]
    assert 0.2 < len(unknown) / len(messages) < 0.7


def test_messages_are_in_order_of_time_with_ids_of_their_own() -> None:
    rows = make_messages(3, 7)
    assert [row["sent_at"] for row in rows] == sorted(row["sent_at"] for row in rows)
    assert len({row["message_id"] for row in rows}) == len(rows)


def test_the_spec_declares_every_column() -> None:
    data = load_model(SPEC).spec.data
    assert set(data.columns) | {data.id} == set(make_messages(1, 7)[0])
    assert data.columns["sent_at"].feature is False


def test_the_request_holds_messages_that_are_not_in_the_export() -> None:
    rows = json.loads((CHECKOUT / "examples" / "intents" / "messages.json").read_text())
    assert all(set(row) == {"message"} for row in rows)
    assert not {row["message"] for row in rows} & {row["message"] for row in make_messages(3, 7)}
