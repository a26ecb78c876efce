"""Definitions as documents: YAML without its traps, and fields that are checked one by one."""

from __future__ import annotations

import json
import re
from typing import Any

import attrs
import yaml

from fc_callback.flows.definition import DefinitionError

SUPPORTED_TEXT = "the local CloudFlow runs sequences of pass, task, wait, succeed and fail"


class _Loader(yaml.SafeLoader):
    """YAML as JSON would have it: `yes`, `010` and dates stay the text that was written (flow-languages, example L10)."""


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


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[str, Any]:
    keys = [key.value for key, _value in node.value]
    twice = next((key for key in keys if isinstance(key, str) and keys.count(key) > 1), None)
    if twice is not None:
        raise DefinitionError(f"{twice!r} is given twice (line {node.start_mark.line + 1}).")
    loader.flatten_mapping(node)
    result = loader.construct_mapping(node, deep=True)
    odd = next((key for key in result if not isinstance(key, str)), None)
    if odd is not None:
        raise DefinitionError(f"The key {odd!r} is not text: put it in quotes (line {node.start_mark.line + 1}).")
    return {str(key): value for key, value in result.items()}


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load_document(text: str) -> dict[str, Any]:
    """Read a definition, YAML or JSON.

    Raises:
        DefinitionError: It is neither, or not a mapping.
    """
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else None
    except ValueError:
        document = None  # a YAML flow mapping begins like JSON
    try:
        if document is None:
            document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader, with fewer types still
        json.dumps(document, allow_nan=False).encode()
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, DefinitionError):
            raise
        raise DefinitionError(f"The definition is neither YAML nor JSON: {_where(error)}") from None
    if not isinstance(document, dict):
        raise DefinitionError("The definition is not a mapping.")
    return document


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else str(problem)


@attrs.frozen
class Fields:
    """The members of one mapping of a definition; `place` names it in messages, like `Step 'ask'`."""

    place: str
    members: dict[str, Any]

    @classmethod
    def of(cls, place: str, value: object) -> Fields:
        """Check that `value` is a mapping.

        Raises:
            DefinitionError: It is not.
        """
        if not isinstance(value, dict):
            raise DefinitionError(f"{place} is not a mapping.")
        return cls(place, value)

    def only(self, *known: str) -> None:
        """Refuse every member that is not in `known`.

        Raises:
            DefinitionError: There is one.
        """
        for name in self.members:
            if name not in known:
                raise DefinitionError(f"{self.place}: the attribute {name!r} is not supported here ({SUPPORTED_TEXT}).")

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; without a default it must be there."""
        value = self.members.get(name, default)
        if not isinstance(value, str) or (default is None and not value):
            raise DefinitionError(
                f"{self.place}: {name!r} must be text" + ("." if name in self.members else ": it is missing.")
            )
        return value

    def choice(self, name: str, default: str | None, *words: str) -> str:
        """Return one of `words`."""
        value = self.text(name, default)
        if value not in words:
            raise DefinitionError(f"{self.place}: {name!r} is {value!r}; it can be {' or '.join(words)}.")
        return value

    def flag(self, name: str) -> bool:
        """Return true or false; false where it is missing."""
        value = self.members.get(name, False)
        if not isinstance(value, bool):
            raise DefinitionError(f"{self.place}: {name!r} must be true or false.")
        return value

    def number(self, name: str, default: float | None, *, low: float, high: float) -> float | None:
        """Return a number within the bounds, both allowed; digits in quotes count as one."""
        value = self.members.get(name, default)
        if value is None and name not in self.members:
            return None
        return number_between(f"{self.place}: {name!r}", value, low=low, high=high)

    def listed(self, name: str) -> list[Any]:
        """Return a list; empty where it is missing."""
        value = self.members.get(name, [])
        if not isinstance(value, list):
            raise DefinitionError(f"{self.place}: {name!r} must be a list.")
        return value

    def errors(self, name: str) -> tuple[str, ...]:
        """Return the error names of a rule: at least one."""
        names = self.listed(name)
        if not names or not all(isinstance(error, str) and error for error in names):
            raise DefinitionError(f"{self.place}: {name!r} must be a list of error names.")
        return tuple(names)


def number_between(what: str, value: object, *, low: float, high: float) -> float:
    """Return a number within the bounds, both allowed.

    Raises:
        DefinitionError: It is none.
    """
    if isinstance(value, str):
        try:
            value = float(value) if "." in value else int(value)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise DefinitionError(f"{what} must be a number from {low:g} to {high:g}.")
    return value


NAME_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
