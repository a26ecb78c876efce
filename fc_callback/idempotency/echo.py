"""Keeping the task token out of a record whose Output repeats it.

A function may return its payload, the token with it, or a link that carries it. The record gets a mark in its place, and
a replay puts in the token of its own delivery.

Where the token is quoted or encoded, that layer is opened, and is written again around the other token:
`{mark}j...[` opens a JSON string, `{mark}p...[` a percent-encoded text, `{mark}b...[` base64, each with how it was written,
and `{mark}]` ends it; `{mark};` is the token. A token under a layer that cannot be opened is replaced all the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from fc_callback.idempotency import layers
from fc_callback.values.spellings import DEEPEST, SHORTEST_SECRET, spellings_of

if TYPE_CHECKING:
    from fc_callback.idempotency.record import Record
    from fc_callback.values.token import TaskToken

_IN_KEYS = "\0token"


def hide(text: str, token: TaskToken | None, *, mark: str) -> str:
    """Return `text`, plain or JSON, with marks where the token stood, in any spelling."""
    if token is None or len(token.secret) < SHORTEST_SECRET:
        return text
    return _Hiding(token.secret, mark).hide(text, DEEPEST)


def show(text: str, token: TaskToken | None, *, mark: str) -> str:
    """Undo `hide`, with this token; None leaves nothing in its place."""
    if not mark or mark not in text:
        return text
    secret = "" if token is None else token.secret
    outer: list[tuple[str, list[str]]] = []
    pieces: list[str] = []
    done = 0
    for found in _marks(mark).finditer(text):
        pieces.append(text[done : found.start()])
        done = found.end()
        layer, ends = found["layer"], found["ends"]
        if layer:
            outer.append((layer, pieces))
            pieces = []
        elif not ends:
            pieces.append(secret.replace(" ", "+") if found["plus"] else secret)
        elif outer:
            layer, around = outer.pop()
            pieces = [*around, layers.close(layer, "".join(pieces))]
    return "".join((*pieces, text[done:]))


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
        return {
            without(name, token, names=names): without(member, token, names=names)
            for name, member in value.items()
            if name not in names
        }
    if isinstance(value, (list, tuple)):
        return [without(member, token, names=names) for member in value]
    if not isinstance(value, str) or token is None:
        return value
    if value == token.secret:
        return ""
    hidden = hide(value, token, mark=_IN_KEYS)
    return value if hidden == value else _marks(_IN_KEYS).sub("", hidden)


def holds(value: Any, token: TaskToken) -> bool:
    """Tell whether the token stands anywhere in a JSON value, in any spelling."""
    if isinstance(value, str):
        return value == token.secret or spellings_of((token.secret,)).stand_in(value)
    if isinstance(value, Mapping):
        return any(holds(name, token) or holds(member, token) for name, member in value.items())
    return isinstance(value, (list, tuple)) and any(holds(member, token) for member in value)


def _marks(mark: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(mark)}(?:(?P<plus>\+?);|(?P<layer>[jpb][0-9A-Za-z]*)\[|(?P<ends>\]))")


class _Hiding:
    """Hides one token."""

    def __init__(self, secret: str, mark: str) -> None:
        self._secret = secret
        self._mark = mark
        self._spellings = spellings_of((secret,))

    def hide(self, text: str, depth: int) -> str:
        if not self._spellings.stand_in(text):
            return text
        if depth:
            for layer in layers.QUOTING:
                text = layer.pattern.sub(partial(self._quoted, layer, depth), text)
        text = text.replace(self._secret, f"{self._mark};")
        if " " in self._secret:
            text = text.replace(self._secret.replace(" ", "+"), f"{self._mark}+;")
        while found := self._spellings.find(text):  # what is left is base64, or cannot be opened
            hidden = ""
            for start, end in reversed(found):
                if end <= len(text):  # and not in the run of a later one
                    text, after = self._without_span(text, start, end, depth)
                    hidden = after + hidden
            text += hidden
        return text

    def _quoted(self, layer: layers.Quoting, depth: int, run: re.Match[str]) -> str:
        opened = layer.open(run[0]) if self._spellings.stand_in(run[0]) else None
        return run[0] if opened is None else self._inside(opened, depth) or run[0]

    def _without_span(self, text: str, start: int, end: int, depth: int) -> tuple[str, str]:
        """Return what comes before a spelling of the token, and what is written for it and after it."""
        run = layers.base64_around(text, start, end, holds=self._spellings.stand_in) if depth else None
        hidden = None if run is None else self._inside(run.opened, depth)
        if run is not None and hidden is not None:
            return text[: run.start], f"{hidden}{text[run.end :]}"
        return text[:start], f"{self._mark};{text[end:]}"

    def _inside(self, opened: layers.Opened, depth: int) -> str | None:
        hidden = self.hide(opened.text, depth - 1)
        return None if hidden == opened.text else f"{self._mark}{opened.how}[{hidden}{self._mark}]"
