"""CloudFlow's expressions (paths, literals and calls of built-in functions), and the constructors that hold them.

Source: CloudFlow documentation 2402077 (inputs and outputs) and 2579872 (built-in functions).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from fc_callback.flows.builtins import BUILTINS
from fc_callback.flows.definition import DefinitionError, UnsupportedDefinition
from fc_callback.flows.paths import parse_segments, read_path

# Takes the values by root, like {"$Input": ...}. It raises FlowError if a function does not accept its arguments.
Expression: TypeAlias = Callable[[dict[str, Any]], Any]
# Returns the object that a constructor or `Parameters` describes.
Constructor: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]

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
# The members of $Context. CreateFlow refuses any other name, because it is a typing error.
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


def parse_expression(text: object, *, roots: tuple[str, ...], label: str) -> Expression:
    """Return the expression that a text describes.

    Args:
        text: The text.
        roots: Those of `$Input`, `$Output`, `$Context` and `$Global` that exist here.
        label: The text's name in messages.

    Raises:
        DefinitionError: The text is not an expression, or names an unknown function or value.
    """
    if not isinstance(text, str):
        raise DefinitionError(f"{label}: a key that ends in .$ takes an expression as text, not {json.dumps(text)}.")
    parser = _Parser(text, roots, label)
    expression = parser.value(0)
    parser.end()
    return expression


def parse_constructor(value: object, *, roots: tuple[str, ...], label: str) -> Constructor:
    """Return a constructor: constants, and expressions under the keys that end in `.$`.

    Raises:
        DefinitionError: The value is not a mapping, or an expression in it cannot be read.
    """
    if not isinstance(value, dict):
        raise DefinitionError(f"{label} must be a mapping.")
    members: dict[str, Expression] = {}
    for key, part in value.items():
        name = key.removesuffix(".$")
        if name in members:
            raise DefinitionError(f"{label}: {name!r} is given twice.")
        parse = parse_expression if key.endswith(".$") else _parse_part
        members[name] = parse(part, roots=roots, label=f"{label}.{key}")
    return lambda values: {name: member(values) for name, member in members.items()}


def _parse_part(part: object, *, roots: tuple[str, ...], label: str) -> Expression:
    if isinstance(part, dict):
        return parse_constructor(part, roots=roots, label=label)
    if isinstance(part, list):
        items = [_parse_part(item, roots=roots, label=label) for item in part]
        return lambda values: [item(values) for item in items]
    return constant(part)


def constant(value: Any) -> Expression:
    """Return an expression that has always the same value."""
    return lambda _values: value


class _Parser:
    def __init__(self, text: str, roots: tuple[str, ...], label: str) -> None:
        self.text = text
        self.roots = roots
        self.label = label
        self.position = 0

    def error(self, why: str, kind: type[DefinitionError] = DefinitionError) -> DefinitionError:
        return kind(f"{self.label}: the expression {self.text!r} {why}.")

    @property
    def rest(self) -> str:
        return self.text[self.position :].strip()

    def unsupported(self) -> DefinitionError:
        if not self.rest:
            return self.error("ends too early")
        why = f"is not supported here from {self.rest[:20]!r} on: it may have paths, literals and built-in functions"
        return self.error(why, UnsupportedDefinition)

    def token(self) -> tuple[str, str]:
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            raise self.unsupported()
        self.position = match.end()
        kind = match.lastgroup or ""
        return kind, match[kind]

    def skip(self, mark: str) -> bool:
        """Skip a mark; return whether it was next."""
        match = _TOKEN.match(self.text, self.position)
        if match is None or match["mark"] != mark:
            return False
        self.position = match.end()
        return True

    def expect(self, mark: str) -> None:
        if not self.skip(mark):
            missing = f"lacks a {mark!r} at character {self.position + 1}" if self.rest else "ends too early"
            raise self.error(missing)

    def end(self) -> None:
        if self.rest:
            raise self.unsupported()

    def value(self, depth: int) -> Expression:
        kind, word = self.token()
        if kind == "string":
            return constant(self.string(word))
        if kind == "number":
            return constant(json.loads(word))
        if kind == "root":
            return self.reference(word)
        if kind == "name":
            return self.call(word, depth) if word not in _CONSTANTS else constant(_CONSTANTS[word])
        if word == "[":
            items = self.items("]", depth)
            return lambda values: [item(values) for item in items]
        if word == "{":
            members = self.members(depth)
            return lambda values: {name: member(values) for name, member in members.items()}
        raise self.error(f"cannot have {word!r} at character {self.position}")

    def string(self, word: str) -> str:
        try:
            if word[0] == '"':
                return str(json.loads(word))
        except ValueError:
            raise self.error(f"has a text that cannot be read: {word}") from None
        return word[1:-1] if word[0] == "`" else re.sub(r"\\(.)", r"\1", word[1:-1])

    def reference(self, root: str) -> Expression:
        if root not in self.roots:
            raise self.error(f"reads {root}, which does not exist here; there are {', '.join(self.roots)}")
        segments, self.position = parse_segments(self.text, self.position)
        if root == "$Context" and not _in_context(segments):
            raise self.error("reads a member that $Context does not have")
        return lambda values: read_path(values.get(root), segments)

    def call(self, name: str, depth: int) -> Expression:
        if name not in BUILTINS:
            why = f"uses {name!r}, which is not supported here; supported are {', '.join(BUILTINS)}"
            raise self.error(why, UnsupportedDefinition)
        if depth >= MAX_NESTING:
            raise self.error(f"nests functions deeper than {MAX_NESTING} levels")
        self.expect("(")
        arguments = self.items(")", depth + 1)
        function = BUILTINS[name]
        if len(arguments) < function.least or (function.most is not None and len(arguments) > function.most):
            raise self.error(f"gives {name} {len(arguments)} arguments; it takes {function.most or function.least}")
        return lambda values: function.call(*(argument(values) for argument in arguments))

    def items(self, closing: str, depth: int) -> list[Expression]:
        items: list[Expression] = []
        while not self.skip(closing):
            if items:
                self.expect(",")
            items.append(self.value(depth))
        return items

    def members(self, depth: int) -> dict[str, Expression]:
        members: dict[str, Expression] = {}
        while not self.skip("}"):
            if members:
                self.expect(",")
            kind, word = self.token()
            if kind != "string":
                raise self.error(f"has a key that is not in quotes: {word}")
            self.expect(":")
            members[self.string(word)] = self.value(depth)
        return members


def _in_context(segments: tuple[Any, ...]) -> bool:
    for known in _CONTEXT:
        length = min(len(known), len(segments))
        if segments[:length] != known[:length]:
            continue
        # Only below these two there is data of the flow's own.
        if len(segments) <= len(known) or known[-1] in {"Input", "Output"}:
            return True
    return False
