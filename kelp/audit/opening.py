# SPDX-License-Identifier: Apache-2.0
"""Open the audit log that a home names: a folder on a laptop, the audit service on a cluster."""

from pathlib import Path

from kelp.audit.log import AuditLog, PublishAliases
from kelp.errors import InputError
from kelp.home import AUDIT_KEY, AUDIT_TOKEN, Home


def open_log(home: Home, actor: str, publish_aliases: PublishAliases | None = None) -> AuditLog:
    """Open the home's log for `actor`; close it, or use it in a `with` block.

    Over HTTP the service knows the actor from this home's token and writes the aliases' copy itself, so `actor` and
    `publish_aliases` matter only for a folder.

    Raises:
        InputError: the home's `audit` is neither a folder nor an http(s) address; or as `Ledger` raises.
        EnvironmentFault: the key or token is missing, or the folder cannot be opened.
    """
    scheme, separator, _ = home.audit.partition("://")
    if not separator:
        from kelp.audit.ledger import Ledger
        from kelp.audit.sqlite import LocalLog

        seed = home.secret(AUDIT_KEY)
        return LocalLog(Ledger(Path(home.audit), seed=seed, publish_aliases=publish_aliases), actor)
    if scheme not in ("http", "https"):
        raise InputError(
            f"a folder or an http(s) address was expected, found {home.audit}", place="audit", fix="see home.toml"
        )
    from kelp.audit.client import HttpLog

    return HttpLog(home.audit, home.secret(AUDIT_TOKEN).decode("ascii", "replace").strip())
