# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from kelp.errors import EnvironmentFault, IntegrityError, NotFound
from serving.catalogue import Catalogue
from serving.source import Source


def a_version(root: Path, name: str, number: int) -> Path:
    folder = root / name / str(number)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    return folder


def write_aliases(root: Path, name: str, text: str) -> None:
    (root / name).mkdir(exist_ok=True)
    (root / name / "aliases.json").write_text(text)


def test_the_champion_is_found_however_many_versions_there_are(tmp_path: Path) -> None:
    folders = {number: a_version(tmp_path, "fraud", number) for number in (1, 2, 10)}
    write_aliases(tmp_path, "fraud", '{"champion": 2, "challenger": 10}')
    assert Catalogue(root=tmp_path).find("fraud") == Source("fraud", 2, folders[2])


def test_without_aliases_the_greatest_version_is_found(tmp_path: Path) -> None:
    for number in (2, 10, 9):
        a_version(tmp_path, "fraud", number)
    assert Catalogue(root=tmp_path).find("fraud").version == 10


def test_a_folder_that_is_no_version_does_not_count(tmp_path: Path) -> None:
    a_version(tmp_path, "fraud", 1)
    for name in ("2", "03", "-4", "5.0", "six", "٧", ".8", "9"):
        (tmp_path / "fraud" / name).mkdir()
    (tmp_path / "fraud" / "03" / "manifest.json").write_text("{}")
    (tmp_path / "fraud" / "٧" / "manifest.json").write_text("{}")
    (tmp_path / "fraud" / "9" / "manifest.json").mkdir()
    (tmp_path / "fraud" / "11").write_text("a file")
    assert Catalogue(root=tmp_path).find("fraud").version == 1


def test_the_folder_is_read_whenever_it_is_asked(tmp_path: Path) -> None:
    catalogue = Catalogue(root=tmp_path)
    assert catalogue.names() == []
    a_version(tmp_path, "fraud", 1)
    assert (catalogue.names(), catalogue.find("fraud").version) == (["fraud"], 1)
    a_version(tmp_path, "fraud", 2)
    assert catalogue.find("fraud").version == 2


def test_what_is_named_comes_before_what_is_in_the_folder(tmp_path: Path) -> None:
    a_version(tmp_path, "fraud", 7)
    a_version(tmp_path, "churn", 1)
    named = Source("fraud", 3, tmp_path / "elsewhere")
    catalogue = Catalogue([named], tmp_path)
    assert catalogue.names() == ["churn", "fraud"]
    assert catalogue.find("fraud") == catalogue.version("fraud", 7) == named
    assert catalogue.version("churn", 4) == Source("churn", 4, tmp_path / "churn" / "4")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../outside", id="parent"),
        pytest.param("..", id="dots"),
        pytest.param(".", id="dot"),
        pytest.param("", id="empty"),
        pytest.param(".hidden", id="hidden"),
        pytest.param("/etc", id="absolute"),
        pytest.param("fraud/1", id="slash"),
        pytest.param("fraud\0", id="null-byte"),
        pytest.param("fraud\n", id="newline"),
        pytest.param("-x", id="option"),
        pytest.param("caf\u00e9", id="not-ascii"),
        pytest.param("\ud800", id="surrogate"),
        pytest.param("a" * 300, id="300-characters"),
        pytest.param("a" * 253, id="longest-and-absent"),
        pytest.param("nobody", id="absent"),
    ],
)
def test_a_name_that_is_no_model_is_not_found(tmp_path: Path, name: str) -> None:
    a_version(tmp_path, "outside", 1)
    root = tmp_path / "root"
    a_version(root, "fraud", 1)
    a_version(root, ".hidden", 1)
    with pytest.raises(NotFound, match="no model is called") as caught:
        Catalogue(root=root).find(name)
    assert len(str(caught.value)) < 120
    assert Catalogue(root=root).names() == ["fraud"]


def test_without_a_folder_only_what_is_named_is_found(tmp_path: Path) -> None:
    catalogue = Catalogue([Source("fraud", 3, tmp_path)])
    assert catalogue.names() == ["fraud"]
    with pytest.raises(NotFound):
        catalogue.find("churn")


def test_a_file_or_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("read me")
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    catalogue = Catalogue(root=tmp_path)
    assert catalogue.names() == []
    for name in ("README", "empty"):
        with pytest.raises(NotFound, match=f"no model is called {name}"):
            catalogue.find(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "cannot be read", id="empty"),
        pytest.param("{", "cannot be read", id="cut-short"),
        pytest.param("\xff", "cannot be read", id="not-utf8"),
        pytest.param("[" * 100_000, "cannot be read", id="nested-too-deep"),
        pytest.param("[]", "expected an object", id="a-list"),
        pytest.param("null", "expected an object", id="null"),
        pytest.param('{"champion": 3}', "version 3, which is not there", id="missing-version"),
        pytest.param('{"champion": 2}', "version 2, which is not there", id="version-without-a-manifest"),
        pytest.param('{"champion": -1}', "version -1, which is not there", id="negative"),
        pytest.param('{"champion": "1"}', "version 1, which is not there", id="a-string"),
        pytest.param('{"champion": true}', "version True, which is not there", id="a-bool"),
        pytest.param('{"champion": 1.0}', "which is not there", id="a-float"),
        pytest.param('{"champion": "../../outside"}', "which is not there", id="a-path"),
        pytest.param('{"champion": %s}' % ("9" * 400), "which is not there", id="longer-than-a-file-name"),
    ],
)
def test_aliases_that_say_no_version_are_named(tmp_path: Path, text: str, message: str) -> None:
    a_version(tmp_path, "fraud", 1)
    (tmp_path / "fraud" / "2").mkdir()
    (tmp_path / "fraud" / "aliases.json").write_text(text, encoding="latin-1")
    catalogue = Catalogue(root=tmp_path)
    with pytest.raises(IntegrityError, match=message) as caught:
        catalogue.find("fraud")
    assert caught.value.place == str(tmp_path / "fraud" / "aliases.json")
    assert catalogue.names() == ["fraud"]


def test_aliases_that_are_a_folder_are_named(tmp_path: Path) -> None:
    a_version(tmp_path, "fraud", 1)
    (tmp_path / "fraud" / "aliases.json").mkdir()
    with pytest.raises(IntegrityError, match="cannot be read"):
        Catalogue(root=tmp_path).find("fraud")


@pytest.mark.parametrize("aliases", [{}, {"champion": None}, {"challenger": 1}])
def test_a_model_without_a_champion_is_listed_and_serves_no_version(
    tmp_path: Path, aliases: dict[str, int | None]
) -> None:
    a_version(tmp_path, "fraud", 1)
    write_aliases(tmp_path, "fraud", json.dumps(aliases))
    catalogue = Catalogue(root=tmp_path)
    assert catalogue.names() == ["fraud"]
    with pytest.raises(NotFound, match="fraud: no version is the champion"):
        catalogue.find("fraud")


def test_a_repository_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"nowhere: the repository cannot be read \(No such file"):
        Catalogue(root=tmp_path / "nowhere").names()
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="Not a directory"):
        Catalogue(root=tmp_path / "file").names()
