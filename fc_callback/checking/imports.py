"""Find what the code of a function imports, without running it."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Dependencies, and directories that do not belong in a package.
_NOT_CODE = {"python", ".venv", "venv", "tests", "__pycache__", "node_modules"}


def imports_of(code_dir: Path) -> dict[str, tuple[Path, int]]:
    """Return the modules outside of the standard library that the code imports, each with its first file and line.

    Imports for type checkers, and those inside of `try` with `except ImportError`, are left out.
    """
    found: dict[str, tuple[Path, int]] = {}
    for path in sorted(code_dir.rglob("*.py")):
        if _NOT_CODE & set(path.relative_to(code_dir).parts[:-1]):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue  # the import of the handler reports it
        for name, line in _imported_names(tree.body):
            if name not in sys.stdlib_module_names:
                found.setdefault(name, (path, line))
    return found


def _imported_names(body: list[ast.stmt]) -> list[tuple[str, int]]:
    names: list[tuple[str, int]] = []
    for statement in body:
        if isinstance(statement, ast.Import):
            names += [(alias.name.partition(".")[0], statement.lineno) for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            if statement.module and not statement.level:
                names.append((statement.module.partition(".")[0], statement.lineno))
        elif isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            names += _imported_names(statement.orelse)
        elif isinstance(statement, ast.Try) and any(_catches_import(handler) for handler in statement.handlers):
            continue
        else:
            for field in ("body", "orelse", "finalbody"):
                inner = getattr(statement, field, None)
                if isinstance(inner, list):
                    names += _imported_names(inner)
            for handler in getattr(statement, "handlers", ()):
                names += _imported_names(handler.body)
    return names


def _catches_import(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or "ImportError" in ast.unparse(handler.type) or "NotFound" in ast.unparse(handler.type)
