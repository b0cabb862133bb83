# SPDX-License-Identifier: Apache-2.0
"""From a location in a home to a store: a folder, file:///folder or s3://bucket/prefix."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from kelp.errors import EnvironmentFault, InputError
from kelp.home import S3_ACCESS_KEY, S3_SECRET_KEY, Home
from kelp.store.folder import FolderStore
from kelp.store.protocol import Store
from kelp.store.s3 import S3Store, connect


def open_store(location: str, home: Home) -> Store:
    """Open the store at a location; nothing is read or sent until the store is used.

    Args:
        location: a folder, file:///folder or s3://bucket/prefix.
        home: has the S3 endpoint, and the credentials in its keys folder.

    Raises:
        InputError: the location or the S3 settings are malformed.
        EnvironmentFault: a credential cannot be read, or is empty.
    """
    scheme, separator, rest = location.partition("://")
    if separator and scheme == "s3":
        return _open_s3(rest, location, home)
    if separator and scheme == "file":
        return FolderStore(_file_url_to_path(location))
    if separator or not location or "\0" in location:
        raise _malformed(location, "expected a folder, file:///folder or s3://bucket/prefix")
    return FolderStore(Path(location))


def _open_s3(rest: str, location: str, home: Home) -> Store:
    bucket, _, prefix = rest.partition("/")
    if not home.s3.endpoint:
        raise InputError(
            f"the endpoint of S3 is not set, and {location} needs it",
            place="home.toml: s3.endpoint",
            fix='write it as "host:port", for example "s3.amazonaws.com" or "seaweedfs.kubeflow:9000"',
        )
    client = connect(home.s3, _credential(home, S3_ACCESS_KEY), _credential(home, S3_SECRET_KEY))
    return S3Store(client, bucket, prefix.removesuffix("/"))


def _credential(home: Home, name: str) -> str:
    """A secret as text, without the newline an editor leaves at its end."""
    secret = home.secret(name)
    try:
        text = secret.decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise EnvironmentFault(
            f"the secret {name} is empty or is not plain text", place=home.keys, fix="put the credential there"
        )
    return text


def _file_url_to_path(location: str) -> Path:
    parts = urlsplit(location)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not path.startswith("/") or parts.query or parts.fragment:
        raise _malformed(location, "expected file:/// and an absolute folder")
    if "\0" in path:
        raise _malformed(location, "a path has no NUL")
    return Path(path)


def _malformed(location: str, problem: str) -> InputError:
    return InputError(
        f"{location!r} is not the location of a store: {problem}",
        place=f"location {location!r}",
        fix="correct it in home.toml",
    )
