"""Regular expressions whose matching takes a bounded number of steps, for `regexMatchString`.

Python's `re` would let one pattern like `(a+)+$` hold up the service for years. Here a pattern is applied to all positions of
the text at once, as a set that is an int with a bit for each position. Inferred from the function's name, which is that of
Go's: the syntax is RE2's, so it has no look-around and no back-references, and `$` is the end of the text.

This module imports `lark`.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import attrs
from lark import Lark, Token
from lark.exceptions import UnexpectedInput, VisitError
from lark.visitors import Transformer_NonRecursive, v_args

from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    # Takes the set of positions at which a part of a pattern begins, and returns the set of positions at which it ends.
    Part: TypeAlias = Callable[["_Subject", int], int]

MAX_PATTERN_CHARACTERS = 1_000
MAX_TEXT_CHARACTERS = 256 * 1024
_MAX_REPEAT = 1_000  # RE2's limit
_MAX_STEPS = 400_000_000  # about half a second
_GRAMMAR = r"""
?start: alternatives
alternatives: sequence ("|" sequence)*
sequence: repeat*
repeat: (ATOM | _OPEN alternatives ")") [COUNT]

ATOM: /\\[^\n]|\[\^?\]?(?:\\.|[^\]\\])*\]|[^\\\[(){*+?|)]/s
_OPEN: /\((?:\?:|\?P?<[A-Za-z_][A-Za-z0-9_]*>)?/
COUNT: /(?:[*+?]|\{[0-9]{1,4}(?:,[0-9]{0,4})?\})\??/
"""
_FLAGS = re.compile(r"\(\?([ims]+)\)")
# Escapes of one character that RE2 and `re` read alike; other letters and digits are refused.
_ESCAPES = frozenset("dDwWsSbBAznrtfv")
_ANCHORS = frozenset(["^", "$", r"\b", r"\B", r"\A", r"\z"])


class PatternError(FcCallbackError, ValueError):
    """A pattern cannot be read, or takes too many steps."""


@attrs.define
class _Subject:
    """A text, the sets of positions at which each atom matches, and the steps that were taken."""

    text: str
    sets: dict[str, int] = attrs.field(factory=dict)
    steps: int = 0

    def spend(self, steps: int = 1_000) -> None:
        """Count the steps of an operation on sets, which has one for each byte of a set, and some more of its own.

        Raises:
            PatternError: There were too many.
        """
        self.steps += steps + len(self.text) // 8
        if self.steps > _MAX_STEPS:
            raise PatternError("the pattern takes too long for this text")


def matches(pattern: str, text: str) -> bool:
    """Return whether a pattern matches anywhere in a text.

    Raises:
        PatternError: The pattern cannot be read, or the pattern or the text is too long.
    """
    if len(pattern) > MAX_PATTERN_CHARACTERS or len(text) > MAX_TEXT_CHARACTERS:
        raise PatternError(f"it is longer than {MAX_PATTERN_CHARACTERS} characters, or the text is too long")
    everywhere = (1 << (len(text) + 1)) - 1
    return _compile(pattern)(_Subject(text), everywhere) != 0


@lru_cache(maxsize=64)
def _compile(pattern: str) -> Part:
    found = _FLAGS.match(pattern)
    letters, rest = (found[1], pattern[found.end() :]) if found else ("", pattern)
    try:
        part: Part = _Compiler(letters).transform(_parser().parse(rest))
    except UnexpectedInput:
        raise PatternError("it is not a pattern of RE2's syntax without look-around and back-references") from None
    except VisitError as error:
        raise error.orig_exc from None
    return part


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", maybe_placeholders=True)


@attrs.frozen
class _Atom:
    """A character, a class of characters, or an anchor, which takes none."""

    name: str
    pattern: re.Pattern[str]
    anchor: bool

    def __call__(self, subject: _Subject, begins: int) -> int:
        subject.spend()
        ends = begins & self.set_in(subject)
        return ends if self.anchor else ends << 1

    def set_in(self, subject: _Subject) -> int:
        """Return the positions at which the atom matches."""
        if self.name not in subject.sets:
            subject.spend(50 * len(subject.text))
            text, match = subject.text, self.pattern.match
            if self.anchor:
                bits = [match(text, position) is not None for position in range(len(text) + 1)]
            else:
                known = {character: match(character) is not None for character in set(text)}
                bits = [known[character] for character in text]
            subject.sets[self.name] = int("0" + "".join("1" if bit else "0" for bit in reversed(bits)), 2)
        return subject.sets[self.name]

    def any_number(self, subject: _Subject, begins: int) -> int:
        """Return the positions after any number of characters: the carry of the addition runs through them."""
        subject.spend()
        allowed = self.set_in(subject)
        return begins if self.anchor else ((((begins & allowed) + allowed) ^ allowed) | begins)


@v_args(inline=True)
class _Compiler(Transformer_NonRecursive[Token, Any]):
    """Has a method for each rule of the grammar, which returns a part of the pattern."""

    def __init__(self, letters: str) -> None:
        super().__init__()
        self.multiline = "m" in letters
        self.flags = re.ASCII
        for letter in letters:
            self.flags |= {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}[letter]

    def alternatives(self, *parts: Part) -> Part:
        if len(parts) == 1:
            return parts[0]

        def run(subject: _Subject, begins: int) -> int:
            ends = 0
            for part in parts:
                ends |= part(subject, begins)
            return ends

        return run

    def sequence(self, *parts: Part) -> Part:
        if len(parts) == 1:
            return parts[0]

        def run(subject: _Subject, begins: int) -> int:
            for part in parts:
                begins = part(subject, begins)
            return begins

        return run

    def repeat(self, given: Part | Token, count: Token | None) -> Part:
        part = self._atom(str(given)) if isinstance(given, Token) else given
        if count is None:
            return part
        least, most = _counts(str(count))

        def run(subject: _Subject, begins: int) -> int:
            for _ in range(least):
                subject.spend()
                begins = part(subject, begins)
            if most is None and isinstance(part, _Atom):
                return part.any_number(subject, begins)
            ends = new = begins
            done = least
            while new and (most is None or done < most):
                subject.spend()
                new = part(subject, new) & ~ends
                ends |= new
                done += 1
            return ends

        return run

    def _atom(self, name: str) -> _Atom:
        inner = name[1:] if name[0] == "\\" else ""
        if (inner.isalnum() and inner not in _ESCAPES) or (name[0] == "[" and ("[:" in name or "--" in name)):
            raise PatternError(f"{name!r} is not supported here")
        anchor = name in _ANCHORS
        text = r"\Z" if name == r"\z" or (name == "$" and not self.multiline) else name
        if name[0] == "[":  # re warns of what may become an operation on sets
            text = "[" + re.sub(
                r"\\.|[\[&~|]", lambda found: found[0] if found[0][1:] else f"\\{found[0]}", name[1:], flags=re.DOTALL
            )
        try:
            return _Atom(name, re.compile(text, self.flags), anchor)
        except re.error:
            raise PatternError(f"{name!r} cannot be read") from None


def _counts(count: str) -> tuple[int, int | None]:
    signs: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
    if count[0] in signs:
        return signs[count[0]]
    low, comma, high = count.rstrip("?")[1:-1].partition(",")
    least = int(low)
    most = int(high) if high else None if comma else least
    if max(least, most or 0) > _MAX_REPEAT or (most is not None and most < least):
        raise PatternError(f"{count!r} is not a number of repetitions up to {_MAX_REPEAT}")
    return least, most
