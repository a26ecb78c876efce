"""Find handler strings that FC's loader refuses, by looking at the files only.

Source: FC documentation, "Request handlers" (`module.function`, also `dir/module.function`); the rules of the runtimes up to
python3.10 are observed: `fc_callback.runtime.worker` loads handlers by the same rules.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from fc_callback.runtime.runtimes import RUNTIMES

if TYPE_CHECKING:
    from pathlib import Path

_FIRST_WITH_PACKAGES = (3, 12)


def refusal(handler: str, code_dir: Path, runtime: str) -> tuple[str, str] | None:
    """Return why a runtime of FC refuses a handler string, and what to do; None if nothing is certain.

    Args:
        handler: The string, like `index.handler`.
        code_dir: What becomes /code.
        runtime: A built-in runtime.
    """
    path, _, name = handler.rpartition(".")
    if not path or not name:
        return (
            f"{handler!r} is not of the form module.function.",
            "Write the file's name without .py, a dot, the function.",
        )
    known = RUNTIMES.get(runtime)
    is_old = known is not None and known.python is not None and known.python < _FIRST_WITH_PACKAGES
    absolute = path.startswith("/") and not (is_old and path.startswith("/code/"))
    if name == "py" or path.endswith(".py") or path.startswith(".") or absolute:
        return f"{handler!r} names a file, not a module.", "Write module.function or dir/module.function, without .py."
    if not is_old:
        return None
    return _namespace_package(path, code_dir, runtime) or _relative_import(path, code_dir, runtime)


def _namespace_package(path: str, code_dir: Path, runtime: str) -> tuple[str, str] | None:
    folder = code_dir
    for part in path.split(".")[:-1]:
        folder /= part
        if folder.is_dir() and not (folder / "__init__.py").is_file() and not folder.with_suffix(".py").is_file():
            missing = (folder / "__init__.py").relative_to(code_dir).as_posix()
            return (
                f"{runtime} does not load modules from a directory without __init__.py, and there is no {missing}.",
                f"Add {missing}.",
            )
    return None


def _relative_import(path: str, code_dir: Path, runtime: str) -> tuple[str, str] | None:
    if "/" not in path:
        return None
    try:
        tree = ast.parse((code_dir / f"{path.replace('.', '/')}.py").read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None  # the import of the handler reports it
    line = next((one.lineno for one in tree.body if isinstance(one, ast.ImportFrom) and one.level), None)
    if line is None:
        return None
    return (
        f"{runtime} loads {path} without a package, and its relative import in line {line} then fails.",
        f"Write {path.replace('/', '.')} with an __init__.py in each directory, or import by full names.",
    )
