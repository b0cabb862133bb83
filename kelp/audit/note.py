# SPDX-License-Identifier: Apache-2.0
"""Signed notes and checkpoints: what the log's key says about the log.

A checkpoint (C2SP tlog-checkpoint) is a signed note (C2SP signed-note) whose text is the log's origin, its size
and its root hash. Only Ed25519 (signature type 0x01) is signed or verified here; lines of other keys, such as a
witness's cosignature, are kept and ignored, as the specification asks.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kelp.audit.tree import HASH_BYTES
from kelp.errors import InputError, IntegrityError

SEED_BYTES = 32
MAX_NOTE_CHARACTERS = 100_000
_ED25519 = b"\x01"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,17})", re.ASCII)


@dataclass(frozen=True)
class Verifier:
    """A key's name and public half; `str()` gives its vkey, the one line to hand to an auditor."""

    name: str
    public_key: bytes

    @cached_property
    def key_id(self) -> bytes:
        """The four bytes that, with the name, say whose signature a line holds."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_to_base64(_ED25519 + self.public_key)}"

    def accepts(self, text: str, signature: bytes) -> bool:
        """Tell whether `signature` (64 bytes) is this key's over `text`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class Signer:
    """The private half: signs notes under a name. Only the log's one writer holds one."""

    def __init__(self, name: str, seed: bytes) -> None:
        """Derive the key pair from its seed.

        Raises:
            InputError: the seed is not 32 bytes, or the name cannot name a key.
        """
        if len(seed) != SEED_BYTES:
            raise InputError(
                f"an Ed25519 seed of {SEED_BYTES} bytes was expected, found {len(seed)}",
                fix="restore the audit key from its backup",
            )
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = Verifier(_key_name(name), self._key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """Return the signed note over `text`, which ends in a newline."""
        line = _to_base64(self.verifier.key_id + self._key.sign(text.encode()))
        return f"{text}\n— {self.verifier.name} {line}\n"


def parse_vkey(vkey: str) -> Verifier:
    """Read a vkey: `name+keyid+base64(0x01 || public key)`.

    Raises:
        InputError: it has another shape, another key type, or a key id that is not its key's.
    """
    name, _, rest = vkey.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    key = _from_base64(encoded, "the vkey's last part")
    if key[:1] != _ED25519 or len(key) != 1 + len(_ED25519) * 32:
        raise InputError(
            "a vkey of an Ed25519 key was expected: name+keyid+base64(0x01 || 32 bytes)",
            place="vkey",
            fix="copy the whole line from the log's owner",
        )
    verifier = Verifier(_key_name(name), key[1:])
    if verifier.key_id.hex() != key_id:
        raise InputError(
            f"the key id {key_id} was found where {verifier.key_id.hex()} belongs to this name and key",
            place="vkey",
            fix="copy the whole line from the log's owner",
        )
    return verifier


def open_note(note: str, verifier: Verifier) -> str:
    """Return the text of a note signed by `verifier`.

    Raises:
        InputError: it is not a signed note.
        IntegrityError: the key did not sign it, or a signature in the key's name is false.
    """
    text, lines = _split(note)
    signed = False
    for line in lines:
        name, signature = _signature(line)
        if name != verifier.name or signature[:4] != verifier.key_id:
            continue
        if not verifier.accepts(text, signature[4:]):
            raise IntegrityError(f"the signature of {verifier.name} is false: the text is not what was signed")
        signed = True
    if not signed:
        raise IntegrityError(
            f"it bears no signature of the key {verifier.key_id.hex()} of {verifier.name}",
            fix="check that the vkey is the one of this log",
        )
    return text


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: `size` records under `root` (32 bytes) in the log called `origin`."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{_to_base64(self.root)}\n"


def parse_checkpoint(note: str) -> Checkpoint:
    """Read a checkpoint WITHOUT judging its signatures; extension lines are ignored.

    Raises:
        InputError: it is not a checkpoint.
    """
    lines = _split(note)[0].split("\n")[:-1]
    if len(lines) < 3 or not all(lines):
        raise InputError(f"origin, size and root were expected on three lines, found {len(lines)} lines")
    origin, size, encoded = lines[:3]
    if not _DECIMAL.fullmatch(size):
        raise InputError(f"the size was expected as a decimal number, found {size[:40]!r}")
    root = _from_base64(encoded, "the root")
    if len(root) != HASH_BYTES:
        raise InputError(f"a root of {HASH_BYTES} bytes was expected, found {len(root)}")
    return Checkpoint(origin, int(size), root)


def open_checkpoint(note: str, verifier: Verifier) -> Checkpoint:
    """Read a checkpoint signed by `verifier`, whose name is the log's origin.

    Raises:
        InputError: it is not a checkpoint.
        IntegrityError: it is not signed by this key, or speaks of another log.
    """
    checkpoint = parse_checkpoint(note)
    open_note(note, verifier)
    if checkpoint.origin != verifier.name:
        raise IntegrityError(f"it speaks of the log {checkpoint.origin}, the key is the one of {verifier.name}")
    return checkpoint


def _split(note: str) -> tuple[str, list[str]]:
    text, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures.endswith("\n") or len(note) > MAX_NOTE_CHARACTERS or _CONTROL.search(note):
        raise InputError(
            "a signed note was expected: a text, an empty line, then signature lines '— name base64'",
            fix="give the whole checkpoint, with its last line and newline",
        )
    return text + "\n", signatures[:-1].split("\n")


def _signature(line: str) -> tuple[str, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    signature = _from_base64(encoded, "a signature line")
    if dash != "—" or not name or len(signature) <= 4:
        raise InputError(f"a signature line '— name base64' was expected, found {line[:60]!r}")
    return name, signature


def _key_name(name: str) -> str:
    if not name or "+" in name or len(name.split()) != 1 or name != name.strip() or _CONTROL.search(name):
        raise InputError(f"a key name without spaces or '+' was expected, found {name[:60]!r}", place="vkey")
    return name


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"base64 was expected in {what}, found {text[:60]!r}") from error
