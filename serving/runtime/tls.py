# SPDX-License-Identifier: Apache-2.0
"""Checks a certificate and its key before anything is served with them: uvicorn and gRPC would fail without a name."""

import ssl
from pathlib import Path

from kelp.errors import EnvironmentFault, InputError
from serving.runtime.options import Tls


def check_tls(tls: Tls) -> None:
    """Check that both files are there, are what they are said to be, and belong together.

    Raises:
        EnvironmentFault: a file cannot be read; the place is the file.
        InputError: one is no certificate or no key in PEM, or they do not belong together; likewise.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificates

    certificates, key = _content(tls.certificate), _content(tls.key)
    try:
        load_pem_x509_certificates(certificates)
    except ValueError as error:
        raise InputError("expected a certificate in PEM, found none", place=str(tls.certificate)) from error
    try:
        load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError("expected a key in PEM without a passphrase, found none", place=str(tls.key)) from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key)
    except ssl.SSLError as error:
        raise InputError(f"is not the key of {tls.certificate} ({error.reason})", place=str(tls.key)) from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EnvironmentFault(
            f"cannot be read ({error.strerror})", place=str(path), fix="check --tls-cert and --tls-key"
        ) from error
