# SPDX-License-Identifier: Apache-2.0
"""Home: everything that differs between a laptop and a cluster, as one value.

On a laptop it is `.kelp/home.toml`, written by the first command. On a cluster the same file comes from a
ConfigMap and its `keys` folder from a Secret. A model spec names no home, so the same spec runs in both.
Secrets are files in the keys folder, named by the `*_KEY` constants below; they are never in the TOML file.
"""

import os
import secrets
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kelp.errors import EnvironmentFault, InputError

PSEUDONYM_KEY = "pseudonym.key"  # 32 random bytes: the HMAC-SHA256 key of pseudonymised columns
SIGNING_KEY = "signing.pem"  # EC P-256 private key: signs model versions
SIGNING_PUBLIC_KEY = "signing.pub.pem"
AUDIT_KEY = "audit.key"  # Ed25519 seed of the audit log's one writer
AUDIT_TOKEN = "audit.token"  # bearer token of this home's identity at an audit service over HTTP
S3_ACCESS_KEY = "s3-access-key"
S3_SECRET_KEY = "s3-secret-key"

_TEMPLATE = """\
# What differs between this machine and a cluster; kelp wrote it once and never changes it.
# Relative paths start at the folder of this file. A folder may also be s3://bucket/prefix.
dataRoot = "../data"      # data://fraud/*.parquet is ../data/fraud/*.parquet
store = "store"           # snapshots of the data
registry = "registry"     # model versions and aliases
audit = "audit"           # the audit log: a folder here, http://... of the audit service on a cluster
runs = "runs"             # what each run left behind
keys = "keys"             # secrets, one file each
"""


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=lambda name: _camel(name), populate_by_name=True
    )


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


class S3(_Part):
    """How to reach the object store behind every s3:// address."""

    endpoint: str = ""
    region: str = "us-east-1"
    secure: bool = True


class Kfp(_Part):
    """Where Kubeflow Pipelines answers; empty on a laptop."""

    address: str = ""
    namespace: str = "kubeflow-user-example-com"


class Images(_Part):
    """Container images by digest; empty on a laptop."""

    components: str = ""
    serving: str = ""


class Gateway(_Part):
    """The Gateway that HTTPRoutes attach to."""

    name: str = "kelp"
    namespace: str = "kelp-system"
    class_name: str = "eg"


Location = Annotated[str, Field(min_length=1)]


class Home(_Part):
    """The resolved home: every location absolute, or a URL."""

    data_root: Location
    store: Location
    registry: Location
    audit: Location
    runs: Location
    keys: Location
    s3: S3 = Field(default_factory=S3)
    kfp: Kfp = Field(default_factory=Kfp)
    images: Images = Field(default_factory=Images)
    gateway: Gateway = Field(default_factory=Gateway)

    def secret(self, name: str) -> bytes:
        """Read one secret from the keys folder.

        Raises:
            EnvironmentFault: the file is missing or unreadable.
        """
        path = Path(self.keys) / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise EnvironmentFault(
                f"the secret {name} cannot be read ({error.strerror})",
                place=str(path),
                fix="put it there, or point `keys` in home.toml at the folder that has it",
            ) from error


def load_home(path: Path) -> Home:
    """Read a home file; relative locations become absolute.

    Raises:
        InputError: the file is not TOML, or a field is unknown or of the wrong type.
        EnvironmentFault: the file cannot be read.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise EnvironmentFault(
            f"the home cannot be read ({error.strerror})",
            place=str(path),
            fix="without --home and KELP_HOME, any kelp command writes one into its workspace",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"is not TOML: {error}", place=str(path)) from error
    for name in ("dataRoot", "store", "registry", "audit", "runs", "keys"):
        location = values.get(name)
        if isinstance(location, str) and location and "://" not in location:
            values[name] = str((path.parent / location).resolve())
    try:
        return Home.model_validate(values, by_name=False)
    except ValidationError as error:
        problems = "; ".join(_problem(item) for item in error.errors())
        raise InputError(problems, place=str(path), fix="correct the home file") from error


def _problem(error: Any) -> str:
    """One line: the field's path as written in the file, what was expected and what was found."""
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{path}: expected a value, found nothing"
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown field"
    expected = error["msg"].replace("Input should be", "expected").replace("String should have", "expected")
    return f"{path}: {expected}, found {error['input']!r}"


def ensure_home(workspace: Path) -> Path:
    """Write `workspace/home.toml` and its keys unless they exist; return the file's path.

    Running twice, or two processes at once, is harmless: files are created exclusively and never replaced.
    """
    path = workspace / "home.toml"
    try:
        (workspace / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("store", "registry", "audit", "runs"):
            (workspace / name).mkdir(exist_ok=True)
        _create(workspace / "keys" / PSEUDONYM_KEY, lambda: secrets.token_bytes(32))
        _create(workspace / "keys" / AUDIT_KEY, lambda: secrets.token_bytes(32))
        if not (workspace / "keys" / SIGNING_PUBLIC_KEY).exists():
            _create_signing_keys(workspace / "keys")
        _create(path, _TEMPLATE.encode)
    except OSError as error:
        raise EnvironmentFault(
            f"the workspace cannot be written ({error.strerror})",
            place=str(workspace),
            fix="choose another one with --workspace, or fix the folder's permissions",
        ) from error
    return path


def _create(path: Path, content: Callable[[], bytes]) -> None:
    """Create a file whole or not at all; an existing one is left as it is."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content())
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # fails when another process was first: its file stays
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _create_signing_keys(folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def new_private_key() -> bytes:
        return ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def public_key_of_the_private_one() -> bytes:
        private_key = serialization.load_pem_private_key((folder / SIGNING_KEY).read_bytes(), None)
        return private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    _create(folder / SIGNING_KEY, new_private_key)
    _create(folder / SIGNING_PUBLIC_KEY, public_key_of_the_private_one)
