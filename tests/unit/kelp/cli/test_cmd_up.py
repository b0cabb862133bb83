# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from kelp.cli.cmd_up import _pseudonym_key
from kelp.cli.session import Session


def test_server_is_told_of_the_homes_key_of_pseudonyms_if_there_is_one(tmp_path: Path) -> None:
    session = Session(tmp_path / "ws", None)
    key = Path(session.home.keys) / "pseudonym.key"
    assert _pseudonym_key(session) == ["--pseudonym-key", str(key)]
    key.unlink()
    assert _pseudonym_key(session) == []
