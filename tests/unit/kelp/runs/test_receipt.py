# SPDX-License-Identifier: Apache-2.0
import logging
from pathlib import Path

import pytest

from kelp.runs.receipt import (
    Receipt,
    describe_output,
    digest_of,
    folder_digest,
    read_receipt,
    reuse,
    write_receipt,
)


def a_folder(path: Path, content: str = "one") -> Path:
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "file.txt").write_text(content)
    return path


def kept(run_dir: Path, folder: Path) -> Receipt:
    output = describe_output(run_dir, folder, folder_digest(folder))
    receipt = Receipt(key="k", outputs={"out": output}, result={"rows": 1})
    write_receipt(run_dir, "step", receipt)
    return receipt


def test_a_digest_depends_on_names_and_contents_only(tmp_path: Path) -> None:
    first, second = a_folder(tmp_path / "a"), a_folder(tmp_path / "b")

    assert folder_digest(first) == folder_digest(second)
    assert folder_digest(first) != folder_digest(a_folder(tmp_path / "c", "two"))
    (second / "deep" / "file.txt").rename(second / "file.txt")
    assert folder_digest(first) != folder_digest(second)
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


def test_reuse_brings_the_outputs_to_their_new_place(tmp_path: Path) -> None:
    receipt = kept(tmp_path, a_folder(tmp_path / "tasks" / "1" / "out"))

    assert receipt.outputs["out"].path == "tasks/1/out"
    assert reuse(tmp_path, "step", "k", {"out": tmp_path / "tasks" / "2" / "out"}) == receipt
    assert (tmp_path / "tasks" / "2" / "out" / "deep" / "file.txt").read_text() == "one"


def test_reuse_in_the_same_place_changes_nothing(tmp_path: Path) -> None:
    receipt = kept(tmp_path, a_folder(tmp_path / "out"))

    assert reuse(tmp_path, "step", "k", {"out": tmp_path / "out"}) == receipt
    assert folder_digest(tmp_path / "out") == receipt.outputs["out"].digest


@pytest.mark.parametrize(
    ("key", "targets"),
    [
        pytest.param("other", ["out"], id="another key"),
        pytest.param("k", ["out", "more"], id="more outputs"),
        pytest.param("k", [], id="fewer outputs"),
    ],
)
def test_another_question_gets_no_old_answer(tmp_path: Path, key: str, targets: list[str]) -> None:
    kept(tmp_path, a_folder(tmp_path / "out"))

    assert reuse(tmp_path, "step", key, {name: tmp_path / "new" / name for name in targets}) is None


def test_a_changed_output_is_said_and_not_reused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept(tmp_path, a_folder(tmp_path / "out"))
    (tmp_path / "out" / "deep" / "file.txt").write_text("changed")

    with caplog.at_level(logging.WARNING):
        assert reuse(tmp_path, "step", "k", {"out": tmp_path / "new"}) is None
    assert "it runs again" in caplog.text


def test_a_damaged_receipt_is_said_and_not_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept(tmp_path, a_folder(tmp_path / "out"))
    (tmp_path / "receipts" / "step.json").write_text('{"key": ')

    with caplog.at_level(logging.WARNING):
        assert read_receipt(tmp_path, "step") is None
    assert "cannot be read" in caplog.text


def test_an_output_elsewhere_keeps_its_absolute_path(tmp_path: Path) -> None:
    assert describe_output(tmp_path / "run", tmp_path / "out", "d").path == str(tmp_path / "out")
