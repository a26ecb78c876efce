"""Reads definitions: YAML or JSON text into plain values, and their fields with checks."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.flows.definition import DefinitionError, UnsupportedDefinition
from fc_callback.flows.yaml_values import MAX_CHARACTERS, Lines, parse_yaml, require_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator


SUPPORTED_TEXT = "the local CloudFlow runs sequences of pass, task, wait, succeed and fail"
NAME_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")


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
        value, lines = _with_lines(self.text)
        line = 1
        for key in place:
            known = lines.get(id(value), {})
            if key not in known:
                break
            line, value = known[key], value[key]
        return line


@functools.lru_cache(maxsize=1)
def _with_lines(text: str) -> tuple[Any, Lines]:
    """Return what YAML reads in a text, with the lines; nothing if only JSON can read it."""
    try:
        return parse_yaml(text)
    except DefinitionError:
        return None, {}


def read_definition(text: str) -> Definition:
    """Read a definition, YAML or JSON, of either language.

    The cost is bounded, so the text may come from an untrusted source.

    Raises:
        DefinitionError: The text is neither YAML nor JSON, not a mapping, too long or nested too deep.
    """
    if len(text) > MAX_CHARACTERS:
        raise DefinitionError(f"The definition has more than {MAX_CHARACTERS:,} characters.")
    document = _parse_json(text)
    if document is None:
        document, _lines = parse_yaml(text)
    require_bounds(document)
    try:
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        raise DefinitionError(f"The definition is neither YAML nor JSON: {error}.") from None
    if not isinstance(document, dict):
        raise DefinitionError("The definition is not a mapping.")
    return Definition(text=text, data=document)


def _parse_json(text: str) -> Any:
    """Return the value of a JSON text; None for another text, because a YAML flow mapping begins like JSON."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None  # YAML's reader says what is wrong, and where


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
