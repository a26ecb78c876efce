"""The reference of errors, as Markdown: one entry for each class of the tree, and for each error code of the service."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING

from docstrings import docstring, escaped, to_markdown
from error_cases import cases_with_a_fix

import fc_callback
from fc_callback import errors
from fc_callback.cloudflow.errors import CloudFlowError
from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What to do about a class whose text names the fix of each case.
_FIXES = {
    "FcCallbackError": "Read the text of the error: it says what happened and what to do. `error.hint` is the second part.",
    "SettingsError": "Correct the value that the text names. [Settings](../settings.md) has the variables, [the package](api.md) "
    "the options of Python, and [the command line](command-line.md) those of the commands.",
    "HandlerInvalid": "Change the parameters or the annotations of the function as the text says. "
    "[Events](../events.md#the-annotation) has the forms that a function can have.",
    "TaskTokenNotFound": "Let the step send the token to the function, and name its place with `token=` if it has another key: "
    "[the place of the token](../events.md#the-place-of-the-token). `missing_token=` decides about events without a task.",
    "TokenAmbiguous": "Name the place of the right token with `token=`, or run the function once for each task with `batch=`: "
    "[batches](../batches.md).",
    "PayloadInvalid": "Send the fields that `error.problems` names, or change the annotation or the model.",
    "OutputError": "Return JSON types, or pydantic models, dataclasses or attrs classes made of them. `error.path` is the place.",
    "TaskFailed": "The function itself raises it. [Catch its name in the flow](../how-to/catch-failures.md).",
    "IdempotencyError": "See the entries of its classes. If `error.retryable` is true, let the error pass through: FC delivers the "
    "event again.",
    "IdempotencyKeyMissing": "Send the field that `key=` names with every event, or name another field.",
    "StoreUnavailable": "Let the error pass through: FC delivers the event again. If it stays, check that the function reaches the "
    "store, as the text says.",
    "SealError": "See the entries of its two classes.",
    "ServiceUnreachable": "Check what the text names: the endpoint, the network of the function, a proxy or a certificate. "
    "A report is repeated by itself while `error.retryable` is true: [delivery](../delivery.md#what-happens-after-a-call).",
    "CloudFlowError": "Look up `error.code` in [the codes](#the-codes-of-cloudflow). If it has no entry, read "
    "`error.service_message`, and give `error.request_id` to the support of Alibaba Cloud.",
    "ApiError": "Look up `error.code` in [the codes](#the-codes-of-cloudflow): the local CloudFlow refuses what the service refuses.",
    "HandlerNotLoaded": "Correct the import, or the string that names the function. "
    "[`fc-callback check`](../check.md#handler-import) finds this before a deployment.",
    "BuildError": "Correct the requirement, the tool or the folder that the text names. [Packages](../packaging.md) says how a "
    "package is built.",
    "TemplateError": "Correct the template, the value or the folder that the text names. [Templates](../templates.md) has the values.",
}


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
    return "\n\n".join(
        (
            f"### {cls.__name__}",
            f"`from {_home(cls)} import {cls.__name__}`, a subclass of {bases}.",
            to_markdown(docstring(cls)),
            f"**What to do:** {escaped(cls.hint) if cls.hint else _FIXES[cls.__name__]}",
            _table(cls.__name__),
        )
    )


def _table(name: str) -> str:
    """Return the cases of an error that have a fix of their own; nothing if there are none."""
    cases = cases_with_a_fix().get(name, ())
    cells = [" | ".join(escaped(text).replace("|", r"\|") for text in case) for case in cases]
    return "\n".join(("| the text says | what to do |", "|---|---|", *(f"| {row} |" for row in cells))) if cells else ""


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
            f"**What to do:** {escaped(cls.hint)}",
        )
    )
