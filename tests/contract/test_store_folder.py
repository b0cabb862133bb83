# SPDX-License-Identifier: Apache-2.0
"""What a folder store does when a writer is killed or the disk fails."""

import os
import shutil
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from kelp.errors import InputError
from kelp.store import Item
from kelp.store.folder import FolderStore

MIB = 1 << 20
WRITER = """
import io, sys
from pathlib import Path
from kelp.store.folder import FolderStore

class Stalling(io.RawIOBase):
    reads = 0
    def read(self, size=-1):
        Stalling.reads += 1
        if Stalling.reads == 4:
            print("half written", flush=True)
            sys.stdin.read()
        return b"x" * (1 << 20) if Stalling.reads < 8 else b""

FolderStore(Path(sys.argv[1])).put("a/key", Stalling())
"""
FAILING_WRITER = """
import io, resource, sys
from pathlib import Path
from kelp.errors import EnvironmentFault
from kelp.store.folder import FolderStore

if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    FolderStore(Path(sys.argv[1])).put("a/key", io.BytesIO(b"x" * (4 << 20)))
except EnvironmentFault as fault:
    print(fault, "|", fault.fix)
"""


def a_store(tmp_path: Path) -> FolderStore:
    root = tmp_path / "root"
    root.mkdir()
    return FolderStore(root)


def partial_files(root: Path) -> list[Path]:
    return list((root / ".partial").iterdir())


@pytest.mark.parametrize("old", [pytest.param(None, id="new-key"), pytest.param(b"old", id="old-key")])
def test_a_killed_writer_leaves_the_old_content(tmp_path: Path, old: bytes | None) -> None:
    store = a_store(tmp_path)
    if old is not None:
        store.write_bytes("a/key", old)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, store.location], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"half written\n"
        (partial,) = partial_files(Path(store.location))
        assert partial.stat().st_size > 0
        writer.kill()

    assert partial.exists()
    assert list(store.list()) == ([] if old is None else [Item("a/key", 3)])
    assert store.exists("a/key") == (old is not None)
    store.write_bytes("a/key", b"next")
    assert store.read_bytes("a/key") == b"next"


def test_what_a_killed_writer_left_is_removed_a_day_later(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.write_bytes("key", b"1")
    old, young = (tmp_path / "root" / ".partial" / name for name in ("old", "young"))
    for path in (old, young):
        path.touch()
    yesterday = young.stat().st_mtime - 2 * 86_400
    os.utime(old, (yesterday, yesterday))
    store.write_bytes("key", b"2")
    assert partial_files(tmp_path / "root") == [young]


def test_a_write_that_the_disk_refuses_leaves_nothing(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    said = run(FAILING_WRITER, store.location, str(1 << 20))
    assert "a/key: cannot be written (File too large) | raise the limit" in said
    assert partial_files(tmp_path / "root") == []
    assert list(store.list()) == []


def test_a_full_disk_is_named_and_left_clean(tmp_path: Path) -> None:
    said = on_a_small_disk(tmp_path, "size=1m", f'"{sys.executable}" -c "$SCRIPT" "$DISK"; find "$DISK" -type f')
    fix = "free some space, or choose another disk"
    assert said == f"{tmp_path}/disk/a/key: cannot be written (No space left on device) | {fix}\n"


def test_a_read_only_disk_is_named(tmp_path: Path) -> None:
    said = on_a_small_disk(tmp_path, "ro", f'"{sys.executable}" -c "$SCRIPT" "$DISK"')
    assert said.endswith("cannot be written (Read-only file system) | mount it writable, or choose another place\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    (tmp_path / "root").chmod(0o555)
    said = run(FAILING_WRITER, store.location)
    assert "cannot be written (Permission denied) | fix the permissions" in said


def test_symbolic_links_are_refused(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_bytes(b"secret")
    (tmp_path / "root" / "folder").symlink_to(secret)
    (tmp_path / "root" / "file").symlink_to(secret / "file")
    for key in ("folder/file", "file", "folder/new"):
        with pytest.raises(InputError, match="symbolic link"):
            store.read_bytes(key)
        with pytest.raises(InputError, match="symbolic link"):
            store.write_bytes(key, b"x")
        with pytest.raises(InputError, match="symbolic link"):
            store.delete(key)
    with pytest.raises(InputError, match="symbolic link"):
        store.list()
    assert [path.name for path in secret.iterdir()] == ["file"]


def test_a_root_that_is_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "root")
    FolderStore(tmp_path / "link").write_bytes("a/key", b"1")
    assert store.read_bytes("a/key") == b"1"


def test_a_special_file_is_not_passed_over(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    os.mkfifo(tmp_path / "root" / "pipe")
    with pytest.raises(InputError, match="not a regular file"):
        store.list()
    assert not store.exists("pipe")


def test_a_key_cannot_be_a_folder_of_another(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.write_bytes("a/b", b"1")
    with pytest.raises(InputError, match=r"the key a collides with the key a/\.\.\."):
        store.write_bytes("a", b"2")
    with pytest.raises(InputError, match="the key a/b/c/d collides with the key a/b"):
        store.write_bytes("a/b/c/d", b"2")
    assert list(store.list()) == [Item("a/b", 1)]


def test_a_key_may_take_the_place_of_a_folder_whose_keys_are_deleted(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.write_bytes("a/b/c", b"1")
    store.delete("a/b/c")
    store.write_bytes("a", b"2")
    assert list(store.list()) == [Item("a", 1)]


def test_a_reader_sees_one_whole_content_while_another_is_written(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    contents = [letter * MIB for letter in (b"a", b"b")]
    store.write_bytes("key", contents[0])
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            for content in contents:
                store.write_bytes("key", content)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = {sha256(store.read_bytes("key")).digest() for _ in range(100)}
    finally:
        ended.set()
        writer.join()
    assert seen <= {sha256(content).digest() for content in contents}


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    return done.stdout


def on_a_small_disk(tmp_path: Path, options: str, commands: str) -> str:
    """Run shell commands in a mount namespace where $DISK is a tmpfs of its own; skip where that is forbidden."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["unshare", "--map-root-user", "--mount", "sh", "-ec", f'mount -t tmpfs -o {options} none "$DISK"; "$@"']
    environment = {**os.environ, "DISK": str(disk), "SCRIPT": FAILING_WRITER}
    if not shutil.which("unshare") or subprocess.run([*mount, "sh", "true"], env=environment, check=False).returncode:
        pytest.skip("this system lets tests mount no disk of their own")
    done = subprocess.run(
        [*mount, "sh", "sh", "-c", commands], env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    return done.stdout
