"""JSON strings, percent-encoding and base64 inside a text: decoded, and encoded again exactly as they were.

A short word says how something was encoded: `ju` is a JSON string with letters beyond ASCII unescaped, `pU2f` is
percent-encoding with upper-case digits and a plain `/`, `bsp` is base64 of the standard alphabet with padding.

`fc_callback.payload.json_layers` reads JSON that is wrapped in such texts as a whole, and does not write it again.
"""

from __future__ import annotations

import binascii
import json
import re
from typing import TYPE_CHECKING, NamedTuple

from fc_callback.values.spellings import decoded, unquoted_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_JSON_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_PERCENT_CODES = re.compile(r"(?:%[0-9a-fA-F]{2})+")
# Of base64: the standard alphabet, the one for URLs, in lines, and what mixes them.
_LETTERS = tuple(
    re.compile(f"{letters}*")
    for letters in ("[A-Za-z0-9+/]", "[A-Za-z0-9_-]", r"[\r\nA-Za-z0-9+/]", r"[\r\nA-Za-z0-9+/_-]")
)
_BASE64_KIND = re.compile(r"b([su])([pn])(\d*)(r?)")


class Decoded(NamedTuple):
    """A decoded text, and how it was encoded."""

    text: str
    how: str


class Base64Run(NamedTuple):
    """Base64 from `start` to `end` of a text."""

    start: int
    end: int
    decoded: Decoded


class Quoting(NamedTuple):
    """An encoding of single characters: the pattern that finds it in a text, and the function that decodes it."""

    pattern: re.Pattern[str]
    decode: Callable[[str], Decoded | None]


def encode(how: str, text: str) -> str:
    """Encode a text.

    Args:
        how: How, as `Decoded` says it.
        text: The text.
    """
    if how[0] == "j":
        return _as_json(text, how)
    return _percent_encoded(text, how) if how[0] == "p" else _as_base64(text, how)


def _decode_json(literal: str) -> Decoded | None:
    try:
        text = json.loads(literal, strict=False)
    except ValueError:
        return None
    how, upper, more = "u", "l", set()
    for code, sign in _JSON_ESCAPE.findall(literal):
        letter = chr(int(code, 16)) if code else sign
        if code and code != code.lower():
            upper = "U"
        if letter > "~":
            how = "a"
        elif letter == "/" and not code:
            more.add("\\")  # means the escape that only a slash may have
        elif code and letter.isprintable() and not letter.isalnum() and letter not in '"\\':
            more.add(letter)
    return Decoded(text, f"j{how}{upper}{_hex(more)}")


def _as_json(text: str, how: str) -> str:
    quoted = json.dumps(text, ensure_ascii=how[1] == "a")
    form = "\\u{:04X}" if how[2] == "U" else "\\u{:04x}"
    if how[2] == "U":
        quoted = _JSON_ESCAPE.sub(lambda code: form.format(int(code[1], 16)) if code[1] else code[0], quoted)
    for sign in _unhex(how[3:]):
        quoted = quoted.replace("/", "\\/") if sign == "\\" else quoted.replace(sign, form.format(ord(sign)))
    return quoted


def _decode_percent(run: str) -> Decoded | None:
    if "%" not in run:
        return None
    text = _PERCENT_CODES.sub(lambda codes: unquoted_bytes(codes[0]).decode("utf-8", "surrogateescape"), run)
    codes = "".join(_PERCENT_CODES.findall(run))
    left = set(_PERCENT_CODES.sub("", run)) - _UNRESERVED
    return Decoded(text, f"p{'l' if codes != codes.upper() else 'U'}{_hex(left)}")


def _percent_encoded(text: str, how: str) -> str:
    left = _UNRESERVED | set(_unhex(how[2:]))
    form = "%{:02X}" if how[1] == "U" else "%{:02x}"
    return "".join(sign if sign in left else "".join(form.format(byte) for byte in _utf8(sign)) for sign in text)


