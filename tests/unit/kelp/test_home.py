# SPDX-License-Identifier: Apache-2.0
"""The home: written once, by whoever is first; read with every location absolute."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from kelp.errors import EnvironmentFault, InputError
from kelp.home import AUDIT_KEY, PSEUDONYM_KEY, SIGNING_KEY, SIGNING_PUBLIC_KEY, Home, ensure_home, load_home

LOCATIONS = 'dataRoot = "d"\nstore = "s"\nregistry = "r"\naudit = "a"\nruns = "u"\nkeys = "k"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "home.toml"
    path.write_text(text, encoding="utf-8")
    return path


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_first_home_has_folders_and_keys(tmp_path: Path) -> None:
    workspace = tmp_path / "deep" / ".kelp"
    home = load_home(ensure_home(workspace))
    assert home.data_root == str(tmp_path / "deep" / "data")
    assert all(Path(folder).is_dir() for folder in (home.store, home.registry, home.audit, home.runs, home.keys))
    assert {len(home.secret(PSEUDONYM_KEY)), len(home.secret(AUDIT_KEY))} == {32}
    assert home.secret(PSEUDONYM_KEY) != home.secret(AUDIT_KEY)


def test_the_public_key_is_that_of_the_private_one(tmp_path: Path) -> None:
    home = load_home(ensure_home(tmp_path))
    private = load_pem_private_key(home.secret(SIGNING_KEY), None)
    assert private.public_key() == load_pem_public_key(home.secret(SIGNING_PUBLIC_KEY))


def test_only_the_owner_reads_keys(tmp_path: Path) -> None:
    ensure_home(tmp_path)
    keys = tmp_path / "keys"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()}
    assert modes == dict.fromkeys((PSEUDONYM_KEY, AUDIT_KEY, SIGNING_KEY, SIGNING_PUBLIC_KEY), 0o600)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700


def test_a_second_call_changes_nothing(tmp_path: Path) -> None:
    ensure_home(tmp_path)
    before = content_of(tmp_path)
    ensure_home(tmp_path)
    assert content_of(tmp_path) == before


def test_a_home_that_was_edited_stays_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, LOCATIONS)
    ensure_home(tmp_path)
    assert path.read_text() == LOCATIONS


def test_a_lost_public_key_is_made_again_from_the_private_one(tmp_path: Path) -> None:
    ensure_home(tmp_path)
    public = tmp_path / "keys" / SIGNING_PUBLIC_KEY
    before = public.read_bytes()
    public.unlink()
    ensure_home(tmp_path)
    assert public.read_bytes() == before


def test_processes_that_start_at_once_agree_on_one_home(tmp_path: Path) -> None:
    """Each prints what it sees when it is done; a key that was replaced would differ between them."""
    script = (
        "import sys, hashlib, pathlib; from kelp.home import ensure_home; print('ready', flush=True);"
        "sys.stdin.read(1);"
        "w = pathlib.Path(sys.argv[1]); ensure_home(w);"
        "print(*[hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(w.glob('keys/[a-z]*'))])"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "w")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]  # type: ignore[call-overload]  # a dict of pipes
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("g")
        process.stdin.flush()
    seen = {process.communicate(timeout=60)[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    assert len(seen) == 1
    assert len(seen.pop().split()) == 4
    assert not [path for path in (tmp_path / "w").rglob(".*") if path.is_file()]


@pytest.mark.parametrize("blocked", ["", "keys", "registry"])
def test_a_workspace_that_cannot_be_written_says_so(tmp_path: Path, blocked: str) -> None:
    workspace = tmp_path / "w"
    obstacle = workspace / blocked if blocked else workspace
    obstacle.parent.mkdir(exist_ok=True)
    obstacle.write_text("a file where a folder should be")
    with pytest.raises(EnvironmentFault, match="the workspace cannot be written") as caught:
        ensure_home(workspace)
    assert caught.value.place == str(workspace)
    assert "--workspace" in caught.value.fix


def test_relative_locations_start_at_the_home_file(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    home = load_home(written(tmp_path / "conf", LOCATIONS.replace('"s"', '"../elsewhere"')))
    assert home.store == str(tmp_path / "elsewhere")
    assert home.keys == str(tmp_path / "conf" / "k")


def test_addresses_and_absolute_folders_stay_as_they_are(tmp_path: Path) -> None:
    text = LOCATIONS.replace('"d"', '"s3://lake/raw"').replace('"a"', '"http://audit:8080"').replace('"u"', '"/runs"')
    home = load_home(written(tmp_path, text))
    assert (home.data_root, home.audit, home.runs) == ("s3://lake/raw", "http://audit:8080", "/runs")


def test_the_home_of_a_cluster_is_read(tmp_path: Path) -> None:
    more = '[s3]\nendpoint = "seaweedfs:9000"\nsecure = false\n[gateway]\nclassName = "envoy"\n'
    home = load_home(written(tmp_path, LOCATIONS + more))
    assert (home.s3.endpoint, home.s3.secure, home.s3.region) == ("seaweedfs:9000", False, "us-east-1")
    assert (home.gateway.class_name, home.gateway.name, home.kfp.address) == ("envoy", "kelp", "")


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    assert load_home(written(tmp_path, "\ufeff" + LOCATIONS)).store == str(tmp_path / "s")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(LOCATIONS + "stor = 1", "stor: unknown field", id="unknown field"),
        pytest.param(LOCATIONS + 'data_root = "x"', "data_root: unknown field", id="python's spelling"),
        pytest.param(LOCATIONS + "[s3]\nsecur = true", "s3.secur: unknown field", id="unknown field in a part"),
        pytest.param(LOCATIONS.replace('"s"', "3"), "store: expected a valid string, found 3", id="wrong type"),
        pytest.param(LOCATIONS.replace('"s"', '""'), "store: expected at least 1 character, found ''", id="empty"),
        pytest.param('dataRoot = "d"', "store: expected a value, found nothing; registry: expected", id="missing"),
        pytest.param("dataRoot = ", "is not TOML: Invalid value", id="not TOML"),
        pytest.param('store = "a"\nstore = "b"', "is not TOML: Cannot overwrite a value", id="twice"),
    ],
)
def test_a_wrong_home_names_the_field(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        load_home(written(tmp_path, text))
    assert said in caught.value.message
    assert caught.value.place == str(tmp_path / "home.toml")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "home.toml").write_bytes(b"\xff")
    with pytest.raises(InputError, match="is not TOML"):
        load_home(tmp_path / "home.toml")


def test_a_missing_home_says_who_writes_one(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="No such file") as caught:
        load_home(tmp_path / "home.toml")
    assert "any kelp command writes one" in caught.value.fix


def test_a_missing_secret_names_its_file(tmp_path: Path) -> None:
    home: Home = load_home(ensure_home(tmp_path))
    with pytest.raises(EnvironmentFault, match="the secret s3-access-key cannot be read") as caught:
        home.secret("s3-access-key")
    assert caught.value.place == str(tmp_path / "keys" / "s3-access-key")
