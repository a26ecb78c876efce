r"""Find secrets in a text, in every spelling. Every masker uses this list of spellings.

- unchanged;
- with escapes: of JSON (`\/`, `\u003d`), of a Python repr, of a URL (`%2B`, `%2b`, `+` for a space), each escaped again up to
  `DEEPEST` times, and each inside the other;
- in base64: both alphabets, with and without padding, at any offset, in lines of 64 or 76 characters, also inside base64 and
  inside all of the above.
"""

from __future__ import annotations

import binascii
import re
import sys
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    Span = tuple[int, int]

# A shorter secret may occur in a text by chance, and masking it would make texts unreadable. Task tokens have a hundred
# characters and more, access key secrets thirty.
SHORTEST_SECRET = 8
# A secret that is escaped or encoded more often than this is not found.
DEEPEST = 8
FOLDED = 60  # a line of folded base64 has at least this many characters (64 in PEM, 76 in MIME)

_OF_ONE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}
_STANDARD = str.maketrans("-_", "+/")
_SHORTEST_MARK = 4
_MARK_CHARACTERS = 16
_LONGEST_RUN = b"A" * FOLDED
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _translation_table(entries: dict[int, int]) -> bytes:
    """Return a table for `bytes.translate` that replaces every byte without an entry by a space."""
    return bytes(entries.get(byte, ord(" ")) for byte in range(256))


_WORDS = _translation_table({byte: byte for byte in _LETTERS})
_RUNS = _translation_table(dict.fromkeys(_LETTERS + b"+/-_", ord("A")))


# Compiled when a text is searched, which is rare, and not in a cold start.


@cache
def _escapes() -> re.Pattern[str]:
    """Return the pattern of one escape, or of the end of a line of folded base64."""
    return re.compile(
        r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a surrogate pair is one character
        r"|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[^uUx])"
        r"|%[cdCD][0-9a-fA-F]%[89abAB][0-9a-fA-F]|%[eE][0-9a-fA-F](?:%[89abAB][0-9a-fA-F]){2}"  # UTF-8
        r"|%[fF][0-9a-fA-F](?:%[89abAB][0-9a-fA-F]){3}|%[0-9a-fA-F]{2}"
        rf"|(?<=[A-Za-z0-9+/]{{{FOLDED}}})\r?\n(?=[A-Za-z0-9+/])",
        re.DOTALL,
    )


@cache
def _hidden_signs() -> re.Pattern[str]:
    """Return the pattern of an escaped letter, digit or sign of base64. Without one, no letter of a secret is escaped."""
    return re.compile(
        r"\\(?:u00[2-7]|U000000[2-7]|x[2-7]|(?<=[A-Za-z0-9]{4}\\)/[A-Za-z0-9+\\])"
        r"|%(?:25)*(?:2[BbDdFf]|3[0-9Dd]|[46][0-9A-Fa-f]|5[0-9AaCcFf]|7[0-9Aa])(?=[A-Za-z0-9%+/=._~-]{2})"
    )


