# SPDX-License-Identifier: Apache-2.0
"""What an S3 store does when the server, the network or the credentials fail."""

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kelp.errors import EnvironmentFault, InputError, IntegrityError
from kelp.home import S3
from kelp.store import Item, Store, open_store
from kelp.store.s3 import S3Store, connect
from tests.contract.store_server import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server, a_home, an_s3_store, running_s3
from tests.contract.store_wire import cut_wire, not_s3, silent_server, unreachable_address

MIB = 1 << 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[S3Server]:
    with running_s3(tmp_path) as running:
        yield running


class KillingFile(io.BytesIO):
    """A file whose second reading, the upload, kills the server when it is half through."""

    def __init__(self, content: bytes, kill: Callable[[], None]) -> None:
        super().__init__(content)
        self._kill = kill
        self._rewound = False

    def seek(self, position: int, whence: int = io.SEEK_SET, /) -> int:
        self._rewound = True
        return super().seek(position, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        if self._rewound and self.tell() > len(self.getbuffer()) // 2:
            self._kill()
        return super().read(size)


class ChangingFile(io.BytesIO):
    """A file that has other bytes when it is read for the second time."""

    def seek(self, position: int, whence: int = io.SEEK_SET, /) -> int:
        with self.getbuffer() as content:
            content[-1:] = b"!"
        return super().seek(position, whence)


def every_use(store: Store, tmp_path: Path) -> list[Callable[[], object]]:
    return [
        lambda: store.read_bytes("key"),
        lambda: store.get("key", tmp_path / "target"),
        lambda: store.write_bytes("key", b"new"),
        lambda: store.put("key", io.BytesIO(b"x" * (6 * MIB))),
        lambda: store.list(),
        lambda: store.exists("key"),
        lambda: store.delete("key"),
    ]


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param({"access_key": "somebody-else"}, id="access-key"),
        pytest.param({"secret_key": "something-else"}, id="secret-key"),
    ],
)
def test_wrong_credentials_are_named_with_the_fix(
    server: S3Server, tmp_path: Path, credentials: dict[str, str]
) -> None:
    location = f"s3://{BUCKET}"
    open_store(location, a_home(tmp_path, server.endpoint)).write_bytes("key", b"old")
    store = open_store(location, a_home(tmp_path, server.endpoint, **credentials))
    for use in every_use(store, tmp_path):
        with pytest.raises(EnvironmentFault, match="S3 refused the credentials") as caught:
            use()
        assert "s3-access-key and s3-secret-key" in caught.value.fix
    assert (server.buckets / BUCKET / "key").read_bytes() == b"old"
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("old", [pytest.param(None, id="new-key"), pytest.param(b"old", id="old-key")])
def test_a_server_killed_during_an_upload_leaves_the_old_content(
    server: S3Server, tmp_path: Path, old: bytes | None
) -> None:
    store = an_s3_store(tmp_path, server.endpoint)
    if old is not None:
        store.write_bytes("key", old)
    with pytest.raises(EnvironmentFault, match="does not answer, or the connection broke"):
        store.put("key", KillingFile(b"x" * (24 * MIB), server.kill))

    server.start()
    assert list(store.list()) == ([] if old is None else [Item("key", len(old))])
    assert store.exists("key") == (old is not None)
    if old is not None:
        assert store.read_bytes("key") == old


@pytest.mark.parametrize("size", [pytest.param(3 * MIB, id="one-request"), pytest.param(12 * MIB, id="multipart")])
def test_a_wire_cut_during_an_upload_leaves_nothing(server: S3Server, tmp_path: Path, size: int) -> None:
    with cut_wire(server.endpoint, up=2 * MIB) as endpoint:
        store = an_s3_store(tmp_path, endpoint)
        with pytest.raises(EnvironmentFault, match="connection broke"):
            store.put("key", io.BytesIO(b"x" * size))
    assert list(an_s3_store(tmp_path, server.endpoint).list()) == []


def test_a_wire_cut_during_a_download_leaves_the_target_as_it_was(server: S3Server, tmp_path: Path) -> None:
    an_s3_store(tmp_path, server.endpoint).write_bytes("key", b"x" * (4 * MIB))
    target = tmp_path / "target"
    target.write_bytes(b"old")
    with cut_wire(server.endpoint, down=2 * MIB) as endpoint:
        store = an_s3_store(tmp_path, endpoint)
        with pytest.raises(EnvironmentFault, match="connection broke"):
            store.get("key", target)
        with pytest.raises(EnvironmentFault, match="connection broke"), store.open("key") as stream:
            stream.read()
    assert target.read_bytes() == b"old"


