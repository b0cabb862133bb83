# SPDX-License-Identifier: Apache-2.0
"""A store in a bucket of S3, or of anything that speaks S3, through the `minio` client.

An object appears when its upload is complete and not before: a small one is a single request, a larger one
a multipart upload. What an interrupted multipart upload leaves behind is invisible; give the bucket a
lifecycle rule that aborts incomplete uploads after a day.

Objects carry their SHA-256 as user metadata, and every complete read is checked against it. An object
without it, put there by another program, is read unchecked unless the caller knows its digest.
"""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from kelp.errors import InputError, NotFound
from kelp.home import S3
from kelp.store.faults import disk_faults, no_bucket, s3_faults
from kelp.store.keys import check_key
from kelp.store.protocol import Digest, Item
from kelp.store.stream import CHUNK, Checked, chunks, measure, opened, receive, rewindable

if TYPE_CHECKING:
    from minio import Minio

_CONNECT_TIMEOUT_S = 2.0
_READ_TIMEOUT_S = 30.0
_DIGEST = "sha256"  # name of the user metadata; the header is x-amz-meta-sha256


def connect(settings: S3, access_key: str, secret_key: str, *, read_timeout_s: float = _READ_TIMEOUT_S) -> "Minio":
    """Make a client; nothing is sent yet.

    An endpoint that is not there is given up within seconds (the client's own defaults take half an hour),
    a server that falls silent after at most twice `read_timeout_s` a request.

    Raises:
        InputError: the endpoint or the region is malformed.
    """
    import urllib3
    from minio import Minio

    retries = urllib3.Retry(
        total=2,
        connect=1,
        read=1,
        backoff_factor=0.2,
        status_forcelist=(500, 502, 503, 504),
        raise_on_status=False,  # the last answer is reported, not the number of attempts
        respect_retry_after_header=False,
    )
    timeout = urllib3.Timeout(connect=_CONNECT_TIMEOUT_S, read=read_timeout_s)
    try:
        return Minio(
            endpoint=settings.endpoint,
            access_key=access_key,
            secret_key=secret_key,
            secure=settings.secure,
            region=settings.region or None,
            http_client=urllib3.PoolManager(maxsize=10, timeout=timeout, retries=retries),
        )
    except ValueError as error:
        raise InputError(
            f"the endpoint {settings.endpoint!r} or the region {settings.region!r} is malformed ({error})",
            place="home.toml: s3",
            fix='write the endpoint as "host:port" without http://; secure = false asks for plain HTTP',
        ) from error


class S3Store:
    """The `Store` protocol on the keys of a bucket, or on those below a prefix.

    Raises:
        InputError: the bucket has a name no bucket can have, or the prefix is not a key.
    """

    def __init__(self, client: "Minio", bucket: str, prefix: str = "") -> None:
        _check_bucket(bucket)
        if prefix:
            check_key(prefix)
        self._client = client
        self._bucket = bucket
        self._folder = f"{prefix}/" if prefix else ""

    @property
    def location(self) -> str:
        """The address, without a slash at its end."""
        return f"s3://{self._bucket}/{self._folder}".rstrip("/")

    def put(self, key: str, source: Path | BinaryIO) -> Digest:
        """See `Store.put`.

        The source is read twice, for the digest and for the upload; a stream that cannot be rewound is
        first copied to a temporary file.
        """
        name = self._name(key)
        with opened(source) as (stream, place), rewindable(stream, place) as content:
            digest, size = measure(content, place)

            def read(count: int) -> bytes:
                with disk_faults(place, "read"):
                    return content.read(count)

            body = io.BufferedReader(Checked(read, size, digest, place), CHUNK)
            with s3_faults(self._address(name)):
                # One part at a time: the client's upload threads outlive a source that fails.
                self._client.put_object(
                    self._bucket, name, body, size, metadata={_DIGEST: digest}, num_parallel_uploads=1
                )
        return digest

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """See `Store.open`; the stream is not seekable."""
        name = self._name(key)
        place = self._address(name)
        with s3_faults(place):
            response = self._client.get_object(self._bucket, name)

        def read(count: int) -> bytes:
            with s3_faults(place):
                return response.read(count, decode_content=False)

        try:
            size = int(response.headers.get("Content-Length", sys.maxsize))  # unknown: to the end
            content = Checked(read, size, response.headers.get(f"x-amz-meta-{_DIGEST}"), place)
            yield io.BufferedReader(content, CHUNK)
        finally:
            response.close()
            response.release_conn()

    def get(self, key: str, target: Path, *, sha256: str | None = None) -> Digest:
        """See `Store.get`."""
        with self.open(key) as content:
            return receive(content, target, place=self._address(self._name(key)), sha256=sha256)

    def read_bytes(self, key: str) -> bytes:
        """See `Store.read_bytes`."""
        with self.open(key) as content:
            return b"".join(chunks(content, self._address(self._name(key))))

    def write_bytes(self, key: str, data: bytes) -> Digest:
        """See `Store.write_bytes`."""
        return self.put(key, io.BytesIO(data))

    def list(self, prefix: str = "") -> Iterator[Item]:
        """See `Store.list`; the markers that consoles create for empty folders (`name/`) are left out."""
        folder = self._name(prefix) + "/" if prefix else self._folder
        items = []
        with s3_faults(self._address(folder)):
            for found in self._client.list_objects(self._bucket, prefix=folder, recursive=True):
                name = found.object_name or ""
                if not name.endswith("/"):
                    items.append(Item(name.removeprefix(self._folder), found.size or 0))
        for item in items:
            check_key(item.key)
        return iter(sorted(items, key=lambda item: item.key))

    def exists(self, key: str) -> bool:
        """See `Store.exists`."""
        name = self._name(key)
        try:
            with s3_faults(self._address(name)):
                self._client.stat_object(self._bucket, name)
        except NotFound:
            self._require_bucket()
            return False
        return True

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        name = self._name(key)
        with s3_faults(self._address(name)):
            self._client.remove_object(self._bucket, name)

    def _name(self, key: str) -> str:
        """The object's name: the key below the store's prefix."""
        check_key(key)
        name = self._folder + key
        check_key(name)
        return name

    def _address(self, name: str) -> str:
        return f"s3://{self._bucket}/{name}"

    def _require_bucket(self) -> None:
        """Tell a missing bucket from a missing object, where S3 answers 404 without a body.

        Raises:
            EnvironmentFault: there is no such bucket.
        """
        with s3_faults(self._address("")):
            if self._client.bucket_exists(self._bucket):
                return
        raise no_bucket(self._address(""))


def _check_bucket(bucket: str) -> None:
    from minio.helpers import check_bucket_name

    try:
        check_key(bucket)
        check_bucket_name(bucket, s3_check=True)
    except (InputError, ValueError) as error:
        raise InputError(
            f"{bucket!r} is not the name of a bucket ({error})",
            place=f"s3://{bucket}",
            fix="write the location as s3://bucket/prefix",
        ) from error
