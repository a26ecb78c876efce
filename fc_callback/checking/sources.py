"""Read the source of a function without running it: what it imports, and whether its handler is decorated."""

from __future__ import annotations

import ast
import functools
import sys
from collections import deque
from contextlib import suppress
from importlib import metadata
from typing import TYPE_CHECKING, Final

import attrs

from fc_callback.project.documents import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

# Modules that Python 3.12 or 3.13 no longer has: the function's own Python may have them.
_REMOVED: Final = frozenset(
    (
        *("aifc", "asynchat", "asyncore", "audioop", "cgi", "cgitb", "chunk", "crypt", "distutils", "imghdr", "imp"),
        *("lib2to3", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "smtpd", "sndhdr", "spwd", "sunau"),
        *("telnetlib", "uu", "xdrlib"),
    )
)
_MAX_FILES = 1000
_GUARDS = {"version_info", "platform", "os_name", "hexversion"}


@attrs.frozen(kw_only=True)
class SourceImports:
    """What the modules of a function import, as far as its handlers lead to them.

    Attributes:
        modules: The modules outside of the standard library and of the code itself, each with its first file and line.
        changes_path: Whether the code changes `sys.path`, so that a module may be anywhere.
    """

    modules: dict[str, tuple[Path, int]]
    changes_path: bool


def is_standard(module: str) -> bool:
    """Whether a module is one of the standard library, of this Python or of an older one."""
    return module in sys.stdlib_module_names or module in _REMOVED


def is_in(folder: Path, module: str) -> bool:
    """Whether a directory has a module or a package of that name."""
    return (folder / module).is_dir() or (folder / f"{module}.py").is_file() or any(folder.glob(f"{module}.*.so"))


def python_path(environment: Mapping[str, str], code_dir: Path) -> tuple[list[Path], bool]:
    """Return the directories of the code that PYTHONPATH names, and whether it names others, like one of a mount."""
    parts = [part.rstrip("/") for part in environment.get("PYTHONPATH", "").replace("\0", "").split(":") if part]
    own = [code_dir / part.removeprefix("/code").lstrip("/") for part in parts if f"{part}/".startswith("/code/")]
    return own, not all(f"{part}/".startswith(("/code/", "/opt/python/")) for part in parts)


def imports_of(code_dir: Path, handlers: Iterable[str]) -> SourceImports:
    """Return what the modules of handlers import, and the modules of the code that those import in turn.

    Imports for type checkers, those for some versions or platforms only, and those inside of `try` with an `except` for
    their failure are left out. Packages that are installed in the code directory are not followed.

    Args:
        code_dir: What becomes /code.
        handlers: Each `module.function`.
    """
    found: dict[str, tuple[Path, int]] = {}
    installed = _installed_in(code_dir)
    waiting = [handler.rpartition(".")[0].replace("/", ".") for handler in handlers]
    seen: set[Path] = set()
    own: dict[str, bool] = {}
    changes_path = False
    while waiting and len(seen) < _MAX_FILES:
        path = _module_file(code_dir, waiting.pop())
        if path is None or path in seen:
            continue
        seen.add(path)
        tree = _parsed(path)
        if tree is None:
            continue  # the import of the handler reports it
        changes_path = changes_path or _names_sys_path(tree)
        lines: dict[str, int] = {}
        for module, line in _imported_modules(tree, _package_of(path, code_dir)):
            lines.setdefault(module, line)
        for module, line in lines.items():
            top = module.partition(".")[0]
            if top not in own:
                own[top] = is_in(code_dir, top)
            if own[top]:
                waiting += [] if top in installed else _with_parents(module)
            elif not is_standard(top):
                found.setdefault(top, (path, line))
    return SourceImports(modules=found, changes_path=changes_path)


def is_decorated(code_dir: Path, handler: str) -> bool:
    """Whether the source shows that `task_callback` decorates a handler."""
    module, _, name = handler.rpartition(".")
    path = _module_file(code_dir, module.replace("/", "."))
    tree = _parsed(path) if path else None
    for statement in tree.body if tree else ():
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == name:
            return any(map(_names_task_callback, statement.decorator_list))
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in statement.targets
        ):
            return _names_task_callback(statement.value)
    return False


def _names_task_callback(node: ast.AST) -> bool:
    return "task_callback" in _names_in(node)


def _names_in(node: ast.AST) -> set[str]:
    each = list(ast.walk(node))
    return {one.id for one in each if isinstance(one, ast.Name)} | {
        one.attr for one in each if isinstance(one, ast.Attribute)
    }


def _names_sys_path(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr == "path" and isinstance(node.value, ast.Name) and node.value.id == "sys"
        for node in ast.walk(tree)
    )  # fmt: skip


def _parsed(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_bytes()) if path.stat().st_size <= MAX_BYTES else None
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _module_file(code_dir: Path, module: str) -> Path | None:
    parts = module.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    path = code_dir.joinpath(*parts)
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


def _package_of(path: Path, code_dir: Path) -> list[str]:
    return list(path.relative_to(code_dir).parts[:-1])


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _installed_in(code_dir: Path) -> set[str]:
    """Return the packages that pip has installed in a directory, and those that are installed here."""
    names = set(_installed_here())
    for distribution in metadata.distributions(path=[str(code_dir)]):
        with suppress(Exception):  # a RECORD may hold anything
            names |= {str(file).partition("/")[0].partition(".")[0] for file in distribution.files or ()}
    return names


@functools.cache
def _installed_here() -> frozenset[str]:
    return frozenset(metadata.packages_distributions())


def _imported_modules(tree: ast.Module, package: list[str]) -> Iterator[tuple[str, int]]:
    waiting: deque[ast.AST] = deque([tree])
    while waiting:
        node = waiting.popleft()
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level and not package:
                continue  # FC cannot import it; no package brings it either
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base, node.lineno
            # Only the code's own modules have files; a name of another package's module is its top again.
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)
        else:
            waiting.extend(_inside(node))


def _inside(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a statement whose imports are certain to run, or to run sometimes on every machine."""
    if isinstance(node, ast.expr):
        return []
    if isinstance(node, ast.If):
        names = _names_in(node.test)
        if "TYPE_CHECKING" in names:
            return list(node.orelse)
        if names & _GUARDS or "__name__" in names:
            return []
    if isinstance(node, ast.Try) and any(map(_catches_import, node.handlers)):
        return []
    return list(ast.iter_child_nodes(node))


def _catches_import(handler: ast.ExceptHandler) -> bool:
    caught = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
    return handler.type is None or not caught.isdisjoint(_names_in(handler.type))