def test_a_server_that_is_gone_is_reported_at_once(server: S3Server, tmp_path: Path) -> None:
    store = an_s3_store(tmp_path, server.endpoint)
    server.kill()
    for use in every_use(store, tmp_path):
        started = time.monotonic()
        with pytest.raises(EnvironmentFault, match="does not answer") as caught:
            use()
        assert "s3.endpoint" in caught.value.fix
        assert time.monotonic() - started < 10


def test_an_unreachable_address_is_given_up_within_seconds(tmp_path: Path) -> None:
    with unreachable_address() as endpoint:
        store = an_s3_store(tmp_path, endpoint)
        started = time.monotonic()
        with pytest.raises(EnvironmentFault, match="does not answer"):
            store.exists("key")
        assert time.monotonic() - started < 15


def test_a_silent_server_is_given_up() -> None:
    with silent_server() as endpoint:
        client = connect(S3(endpoint=endpoint, secure=False), ACCESS_KEY, SECRET_KEY, read_timeout_s=0.2)
        with pytest.raises(EnvironmentFault, match="does not answer"):
            S3Store(client, BUCKET).read_bytes("key")


def test_plain_http_behind_an_https_endpoint_is_an_environment_fault(server: S3Server) -> None:
    client = connect(S3(endpoint=server.endpoint, secure=True), ACCESS_KEY, SECRET_KEY)
    with pytest.raises(EnvironmentFault) as caught:
        S3Store(client, BUCKET).read_bytes("key")
    assert "s3.secure" in caught.value.fix


def test_a_web_server_is_not_taken_for_s3(tmp_path: Path) -> None:
    with not_s3() as endpoint:
        store = an_s3_store(tmp_path, endpoint)
        with pytest.raises(EnvironmentFault, match="not S3"):
            store.list()


def test_a_source_that_changes_between_its_two_readings_is_refused(server: S3Server, tmp_path: Path) -> None:
    store = an_s3_store(tmp_path, server.endpoint)
    for size in (10, 6 * MIB):
        with pytest.raises(IntegrityError, match="expected sha256"):
            store.put("key", ChangingFile(b"x" * size))
    assert list(store.list()) == []


def test_a_changed_object_is_noticed_without_a_digest_from_the_caller(server: S3Server, tmp_path: Path) -> None:
    store = an_s3_store(tmp_path, server.endpoint)
    client = connect(S3(endpoint=server.endpoint, secure=False), ACCESS_KEY, SECRET_KEY)
    for content in (b"other", b""):
        client.put_object(BUCKET, "pre/fix/key", io.BytesIO(content), len(content), metadata={"sha256": "0" * 64})
        with pytest.raises(IntegrityError, match=f"key: expected sha256 {'0' * 64}, found"):
            store.read_bytes("key")
        with pytest.raises(IntegrityError):
            store.get("key", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_an_object_from_another_program_is_read_without_a_digest(server: S3Server, tmp_path: Path) -> None:
    (server.buckets / BUCKET / "pre" / "fix").mkdir(parents=True)
    (server.buckets / BUCKET / "pre" / "fix" / "key").write_bytes(b"foreign")
    assert an_s3_store(tmp_path, server.endpoint).read_bytes("key") == b"foreign"


def test_an_object_whose_name_is_no_key_is_not_passed_over(server: S3Server, tmp_path: Path) -> None:
    folder = server.buckets / BUCKET / "pre" / "fix"
    folder.mkdir(parents=True)
    (folder / "back\\slash").write_bytes(b"x")
    with pytest.raises(InputError, match="backslash"):
        an_s3_store(tmp_path, server.endpoint).list()


def test_two_prefixes_of_one_bucket_do_not_see_each_other(server: S3Server, tmp_path: Path) -> None:
    one, two, whole = (
        an_s3_store(tmp_path, server.endpoint, f"s3://{BUCKET}{prefix}") for prefix in ("/one", "/one/two/", "")
    )
    one.write_bytes("key", b"1")
    two.write_bytes("key", b"2")
    assert [item.key for item in one.list()] == ["key", "two/key"]
    assert [item.key for item in two.list()] == ["key"]
    assert [item.key for item in whole.list()] == ["one/key", "one/two/key"]
    assert (one.location, two.location, whole.location) == (
        f"s3://{BUCKET}/one",
        f"s3://{BUCKET}/one/two",
        f"s3://{BUCKET}",
    )
