# SPDX-License-Identifier: Apache-2.0
"""A page of one file, in the report's dress: nothing is fetched, and no script runs but the one it is made with."""

import hashlib
from base64 import b64encode
from importlib.resources import files

from components.evaluate.report.markup import Html, join, tag


def page(title: str, *parts: Html | None, style: str = "", script: str = "", has_fetches: bool = False) -> str:
    """Return the whole page.

    Args:
        title: of the window.
        parts: header and sections, one after the other.
        style: CSS after the report's.
        script: run at the end of the page; the page's policy names its digest, so nothing else can run.
        has_fetches: whether the script asks the server that the page came from; nobody else can be asked.
    """
    allowed = f"; script-src 'sha256-{_digest(script)}'" if script else ""
    asked = "; connect-src 'self'" if has_fetches else ""
    policy = f"default-src 'none'; style-src 'unsafe-inline'{allowed}{asked}"
    css = files("components.evaluate.report").joinpath("report.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        tag("title", title),
        tag("style", Html(css + style)),
    )
    end = tag("script", Html(script)) if script else None
    return f"<!doctype html>\n{tag('html', head, tag('body', join(*parts), end), lang='en')}\n"


def _digest(script: str) -> str:
    return b64encode(hashlib.sha256(script.encode()).digest()).decode()
