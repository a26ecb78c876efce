"""The cases of each error: what its text says and what to do, as the code has them where it makes the error."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import fc_callback

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = Path(fc_callback.__file__).parent
_UNKNOWN = "…"  # what is known only when the error is raised
_FEWEST_WORDS = 3


@cache
def cases_with_a_fix() -> dict[str, list[tuple[str, str]]]:
    """Return the texts and hints by the name of the error, in alphabetical order."""
    found: dict[str, set[tuple[str, str]]] = {}
    for file in sorted(_PACKAGE.rglob("*.py")):
        if "_templates" not in file.parts:
            for name, message, hint in _cases(file):
                found.setdefault(name, set()).add((message, hint))
    return {name: sorted(cases) for name, cases in found.items()}


def _cases(file: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the name, the text and the hint of each call with a `hint=` in a file."""
    constants = {}
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        hint = next((keyword.value for keyword in node.keywords if keyword.arg == "hint"), None)
        if hint is None:
            continue
        constants = constants or vars(importlib.import_module(_module(file)))
        message, fix = (re.sub(f"{_UNKNOWN}+", _UNKNOWN, _text(each, constants)) for each in (node.args[0], hint))
        if _says_something(message.rstrip(f" :{_UNKNOWN}.")) and _says_something(fix):
            yield node.func.id, message, fix


def _module(file: Path) -> str:
    return ".".join(file.relative_to(_PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def _text(node: ast.expr, constants: dict[str, object]) -> str:
    """Return a text of the code; what is not a constant is an ellipsis."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, constants) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text(node.value, constants)
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name) and isinstance(constants.get(node.id), str):
        return str(constants[node.id])
    return _UNKNOWN


def _says_something(text: str) -> bool:
    return len(re.findall(r"[A-Za-z]{2,}", text)) >= _FEWEST_WORDS and not text.endswith(f" {_UNKNOWN}.")
