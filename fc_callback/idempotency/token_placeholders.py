"""Placeholders for the task token in a record whose Output repeats it.

A function may return its payload with the token, or a link that contains it. The record holds a placeholder instead, and a
replay fills in the token of its own delivery.

Where the token is quoted or encoded, that encoding is undone, and done again around the other token: `{mark}j...[` begins a
JSON string, `{mark}p...[` a percent-encoded text, `{mark}b...[` base64, each with how it was written (see `encodings`), and
`{mark}]` ends it. `{mark};` is the token. A token inside an encoding that cannot be undone is replaced as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from fc_callback.idempotency import encodings
from fc_callback.values.spellings import DEEPEST, SHORTEST_SECRET, spellings_of

if TYPE_CHECKING:
    from fc_callback.values.token import TaskToken

_KEY_MARK = "\0token"


def mask_token(text: str, token: TaskToken | None, *, mark: str) -> str:
    """Return `text`, plain or JSON, with a placeholder for each spelling of the token."""
    if token is None or len(token.secret) < SHORTEST_SECRET:
        return text
    return _TokenMask(token.secret, mark).mask(text, DEEPEST)


def restore_token(text: str, token: TaskToken | None, *, mark: str) -> str:
    """Return what was given to `mask_token`, with this token instead; None removes the token."""
    if not mark or mark not in text:
        return text
    secret = "" if token is None else token.secret
    outer: list[tuple[str, list[str]]] = []
    pieces: list[str] = []
    done = 0
    for found in _placeholders(mark).finditer(text):
        pieces.append(text[done : found.start()])
        done = found.end()
        encoding, ends = found["encoding"], found["ends"]
        if encoding:
            outer.append((encoding, pieces))
            pieces = []
        elif not ends:
            pieces.append(secret.replace(" ", "+") if found["plus"] else secret)
        elif outer:
            encoding, before = outer.pop()
            pieces = [*before, encodings.encode(encoding, "".join(pieces))]
    return "".join((*pieces, text[done:]))


def drop_token(value: Any, token: TaskToken | None, *, names: frozenset[str]) -> Any:
    """Return a JSON value without any spelling of the token, and without the members of these names."""
    if isinstance(value, Mapping):
        return {
            drop_token(name, token, names=names): drop_token(member, token, names=names)
            for name, member in value.items()
            if name not in names
        }
    if isinstance(value, (list, tuple)):
        return [drop_token(member, token, names=names) for member in value]
    if not isinstance(value, str) or token is None:
        return value
    if value == token.secret:
        return ""
    masked = mask_token(value, token, mark=_KEY_MARK)
    return value if masked == value else _placeholders(_KEY_MARK).sub("", masked)


def holds_token(value: Any, token: TaskToken) -> bool:
    """Say whether a JSON value holds the token, in any spelling."""
    if isinstance(value, str):
        return value == token.secret or spellings_of((token.secret,)).stand_in(value)
    if isinstance(value, Mapping):
        return any(holds_token(name, token) or holds_token(member, token) for name, member in value.items())
    return isinstance(value, (list, tuple)) and any(holds_token(member, token) for member in value)


def _placeholders(mark: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(mark)}(?:(?P<plus>\+?);|(?P<encoding>[jpb][0-9A-Za-z]*)\[|(?P<ends>\]))")


class _TokenMask:
    """Puts placeholders in the place of one token."""

    def __init__(self, secret: str, mark: str) -> None:
        self._secret = secret
        self._mark = mark
        self._spellings = spellings_of((secret,))

    def mask(self, text: str, depth: int) -> str:
        if not self._spellings.stand_in(text):
            return text
        if depth:
            for quoting in encodings.QUOTINGS:
                text = quoting.pattern.sub(partial(self._quoted, quoting, depth), text)
        text = text.replace(self._secret, f"{self._mark};")
        if " " in self._secret:
            text = text.replace(self._secret.replace(" ", "+"), f"{self._mark}+;")
        while found := self._spellings.find(text):  # what is left is base64, or cannot be decoded
            masked = ""
            for start, end in reversed(found):
                if end <= len(text):  # and is not part of a later one's base64
                    text, after = self._split_at(text, start, end, depth)
                    masked = after + masked
            text += masked
        return text

    def _quoted(self, quoting: encodings.Quoting, depth: int, run: re.Match[str]) -> str:
        decoded = quoting.decode(run[0]) if self._spellings.stand_in(run[0]) else None
        return run[0] if decoded is None else self._inside(decoded, depth) or run[0]

    def _split_at(self, text: str, start: int, end: int, depth: int) -> tuple[str, str]:
        """Return the text before a spelling of the token, and the placeholder with the text after it."""
        run = encodings.base64_around(text, start, end, holds=self._spellings.stand_in) if depth else None
        masked = None if run is None else self._inside(run.decoded, depth)
        if run is not None and masked is not None:
            return text[: run.start], f"{masked}{text[run.end :]}"
        return text[:start], f"{self._mark};{text[end:]}"

    def _inside(self, decoded: encodings.Decoded, depth: int) -> str | None:
        masked = self.mask(decoded.text, depth - 1)
        return None if masked == decoded.text else f"{self._mark}{decoded.how}[{masked}{self._mark}]"
