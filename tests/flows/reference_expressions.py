"""Expressions of both flow languages as the documentation describes them, evaluated in the plainest way.

It shares nothing with the package, so that one can check the other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

Lookup: TypeAlias = Callable[[str, list[Any]], Any]
MISSING = object()
EVERY = "[*]"
_TOKEN = re.compile(
    r"""\s*(?:(?P<path>\$[A-Za-z]*(?:\.[A-Za-z_]\w*|\[\d+\]|\[\*\])*)|(?P<number>-?\d+(?:\.\d+)?)|(?P<text>"[^"]*"|`[^`]*`|'[^']*')"""
    r"""|(?P<word>[A-Za-z_]\w*)|(?P<sign>&&|\|\||==|!=|<=|>=|[<>(),])|(?P<literal>[\[{]))"""
)
_PART = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+|\*)\]")


class Unsettled(Exception):
    """The documentation does not say what happens here, or time decides it."""


def parts_of(path: str) -> tuple[str, list[Any]]:
    """Return the root of a path, like `$Input`, and its keys, indexes and EVERY."""
    root = re.match(r"\$[A-Za-z]*", path)
    assert root, path
    parts: list[Any] = []
    for key, index in _PART.findall(path):
        parts.append(key or (EVERY if index == "*" else int(index)))
    return root[0], parts


def select(value: Any, parts: list[Any]) -> Any:
    """Return the value at a path, or MISSING. `[*]` leaves out the elements without a value; nested ones give one flat list."""
    found = _follow(value, parts)
    if found is MISSING and EVERY in parts:
        raise Unsettled("[*] on a value that is missing")
    return found


def _follow(value: Any, parts: list[Any]) -> Any:
    for place, part in enumerate(parts):
        if value is MISSING:
            return MISSING
        if part == EVERY:
            if not isinstance(value, list):
                raise Unsettled("[*] on a value that is no list")
            rest = parts[place + 1 :]
            found = [result for item in value if (result := _follow(item, rest)) is not MISSING]
            return [item for each in found for item in each] if EVERY in rest else found
        if isinstance(part, int):
            value = value[part] if isinstance(value, list) and part < len(value) else MISSING
        else:
            value = value[part] if isinstance(value, dict) and part in value else MISSING
    return value


def compare(left: Any, sign: str, right: Any) -> bool:
    """Compare two values; False where one is missing or their types differ."""
    if left is MISSING or right is MISSING:
        return False
    kinds = [_kind(value) for value in (left, right)]
    if "other" in kinds:
        raise Unsettled("a comparison with null, a list or an object")
    if kinds[0] != kinds[1]:
        return False
    if kinds[0] == "boolean" and sign not in {"==", "!="}:
        raise Unsettled("an order of booleans")
    answers = {
        "==": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }
    return bool(answers[sign])


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else "other"


def _format(template: str, *values: Any) -> str:
    for value in values:
        template = template.replace("{}", value if isinstance(value, str) else json.dumps(value), 1)
    return template


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "arrayContains": lambda array, element: element in array,
    "format": _format,
    "hash": lambda text, name: hashlib.new(name.replace("-", ""), text.encode()).hexdigest(),
    "intAdd": lambda one, other: one + other,
    "jsonMerge": lambda one, other: {**one, **other},
    "length": len,
    "stringToJson": json.loads,
}


class _Evaluation:
    """One expression; each method reads one level of the grammar and returns its value."""

    def __init__(self, text: str, lookup: Lookup) -> None:
        self.text = text
        self.position = 0
        self.lookup = lookup

    def peek(self) -> tuple[str, str, int]:
        found = _TOKEN.match(self.text, self.position)
        if found is None:
            assert not self.text[self.position :].strip(), f"{self.text!r} at {self.position}"
            return "end", "", self.position
        return str(found.lastgroup), found[str(found.lastgroup)], found.end()

    def take(self, *signs: str) -> str:
        kind, text, end = self.peek()
        if kind == "sign" and text in signs:
            self.position = end
            return text
        return ""

    def either(self) -> Any:
        value = self.both()
        while self.take("||"):
            other = self.both()
            value = value is True or other is True
        return value

    def both(self) -> Any:
        value = self.comparison()
        while self.take("&&"):
            other = self.comparison()
            value = value is True and other is True
        return value

    def comparison(self) -> Any:
        value = self.primary()
        if sign := self.take("==", "!=", "<=", ">=", "<", ">"):
            return compare(value, sign, self.primary())
        return value

    def primary(self) -> Any:
        if self.take("("):
            value = self.either()
            assert self.take(")")
            return value
        kind, text, end = self.peek()
        if kind == "literal":
            value, length = json.JSONDecoder().raw_decode(self.text[end - 1 :])
            self.position = end - 1 + length
            return value
        self.position = end
        if kind == "path":
            return self.lookup(*parts_of(text))
        if kind == "text":
            return text[1:-1]
        if kind == "number":
            return json.loads(text)
        assert kind == "word", self.text
        constants: dict[str, Any] = {"true": True, "false": False, "null": None}
        return constants[text] if text in constants else self.call(text)

    def call(self, name: str) -> Any:
        assert self.take("("), self.text
        values = []
        while not self.take(")"):
            values.append(self.either())
            self.take(",")
        if any(value is MISSING for value in values):
            raise Unsettled("a function of a value that is missing")
        behind = re.compile(r"(?:\.[A-Za-z_]\w*|\[\d+\]|\[\*\])*").match(self.text, self.position)
        assert behind
        self.position = behind.end()
        return select(FUNCTIONS[name](*values), parts_of(f"${behind[0]}")[1])


def evaluate(text: str, lookup: Lookup) -> Any:
    """Return the value of an expression, or MISSING; `lookup` gives the values of its paths."""
    evaluation = _Evaluation(text, lookup)
    value = evaluation.either()
    assert evaluation.peek()[0] == "end", text
    return value


def is_true(text: str, lookup: Lookup) -> bool:
    """Return whether a condition holds: only the boolean true does."""
    return evaluate(text, lookup) is True
