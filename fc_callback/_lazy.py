"""Load the public names of a package when they are first used (PEP 562): a cold start pays for nothing that it does not call."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def attach(
    package: str, modules: Mapping[str, str], *, extra: str = ""
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package.

    Args:
        package: The package's `__name__`.
        modules: The full name of the module that defines each public name; a module that is public itself has its own.
        extra: The extra that installs what these modules need. The error for a missing package names it.
    """

    def load(name: str) -> Any:
        module = modules.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            __import__(module)  # importlib itself is not loaded in a cold start
        except ModuleNotFoundError as error:
            if not extra:
                raise
            raise ModuleNotFoundError(
                f"{package} needs {error.name}, which is not installed: pip install 'fc-callback[{extra}]'.",
                name=error.name,
            ) from None
        loaded = sys.modules[module]
        value = loaded if module == f"{package}.{name}" else getattr(loaded, name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted(modules)

    return load, names
