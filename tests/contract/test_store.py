# SPDX-License-Identifier: Apache-2.0
"""What every store does, on a folder and on a real S3 server; one file, since it is one contract."""

import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kelp.errors import EnvironmentFault, InputError, IntegrityError, NotFound
from kelp.store import Item, Store, open_store
from tests.contract.store_server import BUCKET, S3Server, a_home, an_s3_store, running_s3

MIB = 1 << 20
HOSTILE_KEYS = [
    pytest.param("", id="empty"),
    pytest.param("../x", id="parent"),
    pytest.param("a/../../x", id="parent-inside"),
    pytest.param("a/./x", id="dot"),
    pytest.param("/etc/passwd", id="absolute"),
    pytest.param("a//x", id="empty-segment"),
    pytest.param("a/", id="trailing-slash"),
    pytest.param("a/ /x", id="blank-segment"),
    pytest.param("a\0b", id="nul"),
    pytest.param("a\nb", id="newline"),
    pytest.param("a\\..\\b", id="backslash"),
    pytest.param("a/\udcff", id="surrogate"),
    pytest.param(".partial/x", id="reserved"),
    pytest.param("x" * 256, id="long-segment"),
    pytest.param("/".join(["x" * 100] * 11), id="long-key"),
]


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Path]]:
    """A new store, and the folder on this machine where its files lie."""
    if request.param == "folder":
        root = tmp_path / "root"
        root.mkdir()
        yield open_store(str(root), a_home(tmp_path)), root
        return
    server: S3Server = request.getfixturevalue("s3_server")
    prefix = tmp_path.name
    yield (
        an_s3_store(tmp_path, server.endpoint, f"s3://{BUCKET}/{prefix}"),
        server.buckets / BUCKET / prefix,
    )


@pytest.fixture
def store(place: tuple[Store, Path]) -> Store:
    return place[0]


def keys() -> st.SearchStrategy[str]:
    letters = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\")
    segments = st.text(letters, min_size=1, max_size=20).filter(
        lambda text: bool(text.strip()) and text not in {".", ".."} and not text.startswith((".partial", ".rclone_"))
    )
    return st.lists(segments, min_size=1, max_size=3).map("/".join)


class UnseekableStream(io.RawIOBase):
    """A stream that can be read once, a few bytes at a time, and may fail on the way."""

    def __init__(self, content: bytes, fail_at: int | None = None) -> None:
        super().__init__()
        self._content = io.BytesIO(content)
        self._fail_at = fail_at

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._fail_at is not None and self._content.tell() >= self._fail_at:
            raise OSError("the wire broke")
        return self._content.read(min(size, 70_000))


def a_stream(content: bytes, fail_at: int | None = None) -> BinaryIO:
    return UnseekableStream(content, fail_at)  # type: ignore[return-value]  # typeshed: RawIOBase is no BinaryIO


def every_use(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.read_bytes("key"),
        lambda: store.write_bytes("key", b"x"),
        lambda: store.list(),
        lambda: store.list("folder"),
        lambda: store.exists("key"),
        lambda: store.delete("key"),
    ]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"hello", id="five-bytes"),
        pytest.param(bytes(range(256)) * (12 * MIB // 256), id="12-MiB"),
    ],
)
@pytest.mark.parametrize("kind", ["path", "file", "stream"])
def test_content_comes_back_as_it_was_put(store: Store, tmp_path: Path, content: bytes, kind: str) -> None:
    source = tmp_path / "source"
    source.write_bytes(content)
    if kind == "path":
        digest = store.put("a/key", source)
    elif kind == "file":
        with source.open("rb") as file:
            digest = store.put("a/key", file)
    else:
        digest = store.put("a/key", a_stream(content))
    target = tmp_path / "new" / "folder" / "target"

    assert digest == sha256(content)
    assert store.get("a/key", target, sha256=digest) == digest
    assert sha256(target.read_bytes()) == digest
    assert sha256(store.read_bytes("a/key")) == digest
    with store.open("a/key") as stream:
        assert sha256(stream.read(3) + stream.read()) == digest
    assert list(store.list()) == [Item("a/key", len(content))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(key=keys(), content=st.binary(max_size=40))
def test_any_legal_key_round_trips(store: Store, key: str, content: bytes) -> None:
    store.write_bytes(key, content)
    try:
        assert store.read_bytes(key) == content
        assert store.exists(key)
        assert Item(key, len(content)) in list(store.list())
        if "/" in key:
            assert list(store.list(key.rpartition("/")[0])) == [Item(key, len(content))]
    finally:
        store.delete(key)
    assert not store.exists(key)


def test_put_starts_at_the_position_of_a_file(store: Store) -> None:
    source = io.BytesIO(b"headbody")
    source.seek(4)
    assert store.put("key", source) == sha256(b"body")
    assert store.read_bytes("key") == b"body"


def test_overwriting_replaces_the_content(store: Store) -> None:
    store.write_bytes("key", b"a long first content")
    store.write_bytes("key", b"second")
    assert store.read_bytes("key") == b"second"
    assert list(store.list()) == [Item("key", 6)]


def test_get_replaces_the_target(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"old and longer")
    store.write_bytes("key", b"new")
    store.get("key", target)
    assert target.read_bytes() == b"new"


def test_list_is_sorted_and_knows_folders_from_prefixes(store: Store) -> None:
    for key in ("m/a/c", "m/a.b", "m/a0", "m/B", "m2/x", "ключ/я"):
        store.write_bytes(key, b"12")
    assert [item.key for item in store.list()] == ["m/B", "m/a.b", "m/a/c", "m/a0", "m2/x", "ключ/я"]
    assert [item.key for item in store.list("m")] == ["m/B", "m/a.b", "m/a/c", "m/a0"]
    assert list(store.list("m/a")) == [Item("m/a/c", 2)]
    assert list(store.list("m/B")) == []
    assert list(store.list("nothing/here")) == []


def test_list_goes_on_after_a_thousand_keys(tmp_path: Path) -> None:
    server = S3Server(tmp_path)
    for number in range(1001):
        (server.buckets / BUCKET / f"{number:04}").touch()
    server.start()
    try:
        store = an_s3_store(tmp_path, server.endpoint, f"s3://{BUCKET}")
        assert [item.key for item in store.list()] == [f"{number:04}" for number in range(1001)]
    finally:
        server.kill()


def test_a_missing_key_is_not_found(store: Store, tmp_path: Path) -> None:
    store.write_bytes("folder/key", b"1")
    for key in ("missing", "folder", "folder/key/below"):
        assert not store.exists(key)
        with pytest.raises(NotFound, match="does not exist"):
            store.read_bytes(key)
        with pytest.raises(NotFound), store.open(key):
            pytest.fail("opened")
        with pytest.raises(NotFound):
            store.get(key, tmp_path / "target")
    store.delete("missing")
    assert not (tmp_path / "target").exists()
    assert list(store.list()) == [Item("folder/key", 1)]


def test_delete_removes_only_its_key(store: Store) -> None:
    store.write_bytes("a/x", b"1")
    store.write_bytes("a/y", b"2")
    store.delete("a/x")
    assert [item.key for item in store.list()] == ["a/y"]


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_a_hostile_key_is_refused(store: Store, tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError, match="key"):
        store.write_bytes(key, b"x")
    with pytest.raises(InputError, match="key"):
        store.read_bytes(key)
    with pytest.raises(InputError, match="key"):
        store.get(key, tmp_path / "target")
    with pytest.raises(InputError, match="key"):
        store.exists(key)
    with pytest.raises(InputError, match="key"):
        store.delete(key)
    if key:
        with pytest.raises(InputError, match="key"):
            store.list(key)


def test_another_digest_than_expected_is_an_integrity_error(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"old")
    found = store.write_bytes("key", b"content")
    expected = sha256(b"other")
    with pytest.raises(IntegrityError, match=f"key: expected sha256 {expected}, found {found}"):
        store.get("key", target, sha256=expected)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".partial")] == []


