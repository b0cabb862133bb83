# SPDX-License-Identifier: Apache-2.0
"""The models of one process: listed in a catalogue, loaded when first asked for, held within a budget of memory.

What V2's model repository extension does by name, for every protocol.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from kelp.errors import IntegrityError, KelpError, NotFound, NotReady
from serving.catalogue import Catalogue
from serving.lease import Lease
from serving.repository import Repository
from serving.runtime.model import ServedModel
from serving.source import Source, estimated_bytes

_LOAD = "POST /v2/repository/models/NAME/load"
_STATES = {"ready": "READY", "loading": "LOADING", "cold": "UNAVAILABLE", "failed": "UNAVAILABLE"}
_COLD = "not in memory; the next request loads it"
_UNLOADED = f"not served; {_LOAD} serves it"
_NO_ROOM = "there is no memory for it beside what is in use"


class Models:
    """Lends models by name; it may be used by several threads at once."""

    def __init__(
        self,
        catalogue: Catalogue,
        budget: int,
        load: Callable[[Source], ServedModel],
        close: Callable[[ServedModel], None] = lambda model: None,
        size: Callable[[Path], int] = estimated_bytes,
    ) -> None:
        """Know every model of a catalogue, and load none; the rest is as for `Repository`.

        Raises:
            EnvironmentFault: the catalogue's folder cannot be read.
        """
        self._catalogue = catalogue
        self._repository: Repository[ServedModel] = Repository(budget, load, size, close=close)
        self._pointing = Lock()  # held from a look into the catalogue until the name points at what was found
        self._unreadable: dict[str, KelpError] = {}  # by name: why the catalogue does not say which version it has
        for name in catalogue.names():
            try:
                self._repository.point(catalogue.find(name))
            except KelpError as error:  # of this model alone: the others are served
                self._unreadable[name] = error

    def names(self) -> list[str]:
        """The models that are served, in memory or not."""
        return self._repository.names()

    def lend(self, name: str, version: str | None = None) -> Lease[ServedModel] | None:
        """Lend a model that is in memory; None if it is not, or not in this version: then ask `lend_loaded`."""
        lease = self._repository.lend(name)
        if lease is None or version is None or version == lease.loaded.version:
            return lease
        self._repository.give_back(lease)
        return None

    def lend_loaded(self, name: str, version: str | None = None) -> Lease[ServedModel]:
        """Lend a model, which may have to be loaded first. Not for the event loop's thread.

        Raises:
            NotFound: no such model is served, or not in this version.
            NotReady: its version was refused, or there is no memory for it.
        """
        try:
            lease = self._repository.lend_loaded(name)
        except NotFound as error:
            raise self._not_served(name) from error
        except KelpError as error:
            raise NotReady(f"the model cannot be loaded: {error}", place=name, fix=error.fix) from error
        if version is None or version == lease.loaded.version:
            return lease
        served = lease.loaded.version
        self._repository.give_back(lease)
        raise NotFound(f"version {version[:20]} is not served here", fix=f"served here: {name} {served}")

    def give_back(self, lease: Lease[ServedModel]) -> None:
        """End a loan."""
        self._repository.give_back(lease)

    def load(self, name: str) -> int:
        """Serve what the catalogue has now for a name: the version, checked and in memory.

        Raises:
            NotFound: there is no such model.
            NotReady: the version is refused, and the reason; if another was served before, it still is.
        """
        try:
            with self._pointing:
                source = self._found(name)
                self._repository.point(source)
            lease = self._repository.lend_wanted(name)
        except NotFound:
            raise
        except KelpError as error:
            raise NotReady(f"the model is refused: {error}", place=name, fix=error.fix) from error
        self._repository.give_back(lease)
        if lease.version != source.version:
            reason = self._repository.state(name).reason or _NO_ROOM
            raise NotReady(
                f"version {source.version} is refused: {reason}",
                place=name,
                fix=f"version {lease.version} is still served",
            )
        return lease.version

    def _found(self, name: str) -> Source:
        try:
            source = self._catalogue.find(name)
        except IntegrityError as error:
            self._unreadable[name] = error
            raise
        self._unreadable.pop(name, None)
        return source

    def versions(self) -> dict[str, int]:
        """The version that each served model points at, in memory or not."""
        return {name: self._repository.state(name).wanted for name in self.names()}

    def point(self, versions: Mapping[str, int]) -> None:
        """Serve these versions of these models and no others; a request for one loads it."""
        present = self.versions()
        for name in present.keys() - versions.keys():
            self._repository.remove(name)
        for name, number in versions.items() - present.items():
            self._repository.point(self._catalogue.version(name, number))

    def unload(self, name: str) -> None:
        """Serve a model no more, until `load`; requests that are under way are answered.

        Raises:
            NotFound: no such model is served.
        """
        try:
            self._repository.remove(name)
        except NotFound as error:
            raise self._not_served(name) from error

    def index(self) -> list[dict[str, Any]]:
        """V2's index of the repository: name, version, state and reason of every model, served or not."""
        return [self._entry(name) for name in sorted({*self._catalogue.names(), *self.names()})]

    def _entry(self, name: str) -> dict[str, Any]:
        unreadable = self._unreadable.get(name)
        try:
            state = self._repository.state(name)
        except NotFound:
            return {"name": name, "state": "UNAVAILABLE", "reason": str(unreadable or _UNLOADED)}
        version = state.resident if state.resident is not None else state.wanted
        if state.status == "failed" and state.resident is not None:
            reason = f"version {state.wanted} is refused: {state.reason}"
            return {"name": name, "version": str(version), "state": "READY", "reason": reason}
        reason = state.reason or str(unreadable or (_COLD if state.status == "cold" else ""))
        return {"name": name, "version": str(version), "state": _STATES[state.status], "reason": reason}

    def close(self) -> None:
        """Free every model."""
        self._repository.close()

    def _not_served(self, name: str) -> KelpError:
        unreadable = self._unreadable.get(name)
        if isinstance(unreadable, NotFound):
            return NotFound(unreadable.message, place=name, fix=unreadable.fix)
        if unreadable is not None:
            return NotReady(f"the model cannot be loaded: {unreadable}", place=name, fix=unreadable.fix)
        try:
            self._catalogue.find(name)
        except KelpError:
            return NotFound(f"no model is called {name[:80]}", fix="GET /v1/models lists those that are served")
        return NotFound("the model is not served", place=name, fix=f"{_LOAD} serves it")
