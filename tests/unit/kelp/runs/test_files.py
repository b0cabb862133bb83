# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from kelp.runs.code import code_digest, package_versions
from kelp.runs.files import clone, write_whole


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    for text in ("old", "new"):
        write_whole(tmp_path / "file.json", text)

    assert (tmp_path / "file.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file.json"]


def test_a_clone_replaces_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "source" / "deep").mkdir(parents=True)
    (tmp_path / "source" / "deep" / "file.txt").write_text("x")
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "stale.txt").touch()

    clone(tmp_path / "source", tmp_path / "target")

    assert [path.name for path in (tmp_path / "target").rglob("*")] == ["deep", "file.txt"]
    assert (tmp_path / "source" / "deep" / "file.txt").read_text() == "x"


def test_the_code_has_one_digest_and_its_packages_versions() -> None:
    assert len(code_digest()) == 64
    assert code_digest() == code_digest()
    assert {"python", "kfp", "numpy"} <= package_versions().keys()
