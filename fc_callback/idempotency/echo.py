"""Keeping the task token out of a record whose Output repeats it.

A function may return its payload, the token with it, or a link that carries it. The record gets a mark in its place, and
a replay puts in the token of its own delivery.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fc_callback.idempotency.record import Record
    from fc_callback.token import TaskToken

# A text this short may stand anywhere by chance. Tokens of the service have a hundred characters and more.
_MIN_CHARACTERS = 8


def hide(text: str, token: TaskToken | None, *, mark: str) -> str:
    """Return `text`, plain or JSON, with marks where the token stood."""
    for number, form in enumerate(_forms(token)):
        text = text.replace(form, f"{mark}{number};")
    return text


def show(text: str, token: TaskToken | None, *, mark: str) -> str:
    """Undo `hide`, with this token; None leaves nothing in its place."""
    if not mark or mark not in text:
        return text
    forms = _forms(token) or ("", "", "", "")
    for number, form in enumerate(forms):
        text = text.replace(f"{mark}{number};", form)
    return text


def result(record: Record, token: TaskToken | None) -> tuple[str | None, tuple[str, str] | None]:
    """Return a record's Output and failure, as they read for the task with this token."""
    output = None if record.output is None else show(record.output, token, mark=record.mark)
    if record.failure is None:
        return output, None
    error, cause = record.failure
    return output, (show(error, token, mark=record.mark), show(cause, token, mark=record.mark))


def without(value: Any, token: TaskToken | None, *, names: frozenset[str]) -> Any:
    """Return a JSON value without the token wherever it stands, and without the members of these names."""
    if isinstance(value, Mapping):
        return {name: without(member, token, names=names) for name, member in value.items() if name not in names}
    if isinstance(value, (list, tuple)):
        return [without(member, token, names=names) for member in value]
    if not isinstance(value, str) or token is None:
        return value
    if value == token.reveal():
        return ""
    for form in _forms(token):
        value = value.replace(form, "")
    return value


def holds(value: Any, token: TaskToken) -> bool:
    """Tell whether the token stands anywhere in a JSON value."""
    if isinstance(value, str):
        return value == token.reveal() or any(form in value for form in _forms(token))
    if isinstance(value, Mapping):
        return any(holds(name, token) or holds(member, token) for name, member in value.items())
    return isinstance(value, (list, tuple)) and any(holds(member, token) for member in value)


def _forms(token: TaskToken | None) -> tuple[str, ...]:
    """The ways to write a token: in a JSON string (either way to escape), in a URL, and as it is."""
    if token is None or len(token.reveal()) < _MIN_CHARACTERS:
        return ()
    from urllib.parse import quote

    secret = token.reveal()
    return (
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe="", errors="replace"),
        secret,
    )
