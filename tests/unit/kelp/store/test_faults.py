# SPDX-License-Identifier: Apache-2.0
import errno
import os
from collections.abc import Callable

import pytest
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from kelp.errors import EnvironmentFault, KelpError, NotFound
from kelp.store.faults import disk_faults, s3_faults

TEXT_XML = '<?xml version="1.0"?>\n<Error>\n  <Code>{}</Code><Message>Why it failed</Message></Error>'


def as_the_client_reads_it(code: str) -> MinioException:
    return S3Error(
        response=HTTPResponse(),
        code=code,
        message="Why it failed",
        resource="/bucket/key",
        request_id=None,
        host_id=None,
    )


def as_the_client_quotes_it(code: str) -> MinioException:
    return InvalidResponseError(400, "text/xml", TEXT_XML.format(code))


@pytest.mark.parametrize("answer", [as_the_client_reads_it, as_the_client_quotes_it])
@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("NoSuchKey", NotFound, "does not exist"),
        ("NoSuchBucket", EnvironmentFault, "the bucket does not exist"),
        ("AccessDenied", EnvironmentFault, "S3 refused the credentials (AccessDenied)"),
        ("SignatureDoesNotMatch", EnvironmentFault, "S3 refused the credentials (SignatureDoesNotMatch)"),
        ("QuotaExceeded", EnvironmentFault, "S3 answered QuotaExceeded: Why it failed"),
    ],
)
def test_the_servers_code_decides_the_error(
    answer: Callable[[str], MinioException], code: str, kind: type[KelpError], message: str
) -> None:
    with pytest.raises(kind) as caught, s3_faults("s3://bucket/key"):
        raise answer(code)
    assert str(caught.value) == f"s3://bucket/key: {message}"
    assert caught.value.fix


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(InvalidResponseError(200, "text/html", "<p>" * 1000), "is not S3", id="page"),
        pytest.param(InvalidResponseError(404, None, None), "is not S3", id="nothing"),
        pytest.param(ServerError("status code 502", 502), "the S3 server failed (status code 502)", id="gateway"),
        pytest.param(ProtocolError("reset"), "the connection broke (reset)", id="connection"),
    ],
)
def test_an_answer_without_a_code_is_an_environment_fault(error: Exception, message: str) -> None:
    with pytest.raises(EnvironmentFault) as caught, s3_faults("s3://bucket/key"):
        raise error
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


def test_errors_of_kelp_pass_through_both() -> None:
    with pytest.raises(NotFound), s3_faults("s3://bucket/key"), disk_faults("/data", "read"):
        raise NotFound("mine")


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        pytest.param(errno.ENOSPC, "free some space", id="full"),
        pytest.param(errno.EROFS, "mount it writable", id="read-only"),
        pytest.param(errno.EACCES, "fix the permissions", id="permission"),
        pytest.param(errno.EIO, "check the disk", id="other"),
    ],
)
def test_a_disk_fault_names_the_place_the_reason_and_the_fix(number: int, fix: str) -> None:
    with pytest.raises(EnvironmentFault) as caught, disk_faults("/data/key", "written"):
        raise OSError(number, os.strerror(number))
    assert str(caught.value) == f"/data/key: cannot be written ({os.strerror(number)})"
    assert fix in caught.value.fix
