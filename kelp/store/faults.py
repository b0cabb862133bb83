# SPDX-License-Identifier: Apache-2.0
"""Faults of disks and of S3, translated into kelp's errors.

Used around the one call that may fail, never around code of a caller: an OSError raised in a caller's
`with` block is not the store's.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import ParseError

from kelp.errors import EnvironmentFault, KelpError, NotFound
from kelp.home import S3_ACCESS_KEY, S3_SECRET_KEY

_DISK_FIXES = {
    errno.ENOSPC: "free some space, or choose another disk",
    errno.EDQUOT: "free some space, or ask for a larger quota",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EROFS: "mount it writable, or choose another place",
    errno.EACCES: "fix the permissions of the file and its folder",
    errno.EPERM: "fix the permissions of the file and its folder",
}
_CREDENTIAL_CODES = {
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}


@contextmanager
def disk_faults(place: str, doing: str) -> Iterator[None]:
    """Turn an OSError of the block into an EnvironmentFault.

    Args:
        place: the path or stream that is at fault.
        doing: what failed, after "cannot be": read, written, ...
    """
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(
            f"cannot be {doing} ({error.strerror or error})",
            place=place,
            fix=_DISK_FIXES.get(error.errno or 0, "check the disk and the path"),
        ) from error


@contextmanager
def s3_faults(place: str) -> Iterator[None]:
    """Turn errors of the S3 client into NotFound or EnvironmentFault.

    Args:
        place: the s3:// address that was used.
    """
    from minio.error import MinioException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except MinioException as error:
        raise _answer_to_error(error, place) from error
    except HTTPError as error:
        raise EnvironmentFault(
            f"the S3 endpoint does not answer, or the connection broke ({_brief(error)})",
            place=place,
            fix="check s3.endpoint and s3.secure in home.toml, and that the server runs; then try again",
        ) from error
    except ParseError as error:
        raise _not_s3(error, place) from error


def _answer_to_error(error: Exception, place: str) -> KelpError:
    """The error for what the server answered; it is the server's code that counts, not the HTTP status."""
    from minio.error import ServerError

    code, message = _code_and_message(error)
    if isinstance(error, ServerError):
        return EnvironmentFault(f"the S3 server failed ({_brief(error)})", place=place, fix="try again later")
    if not code:
        return _not_s3(error, place)
    if code == "NoSuchKey":
        return NotFound("does not exist", place=place, fix="list the keys around it")
    if code == "NoSuchBucket":
        return no_bucket(place)
    if code in _CREDENTIAL_CODES:
        return EnvironmentFault(
            f"S3 refused the credentials ({code})",
            place=place,
            fix=f"check {S3_ACCESS_KEY} and {S3_SECRET_KEY} in the keys folder, and their rights on the bucket",
        )
    return EnvironmentFault(
        f"S3 answered {code}: {message[:256]}", place=place, fix="look into the log of the S3 server; then try again"
    )


def no_bucket(place: str) -> EnvironmentFault:
    """The error for an s3:// address whose bucket is missing."""
    return EnvironmentFault(
        "the bucket does not exist", place=place, fix="create it, or correct the location in home.toml"
    )


def _code_and_message(error: Exception) -> tuple[str, str]:
    """The S3 error code and its explanation; empty if the answer had none.

    The client reads only errors of type application/xml. Some servers answer text/xml; then both are in the
    body, which the client's error quotes.
    """
    from minio.error import S3Error

    if isinstance(error, S3Error):
        return error.code or "", error.message or ""
    found = {tag: text for tag, text in re.findall(r"<(Code|Message)>([^<]*)<", str(error))}
    return found.get("Code", ""), found.get("Message", "")


def _not_s3(error: Exception, place: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"the endpoint answered something that is not S3 ({_brief(error)})",
        place=place,
        fix="point s3.endpoint in home.toml at the S3 interface of the object store",
    )


def _brief(error: Exception) -> str:
    """At most 256 characters of the error, on one line: an answer may be a whole page."""
    return " ".join(str(error).split())[:256]
