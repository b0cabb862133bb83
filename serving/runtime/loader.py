# SPDX-License-Identifier: Apache-2.0
"""From a version's files to a served model: checked, loaded, timed, and said to the audit log either way."""

import logging
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kelp.errors import EnvironmentFault, IntegrityError, KelpError
from kelp.frame.journal import Kept, keep_history
from kelp.frame.online import Online
from serving.explain import Explanations
from serving.runtime.audit import LoadAudit
from serving.runtime.load import Verify, load_version
from serving.runtime.metrics import Metrics
from serving.runtime.model import ServedModel
from serving.source import Source

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loader:
    """What every load of this process has in common; `key` makes pseudonyms."""

    check_signature: Verify
    key: bytes | None
    metrics: Metrics
    audit: LoadAudit
    state: Path | None = None
    is_one_of_many: bool = False
    closing: Executor = field(default_factory=partial(ThreadPoolExecutor, 1, "close"))

    def load(self, source: Source) -> ServedModel:
        """Load a version.

        Raises:
            IntegrityError: it is not what its manifest or signature says.
            EnvironmentFault: it needs a key that is not there, or a history that several workers would share.
        """
        started = time.perf_counter()
        try:
            online, manifest = self._checked(source)
            kept = self._kept(source, online)
        except KelpError as error:
            self.audit.refused(source, error)
            raise
        metrics = self.metrics.of(source.name, str(source.version), has_classes=bool(online.scorer.transform.classes))
        metrics.load_s = time.perf_counter() - started
        self.audit.loaded(source)
        explanations = Explanations(online, source.folder, manifest)
        return ServedModel(source.name, str(source.version), online, explanations, metrics, kept)

    def close(self, model: ServedModel) -> None:
        """Let go of a model that has left memory, in a thread: the last snapshot of a history takes seconds."""
        if model.kept is not None:
            self.closing.submit(model.kept.close)

    def end(self) -> None:
        """Wait for what is being closed; nothing is loaded afterwards."""
        self.closing.shutdown()

    def _checked(self, source: Source) -> tuple[Online, str]:
        try:
            online, manifest = load_version(source.folder, self.check_signature, self.key)
        except KelpError:
            raise
        except Exception as error:  # no file of a version may end what answers for the version before it
            logger.exception("%s version %d cannot be loaded", source.name, source.version)
            found = f"{type(error).__name__}: {error}"[:200]
            raise IntegrityError(f"cannot be loaded ({found})", place=str(source.folder)) from error
        if self.is_one_of_many and online.history is not None:
            raise EnvironmentFault(
                "the model has rolling features, and each of several workers would remember other rows",
                place=source.name,
                fix="serve it with --workers 1",
            )
        return online, manifest

    def _kept(self, source: Source, online: Online) -> Kept | None:
        """What keeps the model's history over a restart; it is restored first."""
        if self.state is None or online.history is None:
            return None
        self.closing.submit(int).result()  # the folder may be one that is being closed
        return keep_history(self.state / source.name / str(source.version), online.history, source.folder)
