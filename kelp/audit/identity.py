# SPDX-License-Identifier: Apache-2.0
"""Who may do what at the audit service: a file of hashed bearer tokens in the keys folder.

    {"<sha256 of the token, hex>": {"actor": "trainer", "may": ["append"]},
     "<...>": {"actor": "rollout", "may": ["append", "move"]},
     "<...>": {"actor": "auditor", "may": []}}

Every identity in the file may read. The file holds no token, so reading it gives nobody an identity.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from kelp.audit.record import validated
from kelp.errors import EnvironmentFault, InputError, Refused

TOKENS_FILE = "audit-tokens.json"
Right = Literal["append", "move"]


class UnknownIdentity(Refused):
    """No token, or one the service does not know."""

    http_status = 401


class Identity(BaseModel):
    """An actor and its rights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    actor: str = Field(min_length=1, max_length=128, pattern=r"\A[^\x00-\x1f\x7f]+\z")
    may: frozenset[Right]

    def require(self, right: Right) -> None:
        """Refuse what the identity may not do.

        Raises:
            Refused: it lacks the right.
        """
        if right not in self.may:
            raise Refused(
                f"{self.actor} may not {right}", fix=f'add "{right}" to this identity\'s rights in {TOKENS_FILE}'
            )


class _Tokens(RootModel[dict[Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")], Identity]]):
    pass


class Identities:
    """The tokens file; a changed file counts from the next request on, an unreadable one lets nobody in."""

    def __init__(self, path: Path) -> None:
        """Read the file once, so that a service with a wrong one does not start.

        Raises:
            InputError: it is not as above.
            EnvironmentFault: it cannot be read.
        """
        self._path = path
        self._read_at: tuple[int, int, int] | None = None
        self._known: dict[str, Identity] = {}
        self._refresh()

    def find(self, authorization: str) -> Identity:
        """Return whose `Authorization` header this is.

        Raises:
            UnknownIdentity: it bears no known token.
        """
        self._refresh()
        scheme, _, token = authorization.partition(" ")
        identity = self._known.get(hashlib.sha256(token.strip().encode()).hexdigest())
        if scheme.lower() != "bearer" or identity is None:
            raise UnknownIdentity(
                "a bearer token that this service knows was expected",
                place="Authorization",
                fix=f"ask its operator to add your token's SHA-256 to {TOKENS_FILE}",
            )
        return identity

    def _refresh(self) -> None:
        try:
            stat = os.stat(self._path)
            state = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if state == self._read_at:
                return
            values = json.loads(self._path.read_bytes())
        except OSError as error:
            raise EnvironmentFault(
                f"the tokens file cannot be read ({error.strerror})",
                place=str(self._path),
                fix='write one: {"<sha256 of a token>": {"actor": "name", "may": ["append", "move"]}}',
            ) from error
        except ValueError as error:
            raise InputError(f"is not JSON: {error}", place=str(self._path)) from error
        self._known = validated(_Tokens, values, place=str(self._path)).root
        self._read_at = state
