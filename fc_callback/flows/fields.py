"""The fields of one mapping of a definition, read with checks; what is unknown becomes a warning of the flow."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from fc_callback.flows.definition import DefinitionError, FlowWarning, Place, UnsupportedDefinition
from fc_callback.flows.references import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# This emulator's own limit: those who have read so many look at the definition again.
MAX_WARNINGS = 100
Parsed = TypeVar("Parsed")


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
        place: Where the mapping is in the document.
        warnings: The warnings of the whole flow, which this mapping adds to.
    """

    label: str
    members: dict[str, Any]
    place: Place = ()
    warnings: list[FlowWarning] = attrs.field(factory=list)

    def inner(self, label: str, value: object, *place: str | int) -> Fields:
        """Return the fields of a mapping inside this one; `place` leads from here to it.

        Raises:
            DefinitionError: It is missing, or not a mapping.
        """
        if not isinstance(value, dict):
            raise DefinitionError(f"{label} is {'missing' if value is None else 'not a mapping'}.")
        return Fields(label, value, (*self.place, *place), self.warnings)

    def error(self, text: str) -> DefinitionError:
        """Return an error about this mapping."""
        return DefinitionError(f"{self.label}: {text}")

    def missing_here(self, what: str) -> UnsupportedDefinition:
        """Return an error about something that CloudFlow has and the local CloudFlow does not."""
        return UnsupportedDefinition(f"{self.label}: the local CloudFlow does not have {what}.")

    def warn(self, text: str, /, *place: str | int) -> None:
        """Add a warning about a part of this mapping to those of the flow, unless it has MAX_WARNINGS already."""
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(FlowWarning(message=f"{self.label}: {text}", place=(*self.place, *place)))

    def only(self, *known: str) -> None:
        """Warn of every field that is not in `known`: CloudFlow accepts it, and nothing here reads it."""
        for name in self.members:
            if name not in known:
                self.warn(f"the field {shorten(name)!r} is unknown and is ignored; known are {', '.join(known)}.", name)

    def literal(self, name: str) -> str:
        """Return a text that is no expression; empty if the field is missing."""
        value = self.text(name, "")
        if value.startswith("$"):
            self.warn(f"{name!r} is the text {shorten(value)!r} itself: it is not evaluated.", name)
        return value

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

    def filled(self, name: str, what: str) -> list[Any]:
        """Return a list that has at least one entry; `what` names the kind of the entries."""
        entries = self.listed(name)
        if not entries:
            raise self.error(f"{name!r} must be a list of at least one {what}.")
        return entries

    def each(self, name: str, parse: Callable[[Fields], Parsed]) -> tuple[Parsed, ...]:
        """Return what `parse` makes of each mapping of a list; an error in it names the mapping's place."""
        parsed = []
        for index, entry in enumerate(self.listed(name)):
            with at_place(name, index):
                parsed.append(parse(self.inner(f"{self.label}: {name} number {index + 1}", entry, name, index)))
        return tuple(parsed)

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
        raise DefinitionError(f"{what} must be a number from {low:.15g} to {high:.15g}.")
    return value
