"""The reference of errors, as Markdown: one entry for each class of the tree, and for each error code of the service."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING

from docstrings import docstring, escaped, to_markdown

import fc_callback
from fc_callback import errors
from fc_callback.cloudflow.errors import CloudFlowError
from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWN_HINT = "The error's text ends with what to do in this case."


def error_tree() -> str:
    """Return the drawing of the tree."""
    drawn = (errors.__doc__ or "").split("\n\n")[1]
    return f"```text\n{drawn}\n```"


def error_reference() -> str:
    """Return an entry for each class that the drawing of the tree names."""
    return "\n\n".join(_entry(cls) for cls in sorted(_in_the_tree(), key=_position))


def code_reference() -> str:
    """Return an entry for each error code of the service."""
    documented = [cls for cls in _subclasses(CloudFlowError) if cls.documented_status]
    return "\n\n".join(_code_entry(cls) for cls in sorted(documented, key=lambda cls: cls.documented_code))


def _subclasses(cls: type) -> Iterator[type]:
    for each in cls.__subclasses__():
        yield each
        yield from _subclasses(each)


def _in_the_tree() -> set[type[FcCallbackError]]:
    for module in pkgutil.walk_packages(fc_callback.__path__, "fc_callback."):
        if not module.name.endswith(("__main__", "testing.plugin")) and "._templates" not in module.name:
            importlib.import_module(module.name)
    found = {FcCallbackError, *_subclasses(FcCallbackError)}
    return {cls for cls in found if _position(cls) >= 0}


def _position(cls: type) -> int:
    match = re.search(rf"(?<![\w.]){cls.__name__}(?= |$)", (errors.__doc__ or "").split("\n\n")[1], re.MULTILINE)
    return match.start() if match else -1


def _entry(cls: type[FcCallbackError]) -> str:
    bases = " and ".join(f"`{base.__name__}`" for base in cls.__bases__)
    fix = escaped(cls.hint) if cls.hint else _OWN_HINT
    return f"### {cls.__name__}\n\n`from {_home(cls)} import {cls.__name__}`, a subclass of {bases}.\n\n{to_markdown(docstring(cls))}\n\n**What to do:** {fix}"


def _home(cls: type) -> str:
    """Return the module that people import a class from: its folder if the folder has the name, else its own module."""
    if cls.__name__ in fc_callback.__all__:
        return "fc_callback"
    folder = cls.__module__.rpartition(".")[0]
    return folder if cls.__name__ in getattr(importlib.import_module(folder), "__all__", ()) else cls.__module__


def _code_entry(cls: type[CloudFlowError]) -> str:
    repeats = "A report is repeated by itself until the deadline." if cls.retryable else "The same call fails again."
    return "\n\n".join(
        (
            f"### {cls.documented_code}",
            f"`from {_home(cls)} import {cls.__name__}`. {to_markdown(docstring(cls))}",
            f"The service says: {escaped(cls.template)}" if cls.template else "",
            repeats,
            f"**What to do:** {escaped(cls.hint) if cls.hint else _OWN_HINT}",
        )
    )
