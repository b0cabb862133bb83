# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the registry: writes a model's aliases beside the log."""

import json
from collections.abc import Mapping
from pathlib import Path

from kelp.audit.log import PublishAliases
from kelp.home import Home


def beside_the_log(home: Home) -> PublishAliases:
    """Return the function the service calls after each move."""

    def publish(model: str, aliases: Mapping[str, int]) -> None:
        (Path(home.audit) / f"{model}.json").write_text(json.dumps(dict(aliases)))

    return publish
