"""The text of an expression with the values that it may read, and its paths as expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.flows.definition import DefinitionError, Warn, ignore
from fc_callback.flows.paths import Expression, Path, split_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.flows.builtins import Builtin

_SHOWN_CHARACTERS = 200  # of a text in a message
# The members of $Context. Only below Input and Output there is data of the flow's own.
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


def shorten(text: str) -> str:
    """Return a text, or its beginning if it is too long for a message."""
    return str(text) if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


@attrs.frozen(kw_only=True)
class ExpressionText:
    """The text of an expression.

    Attributes:
        text: The text.
        roots: The roots that exist here: those of `$Input`, `$Output`, `$Context` and `$Global`, or `$`.
        functions: The functions that exist here.
        label: The text's name in messages.
        warn: Called with a text about each path that cannot exist; the text does not have the label.
    """

    text: str
    roots: tuple[str, ...]
    functions: Mapping[str, Builtin]
    label: str
    warn: Warn = ignore

    def error(self, reason: str, kind: type[DefinitionError] = DefinitionError) -> DefinitionError:
        """Return an error; the reason continues "the expression ..."."""
        return kind(f"{self.label}: the expression {shorten(self.text)!r} {reason}.")

    def reference(self, text: str) -> Expression | None:
        """Return the expression that reads a path; None if the text is not a path.

        Raises:
            DefinitionError: The path's root does not exist here.
        """
        found = split_path(text)
        if found is None:
            return None
        root, path = found
        if root not in self.roots:
            known = "only the input of the step, like $.name" if self.roots == ("$",) else ", ".join(self.roots)
            raise self.error(f"reads {shorten(root)}, which does not exist here; there is {known}")
        if root == "$Context" and not _in_context(path):
            members = ", ".join(".".join(member) for member in _CONTEXT)
            self.warn(f"{shorten(path.text)} leads nowhere, its value is null; $Context has {members}.")
        return lambda values: path.read(values.roots.get(root), values.missing)


def _in_context(path: Path) -> bool:
    segments: tuple[Any, ...] = path.segments
    for known in _CONTEXT:
        length = min(len(known), len(segments))
        if segments[:length] == known[:length] and (len(segments) <= len(known) or known[-1] in {"Input", "Output"}):
            return True
    return False