def test_a_byte_flipped_on_disk_is_an_integrity_error(place: tuple[Store, Path], tmp_path: Path) -> None:
    store, root = place
    digest = store.write_bytes("a/key", b"x" * (2 * MIB))
    with (root / "a/key").open("r+b") as file:
        file.seek(MIB)
        file.write(b"y")
    with pytest.raises(IntegrityError, match=f"a/key: expected sha256 {digest}, found"):
        store.get("a/key", tmp_path / "target", sha256=digest)
    assert not (tmp_path / "target").exists()


def test_a_stream_that_fails_midway_leaves_the_old_content(store: Store) -> None:
    for old in (None, b"old"):
        if old is not None:
            store.write_bytes("key", old)
        with pytest.raises(EnvironmentFault, match="the wire broke"):
            store.put("key", a_stream(b"x" * (8 * MIB), fail_at=7 * MIB))
        assert [item.size for item in store.list()] == ([] if old is None else [len(old)])
        assert store.exists("key") == (old is not None)


def test_an_error_of_the_callers_block_passes_unchanged(store: Store) -> None:
    store.write_bytes("key", b"x" * (3 * MIB))

    def fail(stream: BinaryIO) -> None:
        raise OSError(f"mine, after {stream.read(1)!r}")

    with pytest.raises(OSError, match="mine, after b'x'"), store.open("key") as stream:
        fail(stream)
    assert store.exists("key")


def test_a_source_that_is_no_file_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such file"):
        store.put("key", tmp_path / "missing")
    with pytest.raises(InputError, match="not a regular file"):
        store.put("key", tmp_path)
    assert not store.exists("key")


def test_a_target_that_cannot_be_written_is_an_environment_fault(store: Store, tmp_path: Path) -> None:
    store.write_bytes("key", b"x")
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for target in (tmp_path / "file" / "below", tmp_path / "folder"):
        with pytest.raises(EnvironmentFault, match="cannot be written"):
            store.get("key", target)
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_store_that_is_not_there_says_so(s3_server: S3Server, tmp_path: Path) -> None:
    home = a_home(tmp_path, s3_server.endpoint)
    for location in (str(tmp_path / "missing"), "s3://missing-bucket/prefix"):
        store = open_store(location, home)
        for use in every_use(store):
            with pytest.raises(EnvironmentFault, match=r"(folder of the store|bucket) does not exist"):
                use()
    assert not (tmp_path / "missing").exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["write", "delete"]), st.sampled_from(["a/x", "a/b/y", "a.b/z", "ab", "c"])),
        max_size=12,
    )
)
def test_a_store_behaves_as_a_dictionary(store: Store, steps: list[tuple[str, str]]) -> None:
    for item in store.list():
        store.delete(item.key)
    model: dict[str, bytes] = {}
    for number, (step, key) in enumerate(steps):
        if step == "write":
            model[key] = b"x" * number
            store.write_bytes(key, model[key])
        else:
            model.pop(key, None)
            store.delete(key)
    assert list(store.list()) == [Item(key, len(content)) for key, content in sorted(model.items())]
    assert [item.key for item in store.list("a")] == sorted(key for key in model if key.startswith("a/"))
    assert all(store.read_bytes(key) == content for key, content in model.items())
