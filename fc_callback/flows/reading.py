"""Reads definitions: YAML or JSON text into plain values, and their fields with checks."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

import attrs
import yaml

from fc_callback.flows.definition import DefinitionError, UnsupportedDefinition

if TYPE_CHECKING:
    from collections.abc import Iterator


SUPPORTED_TEXT = "the local CloudFlow runs sequences of pass, task, wait, succeed and fail"
NAME_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")


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


@contextlib.contextmanager
def at_place(*place: str | int) -> Iterator[None]:
    """Let a DefinitionError that the block raises name the part of the document in which it occurred."""
    try:
        yield
    except DefinitionError as error:
        error.place = (*place, *error.place)
        raise


@attrs.frozen
class Fields:
    """The fields of one mapping of a definition.

    Attributes:
        label: The mapping's name in messages, like `Step 'ask'`.
        members: The fields.
    """

    label: str
    members: dict[str, Any]

    @classmethod
    def of(cls, label: str, value: object) -> Fields:
        """Return the fields of `value`.

        Raises:
            DefinitionError: It is not a mapping.
        """
        if not isinstance(value, dict):
            raise DefinitionError(f"{label} is not a mapping.")
        return cls(label, value)

    def error(self, text: str) -> DefinitionError:
        """Return an error about this mapping."""
        return DefinitionError(f"{self.label}: {text}")

    def unsupported(self, what: str, supported: str) -> UnsupportedDefinition:
        """Return an error about something that the local CloudFlow does not run."""
        return UnsupportedDefinition(f"{self.label}: {what} is not supported here ({supported}).")

    def only(self, *known: str) -> None:
        """Refuse every field that is not in `known`.

        Raises:
            UnsupportedDefinition: There is such a field.
        """
        for name in self.members:
            if name not in known:
                raise self.unsupported(f"the attribute {name!r}", SUPPORTED_TEXT)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; without a default the field is required and must not be empty."""
        value = self.members.get(name, default)
        if not isinstance(value, str) or (default is None and not value):
            raise self.error(f"{name!r} must be text" + ("." if name in self.members else ": it is missing."))
        return value

    def choice(self, name: str, default: str | None, *words: str) -> str:
        """Return one of `words`."""
        value = self.text(name, default)
        if value not in words:
            raise self.error(f"{name!r} is {value!r}; it can be {' or '.join(words)}.")
        return value

    def flag(self, name: str) -> bool:
        """Return true or false; false if the field is missing."""
        value = self.members.get(name, False)
        if not isinstance(value, bool):
            raise self.error(f"{name!r} must be true or false.")
        return value

    def number(self, name: str, default: float | None, *, low: float, high: float) -> float | None:
        """Return a number from `low` to `high`; a text of digits is accepted too."""
        value = self.members.get(name, default)
        if value is None and name not in self.members:
            return None
        return number_between(f"{self.label}: {name!r}", value, low=low, high=high)

    def listed(self, name: str) -> list[Any]:
        """Return a list; empty if the field is missing."""
        value = self.members.get(name, [])
        if not isinstance(value, list):
            raise self.error(f"{name!r} must be a list.")
        return value

    def errors(self, name: str) -> tuple[str, ...]:
        """Return the error names of a rule: at least one."""
        names = self.listed(name)
        if not names or not all(isinstance(error, str) and error for error in names):
            raise self.error(f"{name!r} must be a list of error names.")
        return tuple(names)


def number_between(what: str, value: object, *, low: float, high: float) -> float:
    """Return a number from `low` to `high`; a text of digits is accepted too.

    Raises:
        DefinitionError: The value is not such a number.
    """
    if isinstance(value, str):
        try:
            value = float(value) if "." in value else int(value)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise DefinitionError(f"{what} must be a number from {low:g} to {high:g}.")
    return value
