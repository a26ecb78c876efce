"""Reads definitions: YAML or JSON text into plain values."""

from __future__ import annotations

import functools
import json
from typing import Any

import attrs

from fc_callback.flows.definition import DefinitionError
from fc_callback.flows.yaml_values import MAX_CHARACTERS, Lines, parse_yaml, require_bounds


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
