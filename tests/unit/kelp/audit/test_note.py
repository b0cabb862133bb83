# SPDX-License-Identifier: Apache-2.0
import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.audit.note import Checkpoint, Signer, open_checkpoint, open_note, parse_checkpoint, parse_vkey
from kelp.audit.tree import EMPTY_ROOT
from kelp.errors import InputError, IntegrityError

# The key and the signature of the reference implementation's tests (golang.org/x/mod/sumdb/note).
NEUMANN_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
NEUMANN_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
NEUMANN_NOTE = f"{NEUMANN_TEXT}\n{NEUMANN_LINE}"
ORIGIN = "example.com/log"


def a_signer(name: str = ORIGIN, seed: int = 1) -> Signer:
    return Signer(name, bytes([seed]) * 32)


def a_checkpoint(origin: str = ORIGIN, size: int = 0, root: bytes = EMPTY_ROOT) -> Checkpoint:
    return Checkpoint(origin, size, root)


def test_the_reference_key_signs_the_reference_note() -> None:
    signer = Signer("PeterNeumann", NEUMANN_SEED)
    assert str(signer.verifier) == NEUMANN_VKEY
    assert signer.sign(NEUMANN_TEXT) == NEUMANN_NOTE


def test_the_reference_note_opens_with_the_reference_vkey() -> None:
    assert open_note(NEUMANN_NOTE, parse_vkey(NEUMANN_VKEY)) == NEUMANN_TEXT


@given(
    name=st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C"), exclude_characters="+"), min_size=1),
    seed=st.binary(min_size=32, max_size=32),
)
def test_a_vkey_reads_back(name: str, seed: bytes) -> None:
    verifier = Signer(name, seed).verifier
    assert parse_vkey(f"{verifier}\n") == verifier


def test_a_checkpoint_is_origin_size_and_root_on_three_lines() -> None:
    assert a_checkpoint().text() == "example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


@given(size=st.integers(0, 10**18 - 1), root=st.binary(min_size=32, max_size=32))
def test_a_signed_checkpoint_reads_back(size: int, root: bytes) -> None:
    checkpoint = a_checkpoint(size=size, root=root)
    assert open_checkpoint(a_signer().sign(checkpoint.text()), a_signer().verifier) == checkpoint


def test_signatures_of_unknown_keys_are_ignored() -> None:
    note = a_signer().sign(a_checkpoint().text())
    same_name_other_key = a_signer(seed=2).sign("x\n").split("\n\n")[1]
    witness = a_signer("witness.example").sign(a_checkpoint().text()).split("\n\n")[1]
    text, own = note.split("\n\n")
    cosigned = f"{text}\n\n{witness}{same_name_other_key}{own}"
    assert open_checkpoint(cosigned, a_signer().verifier) == a_checkpoint()


def test_extension_lines_are_signed_and_ignored() -> None:
    note = a_signer().sign(f"{a_checkpoint().text()}extension\n")
    assert open_checkpoint(note, a_signer().verifier) == a_checkpoint()


def test_a_note_of_another_key_is_refused() -> None:
    with pytest.raises(IntegrityError, match="bears no signature"):
        open_note(a_signer(seed=2).sign("text\n"), a_signer().verifier)


def test_a_false_signature_in_the_keys_own_name_is_refused_even_beside_a_good_one() -> None:
    text, own = a_signer().sign("text\n").split("\n\n")
    false = a_signer().sign("other\n").split("\n\n")[1]
    with pytest.raises(IntegrityError, match="is false"):
        open_note(f"{text}\n\n{own}{false}", a_signer().verifier)


@given(st.data())
def test_no_changed_character_of_the_text_goes_unseen(data: st.DataObject) -> None:
    note = a_signer().sign(a_checkpoint(size=1234).text())
    place = data.draw(st.integers(0, note.index("\n\n") - 1))
    changed = note[:place] + chr(ord(note[place]) ^ 1) + note[place + 1 :]
    with pytest.raises((IntegrityError, InputError)):
        open_checkpoint(changed, a_signer().verifier)


def test_a_checkpoint_of_another_log_under_the_same_key_is_refused() -> None:
    note = a_signer().sign(a_checkpoint(origin="example.com/other").text())
    with pytest.raises(IntegrityError, match=r"speaks of the log example\.com/other"):
        open_checkpoint(note, a_signer().verifier)


@pytest.mark.parametrize(
    ("note", "message"),
    [
        pytest.param("", "a signed note was expected", id="empty"),
        pytest.param("text\n", "a signed note was expected", id="unsigned"),
        pytest.param(NEUMANN_NOTE.rstrip("\n"), "a signed note was expected", id="cut"),
        pytest.param(NEUMANN_NOTE.replace(" ", "\t"), "a signed note was expected", id="control-character"),
        pytest.param(NEUMANN_NOTE + "x" * 100_000 + "\n", "a signed note was expected", id="endless"),
        pytest.param("text\n\n\n", "a signed note was expected", id="empty-signature"),
        pytest.param(NEUMANN_NOTE.replace("—", "-"), "a signature line", id="hyphen"),
        pytest.param("text\n\n— name AAAA\n", "a signature line", id="too-short"),
        pytest.param("text\n\n— name ****\n", "base64 was expected", id="not-base64"),
    ],
)
def test_what_is_no_signed_note_is_named(note: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_note(note, parse_vkey(NEUMANN_VKEY))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("origin\n1\n", "three lines", id="two-lines"),
        pytest.param("origin\n\n1\nAAAA\n", "three lines", id="empty-line"),
        pytest.param("origin\n01\nAAAA\n", "decimal", id="leading-zero"),
        pytest.param("origin\n-1\nAAAA\n", "decimal", id="negative"),
        pytest.param("origin\n١\nAAAA\n", "decimal", id="arabic-digit"),
        pytest.param("origin\n1\n****\n", "base64", id="not-base64"),
        pytest.param("origin\n1\nAAAA\n", "32 bytes", id="short-root"),
    ],
)
def test_what_is_no_checkpoint_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_checkpoint(a_signer().sign(text))


@pytest.mark.parametrize(
    "vkey",
    [
        pytest.param("", id="empty"),
        pytest.param("name", id="name-only"),
        pytest.param(NEUMANN_VKEY.replace("c74f20a3", "c74f20a4"), id="wrong-key-id"),
        pytest.param(NEUMANN_VKEY[:-4], id="short-key"),
        pytest.param(NEUMANN_VKEY.replace("+AR", "+AB"), id="wrong-key-type"),
        pytest.param("PeterNeumann+c74f20a3+****", id="not-base64"),
        pytest.param(f"a name{NEUMANN_VKEY[12:]}", id="space-in-name"),
    ],
)
def test_what_is_no_vkey_is_refused(vkey: str) -> None:
    with pytest.raises(InputError):
        parse_vkey(vkey)


@pytest.mark.parametrize("length", [0, 31, 33, 64], ids="{}-bytes".format)
def test_a_seed_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(InputError, match=f"found {length}"):
        Signer(ORIGIN, bytes(length))
