# SPDX-License-Identifier: Apache-2.0
"""Strict YAML: one UTF-8 document of JSON's values; string keys, no duplicates, no aliases, no tags.

`on`, `yes` and `no` stay words, as do dates, `0x1f`, `1_000` and `.inf`.
"""

import math
import re
from typing import Any

import yaml

from kelp.errors import SpecError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 24
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_SURROGATE = re.compile("[\ud800-\udfff]")


class _StrictLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """SafeLoader with JSON's scalars only: null, true/false, integers, floats; everything else is a string."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML looks it up on the class)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _error(key_node, f"expected a key that is a word, found {key!r}; put it in quotes")
            if key in mapping:
                raise _error(key_node, f"the key {key!r} stands twice; keep one of them")
            mapping[key] = self.construct_object(value_node, deep=deep)
        return mapping


def _construct_number(loader: _StrictLoader, node: yaml.ScalarNode) -> int | float:
    text = loader.construct_scalar(node)
    number = float(text)
    if not math.isfinite(number):
        raise _error(node, "the number is too large")
    return int(text) if node.tag == _INT else number


_StrictLoader.add_constructor(_INT, _construct_number)
_StrictLoader.add_constructor(_FLOAT, _construct_number)
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_StrictLoader.add_implicit_resolver(_INT, re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
_StrictLoader.add_implicit_resolver(
    _FLOAT,
    re.compile(r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"),
    list("-0123456789"),
)


def parse(content: bytes, place: str) -> dict[str, Any]:
    """Parse one strict YAML document whose top level is a mapping.

    Args:
        content: the file's bytes, at most 256 KiB.
        place: the file's name, for messages.

    Raises:
        SpecError: naming line and column of the first thing that is not allowed.
    """
    if len(content) > MAX_BYTES:
        raise SpecError(f"expected at most {MAX_BYTES} bytes, found {len(content)}", place=place)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(
            f"expected UTF-8, found the byte 0x{content[error.start]:02x} at offset {error.start}",
            place=place,
            fix="save the file as UTF-8",
        ) from error
    try:
        _check_events(text)
        document = yaml.load(text, _StrictLoader)
    except yaml.YAMLError as error:
        raise SpecError(_describe(error), place=place) from error
    if not isinstance(document, dict):
        found = "nothing" if document is None else type(document).__name__
        raise SpecError(f"expected a mapping with apiVersion, kind, metadata and spec, found {found}", place=place)
    return document


def _check_events(text: str) -> None:
    """Refuse before anything is built: what `_problem` names, a second document, too deep nesting."""
    depth = documents = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if problem := _problem(event):
            raise _error(event, problem)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _error(event, "expected one document, found a second one; one file holds one model")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _error(event, f"nested deeper than {MAX_DEPTH} levels")


def _problem(event: yaml.Event) -> str:
    """What is not allowed about one event, or nothing."""
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        return "anchors and aliases are not allowed; write the value out"
    if getattr(event, "tag", None):
        return f"tags are not allowed, found {event.tag}; write the plain value"
    if isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(event.value):
        return r"half of a surrogate pair is not a character; write it itself, or as \U and eight digits"
    return ""


def _error(node: Any, message: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=message, problem_mark=node.start_mark)


def _describe(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem or error.context}"
    return f"not YAML: {str(error).splitlines()[0]}"
