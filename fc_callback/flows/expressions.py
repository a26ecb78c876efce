"""CloudFlow's expressions: paths, literals and calls of built-in functions.

Source: CloudFlow documentation 2402077 (inputs and outputs) and 2579872 (built-in functions).
"""

from __future__ import annotations

import json
import re
from typing import Any

import attrs

from fc_callback.flows.builtins import BUILTINS
from fc_callback.flows.definition import DefinitionError
from fc_callback.flows.paths import parse_segments, read_path

MAX_NESTING = 10
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
    | (?P<root>\$[A-Za-z]+)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<mark>[()\[\]{},:])
    )""",
    re.VERBOSE,
)
_CONSTANTS = {"true": True, "false": False, "null": None}
# What $Context holds; a name that is not here is a slip of the pen, found when the flow is created.
_CONTEXT = (
    ("Execution", "Name"),
    ("Execution", "Input"),
    ("Execution", "RoleArn"),
    ("Current", "Name"),
    ("Current", "Input"),
    ("Current", "Output"),
    ("Current", "Error", "Code"),
    ("Current", "Error", "Detail"),
    ("Current", "RetryCount"),
    ("Current", "TaskToken"),
)


@attrs.frozen
class Literal:
    """A constant."""

    value: Any

    def evaluate(self, values: dict[str, Any]) -> Any:
        """Return it."""
        del values
        return self.value


@attrs.frozen
class Reference:
    """A path into `$Input`, `$Output`, `$Context` or `$Global`."""

    root: str
    segments: tuple[Any, ...]

    def evaluate(self, values: dict[str, Any]) -> Any:
        """Return what stands there; None where nothing does."""
        return read_path(values.get(self.root), self.segments)


@attrs.frozen
class FunctionCall:
    """A built-in function with its arguments."""

    function: str
    arguments: tuple[Any, ...]

    def evaluate(self, values: dict[str, Any]) -> Any:
        """FunctionCall it.

        Raises:
            FlowError: It does not take these arguments.
        """
        return BUILTINS[self.function].call(*(argument.evaluate(values) for argument in self.arguments))


@attrs.frozen
class ArrayLiteral:
    """`[...]`."""

    items: tuple[Any, ...]

    def evaluate(self, values: dict[str, Any]) -> Any:
        """Return the list."""
        return [item.evaluate(values) for item in self.items]


@attrs.frozen
class ObjectLiteral:
    """`{...}`."""

    members: tuple[tuple[str, Any], ...]

    def evaluate(self, values: dict[str, Any]) -> Any:
        """Return the mapping."""
        return {name: value.evaluate(values) for name, value in self.members}


def parse_expression(text: object, *, roots: tuple[str, ...], place: str) -> Any:
    """Read an expression; the result has `evaluate(values)`, with the values by root.

    Args:
        text: The expression.
        roots: Which of `$Input`, `$Output`, `$Context`, `$Global` can be read here.
        place: For messages.

    Raises:
        DefinitionError: It cannot be read, or names a function or value that is not there.
    """
    if not isinstance(text, str):
        raise DefinitionError(f"{place}: a key that ends in .$ takes an expression as text, not {json.dumps(text)}.")
    parser = _Parser(text, roots, place)
    expression = parser.value(0)
    parser.end()
    return expression


class _Parser:
    def __init__(self, text: str, roots: tuple[str, ...], place: str) -> None:
        self.text = text
        self.roots = roots
        self.place = place
        self.position = 0

    def wrong(self, why: str) -> DefinitionError:
        return DefinitionError(f"{self.place}: the expression {self.text!r} {why}.")

    def token(self) -> tuple[str, str]:
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            rest = self.text[self.position :].strip()
            if not rest:
                raise self.wrong("ends too early")
            raise self.wrong(
                f"is not supported here from {rest[:20]!r} on: it may have paths, literals and built-in functions"
            )
        self.position = match.end()
        kind = match.lastgroup or ""
        return kind, match[kind]

    def ahead(self, mark: str) -> bool:
        """Step over `mark` where it comes next."""
        match = _TOKEN.match(self.text, self.position)
        if match is None or match["mark"] != mark:
            return False
        self.position = match.end()
        return True

    def expect(self, mark: str) -> None:
        if not self.ahead(mark):
            if not self.text[self.position :].strip():
                raise self.wrong("ends too early")
            raise self.wrong(f"lacks a {mark!r} at character {self.position + 1}")

    def end(self) -> None:
        rest = self.text[self.position :].strip()
        if rest:
            raise self.wrong(
                f"is not supported here from {rest[:20]!r} on: it may have paths, literals and built-in functions"
            )

    def value(self, depth: int) -> Any:
        kind, word = self.token()
        if kind == "string":
            return Literal(self.string(word))
        if kind == "number":
            return Literal(json.loads(word))
        if kind == "root":
            return self.reference(word)
        if kind == "name":
            return self.call(word, depth) if word not in _CONSTANTS else Literal(_CONSTANTS[word])
        if word == "[":
            return ArrayLiteral(tuple(self.listed("]", depth)))
        if word == "{":
            return ObjectLiteral(tuple(self.members(depth)))
        raise self.wrong(f"cannot have {word!r} at character {self.position}")

    def string(self, word: str) -> str:
        try:
            if word[0] == '"':
                return str(json.loads(word))
        except ValueError:
            raise self.wrong(f"has a text that cannot be read: {word}") from None
        return word[1:-1] if word[0] == "`" else re.sub(r"\\(.)", r"\1", word[1:-1])

    def reference(self, root: str) -> Reference:
        if root not in self.roots:
            raise self.wrong(f"reads {root}, which does not exist here; there are {', '.join(self.roots)}")
        segments, self.position = parse_segments(self.text, self.position)
        if root == "$Context" and not _in_context(segments):
            raise self.wrong("reads a member that $Context does not have")
        return Reference(root, segments)

    def call(self, name: str, depth: int) -> FunctionCall:
        if name not in BUILTINS:
            raise self.wrong(f"uses {name!r}; supported here are {', '.join(BUILTINS)}")
        if depth >= MAX_NESTING:
            raise self.wrong(f"nests functions deeper than {MAX_NESTING} levels")
        self.expect("(")
        arguments = tuple(self.listed(")", depth + 1))
        function = BUILTINS[name]
        if len(arguments) < function.least or (function.most is not None and len(arguments) > function.most):
            raise self.wrong(f"gives {name} {len(arguments)} arguments; it takes {function.most or function.least}")
        return FunctionCall(name, arguments)

    def listed(self, closing: str, depth: int) -> list[Any]:
        items: list[Any] = []
        while not self.ahead(closing):
            if items:
                self.expect(",")
            items.append(self.value(depth))
        return items

    def members(self, depth: int) -> list[tuple[str, Any]]:
        members: list[tuple[str, Any]] = []
        while not self.ahead("}"):
            if members:
                self.expect(",")
            kind, word = self.token()
            if kind != "string":
                raise self.wrong(f"has a key that is not in quotes: {word}")
            self.expect(":")
            members.append((self.string(word), self.value(depth)))
        return members


def _in_context(segments: tuple[Any, ...]) -> bool:
    for known in _CONTEXT:
        length = min(len(known), len(segments))
        if segments[:length] != known[:length]:
            continue
        # Below these two, and nowhere else, stands data of the flow's own.
        if len(segments) <= len(known) or known[-1] in {"Input", "Output"}:
            return True
    return False


@attrs.frozen
class Template:
    """A constructor: constants, and expressions under the keys that end in `.$`."""

    members: tuple[tuple[str, Any], ...]

    def build(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the object that it describes.

        Raises:
            FlowError: A function does not take its arguments.
        """
        return {name: _build(part, values) for name, part in self.members}


def _build(part: Any, values: dict[str, Any]) -> Any:
    if isinstance(part, Template):
        return part.build(values)
    if isinstance(part, list):
        return [_build(item, values) for item in part]
    return part.evaluate(values)


def parse_template(value: object, *, roots: tuple[str, ...], place: str) -> Template:
    """Read a constructor or `Parameters`.

    Raises:
        DefinitionError: It is not a mapping, or an expression in it cannot be read.
    """
    if not isinstance(value, dict):
        raise DefinitionError(f"{place} must be a mapping.")
    members: dict[str, Any] = {}
    for key, part in value.items():
        name = key.removesuffix(".$")
        if name in members:
            raise DefinitionError(f"{place}: {name!r} is given twice.")
        if key.endswith(".$"):
            members[name] = parse_expression(part, roots=roots, place=f"{place}.{key}")
        else:
            members[name] = _parse_part(part, roots, f"{place}.{key}")
    return Template(tuple(members.items()))


def _parse_part(part: Any, roots: tuple[str, ...], place: str) -> Any:
    if isinstance(part, dict):
        return parse_template(part, roots=roots, place=place)
    if isinstance(part, list):
        return [_parse_part(item, roots, place) for item in part]
    return Literal(part)
