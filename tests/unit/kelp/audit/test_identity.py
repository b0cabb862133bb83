# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
from pathlib import Path

import pytest

from kelp.audit.identity import Identities
from kelp.errors import EnvironmentFault, InputError, Refused

DIGEST = hashlib.sha256(b"secret").hexdigest()


def identities(path: Path, content: object) -> Identities:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return Identities(path)


def test_a_token_stands_for_its_actor_and_rights(tmp_path: Path) -> None:
    known = identities(tmp_path / "tokens", {DIGEST: {"actor": "trainer", "may": ["append"]}})
    identity = known.find("Bearer secret")
    assert identity.actor == "trainer"
    identity.require("append")
    with pytest.raises(Refused, match="trainer may not move"):
        identity.require("move")


def test_a_file_without_tokens_lets_nobody_in(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        identities(tmp_path / "tokens", {}).find("Bearer ")


def test_a_file_that_became_wrong_lets_nobody_in(tmp_path: Path) -> None:
    known = identities(tmp_path / "tokens", {DIGEST: {"actor": "trainer", "may": ["append"]}})
    (tmp_path / "tokens").write_text("no longer JSON")
    with pytest.raises(InputError, match="is not JSON"):
        known.find("Bearer secret")
    (tmp_path / "tokens").unlink()
    with pytest.raises(EnvironmentFault, match="cannot be read"):
        known.find("Bearer secret")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("\x00", id="not-json"),
        pytest.param([], id="list"),
        pytest.param({"secret": {"actor": "a", "may": []}}, id="token-in-clear"),
        pytest.param({DIGEST.upper(): {"actor": "a", "may": []}}, id="capital-hex"),
        pytest.param({DIGEST: {"actor": "", "may": []}}, id="no-actor"),
        pytest.param({DIGEST: {"actor": "a"}}, id="no-rights"),
        pytest.param({DIGEST: {"actor": "a", "may": ["sign"]}}, id="unknown-right"),
        pytest.param({DIGEST: {"actor": "a", "may": [], "until": 1}}, id="unknown-field"),
    ],
)
def test_a_wrong_file_is_refused_with_its_path(tmp_path: Path, content: object) -> None:
    with pytest.raises(InputError, match="tokens"):
        identities(tmp_path / "tokens", content)
