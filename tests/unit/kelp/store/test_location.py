# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from kelp.errors import EnvironmentFault, InputError
from kelp.home import S3, S3_ACCESS_KEY, S3_SECRET_KEY, Home
from kelp.store import open_store


def a_home(tmp_path: Path, *, endpoint: str = "127.0.0.1:9000", region: str = "us-east-1") -> Home:
    where = str(tmp_path)
    (tmp_path / S3_ACCESS_KEY).write_text("access\n")
    (tmp_path / S3_SECRET_KEY).write_text("secret\n")
    s3 = S3(endpoint=endpoint, region=region, secure=False)
    return Home(data_root=where, store=where, registry=where, audit=where, runs=where, keys=where, s3=s3)


@pytest.mark.parametrize(
    ("location", "opened"),
    [
        pytest.param("/data/store", "/data/store", id="folder"),
        pytest.param("file:///data/a%20b", "/data/a b", id="file-url"),
        pytest.param("file://localhost/data", "/data", id="file-url-of-this-machine"),
        pytest.param("s3://bucket", "s3://bucket", id="bucket"),
        pytest.param("s3://bucket/", "s3://bucket", id="bucket-with-slash"),
        pytest.param("s3://bucket/a/b/", "s3://bucket/a/b", id="prefix"),
        pytest.param("s3://bucket/a#b?c%20d", "s3://bucket/a#b?c%20d", id="prefix-is-no-url"),
    ],
)
def test_a_location_opens_the_store_it_names(tmp_path: Path, location: str, opened: str) -> None:
    assert open_store(location, a_home(tmp_path)).location == opened


@pytest.mark.parametrize(
    "location",
    [
        pytest.param("", id="empty"),
        pytest.param("a\0b", id="nul"),
        pytest.param("gs://bucket/x", id="other-scheme"),
        pytest.param("file://host/data", id="file-of-another-machine"),
        pytest.param("file://relative", id="relative-file-url"),
        pytest.param("file:///data?x=1", id="file-with-query"),
        pytest.param("file:///a%00b", id="encoded-nul"),
        pytest.param("s3://", id="no-bucket"),
        pytest.param("s3://ab", id="short-bucket"),
        pytest.param("s3://a..b", id="bucket-with-dots"),
        pytest.param("s3://127.0.0.1/x", id="bucket-like-an-address"),
        pytest.param("s3://bucket\n/x", id="bucket-with-newline"),
        pytest.param("s3://bucket//x", id="empty-segment"),
        pytest.param("s3://bucket/../x", id="parent"),
    ],
)
def test_a_malformed_location_is_refused(tmp_path: Path, location: str) -> None:
    with pytest.raises(InputError) as caught:
        open_store(location, a_home(tmp_path))
    assert caught.value.fix


@pytest.mark.parametrize(
    ("endpoint", "region", "problem"),
    [
        pytest.param("", "us-east-1", "is not set", id="no-endpoint"),
        pytest.param("http://127.0.0.1:9000", "us-east-1", "malformed", id="endpoint-with-scheme"),
        pytest.param("127.0.0.1:port", "us-east-1", "malformed", id="endpoint-without-port-number"),
        pytest.param("127.0.0.1:9000", "us east", "malformed", id="region"),
    ],
)
def test_malformed_s3_settings_are_refused(tmp_path: Path, endpoint: str, region: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        open_store("s3://bucket", a_home(tmp_path, endpoint=endpoint, region=region))
    assert "home.toml: s3" in caught.value.place


@pytest.mark.parametrize("content", [pytest.param(b" \n", id="empty"), pytest.param(b"\xff\xfe", id="binary")])
def test_an_unusable_credential_is_never_taken_for_anonymous_access(tmp_path: Path, content: bytes) -> None:
    home = a_home(tmp_path)
    (tmp_path / S3_ACCESS_KEY).write_bytes(content)
    with pytest.raises(EnvironmentFault, match="s3-access-key is empty or is not plain text"):
        open_store("s3://bucket", home)


def test_a_missing_credential_is_named(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    (tmp_path / S3_SECRET_KEY).unlink()
    with pytest.raises(EnvironmentFault, match="the secret s3-secret-key cannot be read"):
        open_store("s3://bucket", home)