class Spellings:
    """All the spellings of some secrets.

    Args:
        secrets: The secrets. One with fewer than `SHORTEST_SECRET` characters is left out.
    """

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = tuple(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)
        self._marks = tuple(map(_mark, self._secrets))
        self._run = b"A" * min(map(_base64_characters, self._secrets), default=0)

    def with_secret(self, secret: str) -> Spellings:
        """Return the spellings of these secrets and another one."""
        if len(secret) < SHORTEST_SECRET:
            return self
        more = object.__new__(Spellings)
        more._secrets = (*self._secrets, secret)
        more._marks = (*self._marks, _mark(secret))
        more._run = min(self._run or _LONGEST_RUN, b"A" * _base64_characters(secret))
        return more

    def may_stand_in(self, text: str) -> bool:
        """Return whether a text must be searched. Most texts need no search."""
        for mark in self._marks:
            if mark in text:
                return True
        if ("%" in text or "\\" in text) and _hidden_signs().search(text) is not None:
            return True
        # A long run of the characters of base64.
        return self._run != b"" and self._run in text.encode("utf-8", "surrogatepass").translate(_RUNS)

    def find(self, text: str, shapes: re.Pattern[str] | None = None) -> list[Span]:
        """Return the start and the end of each secret in a text, in any spelling, sorted and without overlaps.

        Args:
            text: The text.
            shapes: Another pattern to find, but not inside base64. Its last group is the span, or the whole match.
        """
        spans: list[Span] = []
        for start, end in sorted(self._spans(text, DEEPEST, shapes)):
            begin = start - _halves_an_escape(text, start)
            if spans and begin <= spans[-1][1]:
                spans[-1] = spans[-1][0], max(end, spans[-1][1])
            else:
                spans.append((begin, end))
        return spans

    def stand_in(self, text: str) -> bool:
        """Return whether a text contains one of the secrets, in any spelling."""
        return self.may_stand_in(text) and next(self._spans(text, DEEPEST, None), None) is not None

    def _spans(self, text: str, depth: int, shapes: re.Pattern[str] | None) -> Iterator[Span]:
        for plain in self._plain:
            start = text.find(plain)
            while start >= 0:
                yield start, start + len(plain)
                start = text.find(plain, start + 1)
        if shapes is not None:
            for shape in shapes.finditer(text):
                yield shape.span(shape.lastindex or 0)
        if not depth or (shapes is None and not self.may_stand_in(text)):
            return
        for kind in self._kinds if "\\" in text or "%" in text or "\n" in text else ():
            undone = _Undone(text, kind)
            if undone.text != text:
                for start, end in self._spans(undone.text, depth - 1, shapes):
                    yield undone.outside(start), undone.outside(end)
        for run in self._base64.finditer(text) if self._run else ():
            for offset in range(run.start(), run.start() + 4):
                for start, end in self._spans(decoded(text[offset : run.end()]), depth - 1, None):
                    yield offset - (-start * 8 // 6), min(offset - (-end * 8 // 6), run.end())

    # Computed on demand: each task has a new token, and most texts contain no secret.
    @cached_property
    def _plain(self) -> tuple[str, ...]:
        return tuple(form for secret in self._secrets for form in _plain_forms(secret))

    @property
    def _base64(self) -> re.Pattern[str]:
        return re.compile(rf"[A-Za-z0-9+/_-]{{{len(self._run)},}}")

    @property
    def _kinds(self) -> tuple[str, ...]:
        # A secret with one of these characters would itself be changed if both kinds of escapes were undone at once.
        return ("\\%", "\\", "%") if any("%" in form or "\\" in form for form in self._plain) else ("\\%",)


spellings_of = lru_cache(maxsize=32)(Spellings)


def _mark(secret: str) -> str:
    """Return a run of letters and digits of a secret, which are rarely escaped: a text without it does not hold the secret."""
    start = secret[:_MARK_CHARACTERS]
    if start.isascii() and start.isalnum():
        return start
    words = secret.encode("utf-8", "surrogatepass").translate(_WORDS).split()
    mark = max(words, key=len, default=b"").decode()
    return mark if len(mark) >= _SHORTEST_MARK else ""


def _base64_characters(secret: str) -> int:
    """Return how many characters of base64 without line ends a secret has at least."""
    size = len(secret) if secret.isascii() else len(secret.encode("utf-8", "surrogatepass"))
    return min(-(-size * 4 // 3), FOLDED)


def _plain_forms(secret: str) -> tuple[str, ...]:
    """Return a secret unchanged, with the `+` of a query, and as the bytes of its UTF-8, one character for each byte."""
    as_bytes = secret.encode("utf-8", "surrogatepass").decode("latin-1")
    return tuple(dict.fromkeys((secret, secret.replace(" ", "+"), as_bytes)))


class _Undone:
    """A text with its outermost escapes undone, and the position of each character in the original text."""

    def __init__(self, text: str, kind: str) -> None:
        pieces: list[str] = []
        self._outside: list[int] = []  # of each character
        done = 0
        for escape in _escapes().finditer(text):
            start, end = escape.span()
            if text[start] in "\\%" and text[start] not in kind:
                continue
            sign = _unescaped(escape[0])
            pieces += text[done:start], sign
            self._outside += range(done, start)
            if sign:
                self._outside.append(start)
            done = end
        self.text = "".join((*pieces, text[done:]))
        self._outside += range(done, len(text) + 1)

    def outside(self, position: int) -> int:
        """Return the position in the original text."""
        return self._outside[position]


def _halves_an_escape(text: str, start: int) -> bool:
    """Return whether the character at `start` belongs to the backslash before it, as in a newline before a secret."""
    before = start
    while before and text[before - 1] == "\\":
        before -= 1
    return (start - before) % 2 == 1


def _unescaped(escape: str) -> str:
    if escape[0] == "%":
        return unquoted_bytes(escape).decode("utf-8", "replace")[:1]
    if escape[0] != "\\":  # the end of a line
        return ""
    if escape[1] in "uUx":
        first = int(escape[2:6] if escape[1] == "u" else escape[2:], 16)
        if len(escape) == len(r"\ud83d\ude00"):
            return chr(0x10000 + ((first - 0xD800) << 10) + int(escape[8:], 16) - 0xDC00)
        return chr(first) if first <= sys.maxunicode else "\ufffd"
    return _OF_ONE.get(escape[1], escape[1])


def unquoted_bytes(codes: str) -> bytes:
    """Return the bytes of percent-encoded text, like `%2B%2f`."""
    return bytes.fromhex(codes.replace("%", ""))


def decoded(base64: str) -> str:
    """Decode base64 of either alphabet to a character for each byte. Bits after the last whole byte are left out."""
    whole = base64[: len(base64) - (len(base64) % 4 == 1)].translate(_STANDARD)
    return binascii.a2b_base64(whole + "=" * (-len(whole) % 4)).decode("latin-1")
