# SPDX-License-Identifier: Apache-2.0
"""From `spec.train.trainer` to a trainer: kelp's own by a word, the user's by `package.module:name`.

The user's module is found like any other; the workspace comes last on `sys.path`, so that no file in it can take the
place of an installed module. Whatever the user's code raises becomes an InputError that names the user's own line;
the traceback goes to the log.
"""

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from kelp.errors import InputError, KelpError
from kelp.trainer import Trainer

__all__ = ["Source", "importable", "source_of", "trainer_digest"]

PLACE = "spec.train.trainer"
GUIDE = "see docs/own-trainer.md"
_METHODS = ("fit", "to_onnx")
_BUILT_IN = {"xgboost": "components.train.boosting:Boosting", "torch": "components.train.network:Network"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """Where trainers come from: `make` gives a new one, `file` is the user's source file, None for kelp's own."""

    name: str
    make: Callable[[], Any]
    file: Path | None

    def trainer(self) -> Trainer:
        """Make a trainer.

        Raises:
            InputError: it cannot be made without arguments, or lacks `fit` or `to_onnx`.
        """
        _refuse_arguments(self.make)
        with self.blamed("making it"):
            trainer = self.make()
        absent = [name for name in _METHODS if not callable(getattr(trainer, name, None))]
        if absent:
            raise _problem(f"expected the methods fit and to_onnx, found no {' and no '.join(absent)}", GUIDE)
        made: Trainer = trainer
        return made

    @contextmanager
    def blamed(self, doing: str) -> Iterator[None]:
        """Turn what the user's code raises into an InputError; kelp's own errors and trainers are left alone."""
        try:
            yield
        except KelpError:
            raise
        except Exception as error:  # the user's code can raise anything
            if self.file is None:
                raise
            raise _blame(error, doing, self.file) from error


@contextmanager
def importable(search_path: Path | None) -> Iterator[None]:
    """Let modules of a folder be found, after all others, as long as the block runs; None: nothing is added."""
    if search_path is None or str(search_path) in sys.path:
        yield
        return
    sys.path.append(str(search_path))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(search_path))


def source_of(name: str) -> Source:
    """Import the trainer that a spec names.

    Raises:
        InputError: there is no such module or name, it cannot be imported, or cannot be called.
    """
    if name in _BUILT_IN:
        module_name, _, attribute = _BUILT_IN[name].partition(":")
        return Source(name, getattr(importlib.import_module(module_name), attribute), None)
    module_name, _, attribute = name.partition(":")
    file = _file_of(module_name)
    make = getattr(_import(module_name, file), attribute, None)
    if make is None:
        near = difflib.get_close_matches(attribute, dir(sys.modules[module_name]), n=1)
        fix = f"did you mean {module_name}:{near[0]}?" if near else f"define it in {file}"
        raise _problem(f"module {module_name} has no {attribute!r}", fix)
    if not callable(make):
        raise _problem(f"expected a class or a function, found a {type(make).__name__}", GUIDE)
    return Source(name, make, file)


def trainer_digest(name: str, search_path: Path | None) -> str:
    """sha256 (hex) of the source file of the user's module; empty for kelp's own trainers.

    Raises:
        InputError: there is no such module, or it has no source file.
    """
    if name in _BUILT_IN:
        return ""
    with importable(search_path):
        return hashlib.sha256(_file_of(name.partition(":")[0]).read_bytes()).hexdigest()


def _file_of(module_name: str) -> Path:
    parent = module_name.rpartition(".")[0]
    try:
        found = importlib.util.find_spec(module_name)  # imports the packages around the module
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise _blame(error, f"importing {parent}") from error
        found = None
    except Exception as error:  # the user's code can raise anything
        raise _blame(error, f"importing {parent}") from error
    if found is None:
        fix = "keep it in the workspace, beside models/; on a cluster, put it into the image"
        raise _problem(f"there is no module {module_name!r}", fix)
    if found.origin is None or not found.origin.endswith(".py"):
        raise _problem(f"expected a Python file, found {found.origin or 'a folder'} for {module_name}", GUIDE)
    return Path(found.origin)


def _import(module_name: str, file: Path) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except Exception as error:  # the user's code can raise anything
        raise _blame(error, "importing it", file) from error


def _refuse_arguments(make: Callable[[], Any]) -> None:
    try:
        inspect.signature(make).bind()
    except TypeError as error:
        fix = "give every argument a default; what a fit needs comes in `training`"
        raise _problem(f"expected to make it without arguments: {error}", fix) from error
    except ValueError:  # written in C: has no signature, and says itself what it needs
        return


def _blame(error: Exception, doing: str, file: Path | None = None) -> InputError:
    _log.error("%s failed", doing, exc_info=error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if file is not None and frame.filename == str(file)]
    where = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    if isinstance(error, SyntaxError):
        where = f" ({error.filename}:{error.lineno})"
    said = str(error).strip().splitlines()
    message = f"{doing} raised {type(error).__name__}: {said[0] if said else ''}".rstrip(": ")
    return _problem(f"{message}{where}", "correct your trainer; its traceback is in the log")


def _problem(message: str, fix: str) -> InputError:
    return InputError(message, place=PLACE, fix=fix)
