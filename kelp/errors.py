# SPDX-License-Identifier: Apache-2.0
"""Every error kelp raises on purpose, in one tree.

    KelpError
    ├── InputError              the user's input is wrong                  exit 2   HTTP 400
    │   ├── SpecError           a models/<name>.yaml, all problems at once
    │   ├── DataError           a data source or its rows
    │   ├── RequestError        a prediction request
    │   ├── NotFound            a name that does not exist                          HTTP 404
    │   ├── TooLarge            a body over its limit                               HTTP 413
    │   ├── WrongMediaType      a body of a type that is not taken                  HTTP 415
    │   └── NotBuiltYet         accepted by the schema, no code behind it yet
    ├── GateFailed              a gate said no                             exit 3
    ├── Conflict                somebody else was first                    exit 4   HTTP 409
    ├── Refused                 the identity may not do this               exit 4   HTTP 403
    ├── IntegrityError          bytes differ from what was recorded        exit 4
    └── EnvironmentFault        a disk, a network, a missing program       exit 4   HTTP 503
        └── NotReady            a model that cannot answer now

A message says what was expected and what was found; `place` says where, `fix` what to do next.
Only the rim (CLI, servers, the entry of a pipeline step) turns these into exit codes and statuses.
"""

from collections.abc import Sequence
from typing import ClassVar


class KelpError(Exception):
    """Base of all errors; never raised itself."""

    exit_code: ClassVar[int] = 4
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, place: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.fix = fix

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.place, self.fix)


def _rebuild(kind: type[KelpError], message: str, place: str, fix: str) -> KelpError:
    return kind(message, place=place, fix=fix)


class InputError(KelpError):
    """The user's input is wrong; nothing was changed."""

    exit_code = 2
    http_status = 400


class SpecError(InputError):
    """A model spec with one or more problems, reported together."""

    def __init__(self, message: str, *, place: str = "", fix: str = "", problems: Sequence[str] = ()) -> None:
        super().__init__(message, place=place, fix=fix)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n  ".join([super().__str__(), *self.problems])


class DataError(InputError):
    """A data source that cannot be read, or whose rows break the contract."""


class RequestError(InputError):
    """A prediction request the model cannot answer; the message names the field."""


class NotFound(InputError):
    """A model, version, run or file that does not exist."""

    http_status = 404


class TooLarge(InputError):
    """A body over the stated limit."""

    http_status = 413


class WrongMediaType(InputError):
    """A body whose Content-Type or Content-Encoding is not taken."""

    http_status = 415


class NotBuiltYet(InputError):
    """A field the schema accepts and no code serves yet."""


class GateFailed(KelpError):
    """A gate's result stops the release; the version is registered as rejected."""

    exit_code = 3


class Conflict(KelpError):
    """The value to change was changed by somebody else first."""

    http_status = 409
    retryable = True


class Refused(KelpError):
    """The identity is unknown or may not do this."""

    http_status = 403


class IntegrityError(KelpError):
    """Bytes differ from what was recorded about them."""


class EnvironmentFault(KelpError):
    """The surroundings failed: disk, network, permission, missing program."""

    http_status = 503
    retryable = True


class NotReady(EnvironmentFault):
    """A model that cannot answer now: its version was refused, and there is none before it."""
