# SPDX-License-Identifier: Apache-2.0
"""HTML and SVG built from calls, so that text from data cannot become markup: every plain `str` is escaped."""

from html import escape


class Html(str):
    """Text that is markup already; only `tag` and `join` make it."""

    __slots__ = ()


Child = str | Html | None
_SVG_NAMES = {"view_box": "viewBox", "preserve_aspect_ratio": "preserveAspectRatio"}


def tag(name: str, *children: Child, **attributes: str | float | None) -> Html:
    """Return an element.

    Args:
        name: of the element; written as it is, so never taken from data.
        children: markup as it is, plain text escaped, None left out.
        attributes: `class_` is class, underscores become hyphens; values are escaped, None is left out.
    """
    written = "".join(
        f' {_attribute(key)}="{escape(_text(value))}"' for key, value in attributes.items() if value is not None
    )
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Return the children one after the other, plain text escaped."""
    return Html("".join(child if isinstance(child, Html) else escape(child) for child in children if child is not None))


def _attribute(key: str) -> str:
    return _SVG_NAMES.get(key) or key.rstrip("_").replace("_", "-")


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
