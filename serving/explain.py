# SPDX-License-Identifier: Apache-2.0
"""KServe's V1 verb `explain`: `{"instances": [...]}` in, `{"explanations": [...]}` out.

The instances are those of `predict`, and so are the refusals. An explanation takes milliseconds to a second a row: the
server calls `Explanations.answer` in a thread. Explaining is a look: no row joins the history of a model with windows,
so a row that was predicted before is explained as it was answered.
"""

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from kelp.errors import NotFound, TooLarge
from kelp.frame.contributions import REFERENCE_FILE, Contribution, Explainer
from kelp.frame.online import Online
from kelp.frame.rows import columns_from_instances
from serving.runtime.load import check_digests
from serving.runtime.v1 import parse_v1

MOST_ROWS = 100


def explain(online: Online, explainer: Explainer, instances: object) -> list[Contribution]:
    """Explain rows as a JSON parser gives them.

    Raises:
        RequestError: as `columns_from_instances` and `Online.complete`.
        TooLarge: there are more than `MOST_ROWS`.
        IntegrityError: as `Explainer.explain`.
    """
    if isinstance(instances, list) and len(instances) > MOST_ROWS:
        raise TooLarge(
            f"expected at most {MOST_ROWS} rows to explain, found {len(instances)}",
            place="instances",
            fix="send them in several requests",
        )
    transform = online.scorer.transform
    columns = online.complete(columns_from_instances(transform, instances), takes_in=False)
    return explainer.explain(transform.apply(columns))


def explanation(found: Contribution) -> dict[str, Any]:
    """One row's explanation as JSON values; the column that moved the score most comes first."""
    ranked = sorted(found.columns, key=lambda name: (-abs(found.columns[name]), name))
    content: dict[str, Any] = {
        "method": found.method,
        "scale": found.scale,
        "base": found.base,
        "contributions": {name: found.columns[name] for name in ranked},
        "total": found.total,
        "score": found.score,
    }
    if found.class_name:
        content["class"] = found.class_name
    if found.errors is not None:
        content["errors"] = {name: found.errors[name] for name in ranked}
    return content


@dataclass(slots=True)
class Explanations:
    """Answers `explain` for one loaded version; what that needs is loaded by the first request, and checked first.

    `manifest` is the SHA-256 of the manifest that the version was loaded with.
    """

    online: Online
    folder: Path
    manifest: str
    _lock: Lock = field(default_factory=Lock)
    _explainer: Explainer | None = None

    def answer(self, body: bytes) -> bytes:
        """Answer the body of `POST /v1/models/NAME:explain`.

        Raises:
            RequestError: the body is no JSON object with `instances`, or as `explain`.
            TooLarge: as `explain`.
            NotFound: the version has no rows to start from.
            IntegrityError: as `explain`; or a file of the version is not what its manifest says.
        """
        request = parse_v1(body)
        found = explain(self.online, self._loaded(), request.instances)
        return orjson.dumps({"explanations": [explanation(row) for row in found]})

    def _loaded(self) -> Explainer:
        with self._lock:
            if self._explainer is None:
                check_digests(self.folder, self.manifest)
                if not (self.folder / REFERENCE_FILE).exists():
                    raise NotFound(
                        f"the version holds no {REFERENCE_FILE}, from which explanations start",
                        place="explain",
                        fix="package it again: kelp run",
                    )
                self._explainer = Explainer.load(self.folder, self.online.scorer)
            return self._explainer