def base64_around(text: str, start: int, end: int, *, holds: Callable[[str], bool]) -> Base64Run | None:
    """Return the base64 around a part of a text; None if there is none that `holds` accepts.

    Args:
        text: The text.
        start: Where the part begins.
        end: Where it ends.
        holds: Says whether a decoded text is the right one: base64 may begin anywhere in a run of its letters.
    """
    runs = [_base64_run(text, start, end, letters, holds) for letters in _LETTERS]
    # The letters around the part may belong to the base64 or not: prefer a run that encodes again as it was, and is a text.
    return max((run for run in runs if run), key=lambda run: _merits(run, text), default=None)


def _merits(run: Base64Run, text: str) -> tuple[bool, bool, int]:
    is_text = not any("\udc80" <= sign <= "\udcff" for sign in run.decoded.text)
    return encode(run.decoded.how, run.decoded.text) == text[run.start : run.end], is_text, run.end - run.start


def _base64_run(
    text: str, start: int, end: int, letters: re.Pattern[str], holds: Callable[[str], bool]
) -> Base64Run | None:
    if letters.fullmatch(text, start, end) is None:
        return None
    before, after = letters.match(text[:start][::-1]), letters.match(text, end)
    begin, stop = start - (before.end() if before else 0), after.end() if after else end
    while text[stop - 1] in "\r\n":
        stop -= 1
    for offset in range(begin, begin + 4):
        run = re.sub(r"[\r\n]", "", text[offset:stop])
        if holds(decoded(run)):
            return _run_of(text, offset, stop, run)
    return None


def _run_of(text: str, start: int, end: int, letters: str) -> Base64Run:
    if len(letters) % 4 == 1:
        letters, end = letters[:-1], end - 1
    missing = -len(letters) % 4
    is_padded = text[end : end + missing] == "=" * missing
    if not missing:  # only its surroundings tell whether the encoder pads: a JWT, with dots, has no padding
        is_padded = "." not in text[max(start - 1, 0) : start] + text[end : end + 1]
    is_url_safe = "-" in letters or "_" in letters or not (is_padded or "+" in letters or "/" in letters)
    lines = text[start:end].splitlines()
    folded = f"{len(lines[0])}{'r' if chr(13) in text[start:end] else ''}" if len(lines) > 1 else ""
    held = decoded(letters).encode("latin-1").decode("utf-8", "surrogateescape")
    how = f"b{'u' if is_url_safe else 's'}{'p' if is_padded else 'n'}{folded}"
    return Base64Run(start, end + (missing if is_padded else 0), Decoded(held, how))


def _as_base64(text: str, how: str) -> str:
    kind = _BASE64_KIND.fullmatch(how)
    written = binascii.b2a_base64(_utf8(text), newline=False).decode()
    if kind is None:
        return written
    if kind[1] == "u":
        written = written.replace("+", "-").replace("/", "_")
    if kind[2] == "n":
        written = written.rstrip("=")
    if kind[3]:
        width = int(kind[3])
        lines = [written[at : at + width] for at in range(0, len(written), width)]
        written = ("\r\n" if kind[4] else "\n").join(lines)
    return written


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate of the text's own
        return text.encode("utf-8", "surrogatepass")


def _hex(signs: set[str]) -> str:
    return "".join(sorted(signs)).encode().hex()


def _unhex(codes: str) -> str:
    return bytes.fromhex(codes).decode()


QUOTINGS = (
    Quoting(re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL), _decode_json),
    # From the strictest to the most lenient encoder: a `=` may belong to the query, or to the token.
    Quoting(re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9a-fA-F]{2})+"), _decode_percent),
    Quoting(re.compile(r"(?:[A-Za-z0-9._~/+-]|%[0-9a-fA-F]{2})+"), _decode_percent),
    Quoting(re.compile(r"(?:[A-Za-z0-9._~/+=!*'(),:@-]|%[0-9a-fA-F]{2})+"), _decode_percent),
)
