"""Reads definitions: YAML or JSON text into plain values."""

from __future__ import annotations

import json
import re
from typing import Any

import attrs
import yaml

from fc_callback.flows.definition import DefinitionError


class _Loader(yaml.SafeLoader):
    """YAML with JSON's types only: `yes`, `010` and dates stay text (see example L10 of the flow languages)."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _starts in (
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("tag:yaml.org,2002:int", r"^[-+]?(?:0|[1-9][0-9]*)$", list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"^[-+]?(?:(?:0|[1-9][0-9]*)?\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?[eE][-+]?[0-9]+|(?:0|[1-9][0-9]*)\.)$",
        list("-+0123456789."),
    ),
    ("tag:yaml.org,2002:merge", r"^(?:<<)$", ["<"]),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _starts)


def _construct_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[str, Any]:
    line = node.start_mark.line + 1
    keys = [key.value for key, _value in node.value]
    twice = next((key for key in keys if isinstance(key, str) and keys.count(key) > 1), None)
    if twice is not None:
        raise DefinitionError(f"{twice!r} is given twice (line {line}).", line=line)
    loader.flatten_mapping(node)
    result = loader.construct_mapping(node, deep=True)
    odd = next((key for key in result if not isinstance(key, str)), None)
    if odd is not None:
        raise DefinitionError(f"The key {odd!r} is not text: put it in quotes (line {line}).", line=line)
    return {str(key): value for key, value in result.items()}


_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


@attrs.frozen(kw_only=True)
class Definition:
    """A definition as plain values.

    Attributes:
        text: The YAML or JSON text.
        data: What the text holds: a mapping.
    """

    text: str = attrs.field(repr=False)
    data: dict[str, Any]

    def line(self, *place: str | int) -> int:
        """Return the line of a part, named by its keys and indexes; of the nearest part around it if there is none."""
        node = yaml.compose(self.text, Loader=_Loader)
        line = 1
        for key in place:
            entries: dict[Any, Any] = {}
            if isinstance(node, yaml.MappingNode):
                entries = {name.value: (name, value) for name, value in node.value}
            elif isinstance(node, yaml.SequenceNode):
                entries = {index: (value, value) for index, value in enumerate(node.value)}
            if key not in entries:
                break
            name, node = entries[key]
            line = name.start_mark.line + 1
        return line


def read_definition(text: str) -> Definition:
    """Read a definition, YAML or JSON, of either language.

    Raises:
        DefinitionError: The text is neither YAML nor JSON, or not a mapping.
    """
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else None
    except ValueError:
        document = None  # a YAML flow mapping begins like JSON
    try:
        if document is None:
            document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with fewer types
        json.dumps(document, allow_nan=False).encode()
    except DefinitionError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _unreadable(error) from None
    if not isinstance(document, dict):
        raise DefinitionError("The definition is not a mapping.")
    return Definition(text=text, data=document)


def _unreadable(error: Exception) -> DefinitionError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    position = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    text = f"The definition is neither YAML nor JSON: {problem}{position}"
    return DefinitionError(text, line=mark.line + 1 if mark else None)
