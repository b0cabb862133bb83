# SPDX-License-Identifier: Apache-2.0
"""A server with a certificate: HTTPS and gRPC over TLS, nothing without it, and no start with files that do not fit."""

import ssl
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socket import create_connection, create_server
from typing import Any

import grpc
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc

from tests.local.serving.conftest import a_version, command, eventually, refused_start

ROW = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2}
SCORE = pytest.approx(0.85195279, rel=1e-6)


def a_certificate(folder: Path, encryption: KeySerializationEncryption | None = None) -> tuple[Path, Path]:
    """Write a certificate of 127.0.0.1 that is its own authority, and its key."""
    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kelp test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "tls.crt", folder / "tls.key"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()))
    return paths


class Served:
    """A server with a certificate, of one or of several workers."""

    def __init__(self, folder: Path, workers: str) -> None:
        self.certificate, key = a_certificate(folder / "tls")
        self.context = ssl.create_default_context(cafile=str(self.certificate))
        self.port, self.grpc_port = free_port(), free_port()
        self.log = folder / "log"
        arguments = ["--model", f"fraud={a_version(folder / 'fraud')}=3", "--workers", workers]
        arguments += ["--http-port", str(self.port), "--grpc-port", str(self.grpc_port)]
        arguments += ["--tls-cert", str(self.certificate), "--tls-key", str(key)]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(command(*arguments), stdout=output, stderr=output)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"https://127.0.0.1:{self.port}/v2/health/ready", verify=self.context).status_code == 200
        except httpx.ConnectError:
            return False


def free_port() -> int:
    with create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module", params=["1", "2"], ids=["one-process", "two-workers"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(tmp_path_factory.mktemp("tls"), request.param)
    try:
        eventually(server.is_ready, "the server is not ready")
        yield server
    finally:
        server.process.terminate()
        server.process.wait(timeout=60)


def test_https_answers_predictions_and_the_rest(served: Served) -> None:
    with httpx.Client(base_url=f"https://127.0.0.1:{served.port}", verify=served.context, timeout=30) as client:
        for _ in range(3):
            answer = client.post("/v1/models/fraud:predict", json={"instances": [ROW]})
            assert answer.json() == {"predictions": [{"score": SCORE, "label": "true"}]}
            assert client.post("/v1/models/fraud:predict", json={}).status_code == 400
            assert client.get("/v2/models/fraud/ready").status_code == 200
    assert "https://127.0.0.1" in served.log.read_text()


def test_a_large_body_and_a_large_answer_pass_through_tls(served: Served) -> None:
    rows = [[float(amount), "shop", True, 2] for amount in range(20_000)]
    answer = httpx.post(
        f"https://127.0.0.1:{served.port}/v1/models/fraud:predict",
        json={"instances": rows},
        verify=served.context,
        timeout=30,
    )
    assert len(answer.json()["predictions"]) == 20_000


def test_plain_http_is_not_answered_and_harms_nobody(served: Served) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{served.port}/v2/health/ready")
    for content in (b"", b"\0" * 1000, b"\x16\x03\x01\xff\xff"):
        with create_connection(("127.0.0.1", served.port), timeout=10) as connection:
            connection.sendall(content)
    assert served.is_ready()
    assert "Traceback" not in served.log.read_text()


def test_a_caller_that_does_not_trust_the_certificate_is_not_served(served: Served) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://127.0.0.1:{served.port}/v2/health/ready")


def infer(channel: Any) -> Any:
    message = pb.ModelInferRequest(model_name="fraud")
    tensor = message.inputs.add(name="rows", datatype="FP32", shape=[1, 4])
    tensor.contents.fp32_contents.extend([12.5, 2, 1, 2])
    return grpc_predict_v2_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(message, timeout=10)


def test_grpc_over_tls_answers_and_without_it_does_not(served: Served) -> None:
    address = f"127.0.0.1:{served.grpc_port}"
    trusted = grpc.ssl_channel_credentials(served.certificate.read_bytes())
    with grpc.secure_channel(address, trusted) as channel:
        assert infer(channel).outputs[0].contents.fp64_contents[0] == SCORE
    for bad in (grpc.insecure_channel(address), grpc.secure_channel(address, grpc.ssl_channel_credentials())):
        with bad as channel, pytest.raises(grpc.RpcError) as caught:
            infer(channel)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_sigterm_ends_a_server_with_tls_with_zero(tmp_path: Path) -> None:
    server = Served(tmp_path, "1")
    try:
        eventually(server.is_ready, "the server is not ready")
        with httpx.Client(verify=server.context) as client:
            assert client.get(f"https://127.0.0.1:{server.port}/v2/health/live").status_code == 200
            server.process.terminate()
            assert server.process.wait(timeout=15) == 0
        assert "Traceback" not in server.log.read_text()
    finally:
        server.process.kill()
        server.process.wait()


Damage = Callable[[Path, Path], Path]


def no_certificate(certificate: Path, key: Path) -> Path:
    certificate.unlink()
    return certificate


def no_key(certificate: Path, key: Path) -> Path:
    key.unlink()
    return key


def folder_for_a_key(certificate: Path, key: Path) -> Path:
    key.unlink()
    key.mkdir()
    return key


def empty_certificate(certificate: Path, key: Path) -> Path:
    certificate.write_bytes(b"")
    return certificate


def damaged_certificate(certificate: Path, key: Path) -> Path:
    certificate.write_bytes(certificate.read_bytes().replace(b"M", b"N", 3))
    return certificate


def key_for_a_certificate(certificate: Path, key: Path) -> Path:
    certificate.write_bytes(key.read_bytes())
    return certificate


def certificate_for_a_key(certificate: Path, key: Path) -> Path:
    key.write_bytes(certificate.read_bytes())
    return key


def cut_key(certificate: Path, key: Path) -> Path:
    key.write_bytes(key.read_bytes()[:80])
    return key


def another_key(certificate: Path, key: Path) -> Path:
    _, other = a_certificate(key.parent / "other")
    key.write_bytes(other.read_bytes())
    return key


def key_with_a_passphrase(certificate: Path, key: Path) -> Path:
    a_certificate(key.parent, BestAvailableEncryption(b"secret"))
    return key


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (no_certificate, 4),
        (no_key, 4),
        (folder_for_a_key, 4),
        (empty_certificate, 2),
        (damaged_certificate, 2),
        (key_for_a_certificate, 2),
        (certificate_for_a_key, 2),
        (cut_key, 2),
        (another_key, 2),
        (key_with_a_passphrase, 2),
    ],
)
def test_a_file_that_does_not_fit_stops_the_start_and_is_named(
    tmp_path: Path, damage: Damage, code: int, workers: str
) -> None:
    certificate, key = a_certificate(tmp_path)
    named = damage(certificate, key)
    arguments = ["--repository", str(tmp_path), "--tls-cert", str(certificate), "--tls-key", str(key)]
    found, message = refused_start(*arguments, "--workers", workers)
    assert found == code, message
    assert f"{named}: " in message
    assert "Traceback" not in message
    assert "PRIVATE KEY" not in message
