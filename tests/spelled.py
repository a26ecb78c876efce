"""The spellings of a secret that a mask must know, and the plainest means to undo them: no code of the package's."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote

if TYPE_CHECKING:
    from collections.abc import Callable


def as_json(token: str) -> str:
    return json.dumps({"order": 7, "taskToken": token})


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def lower_escapes(text: str) -> str:
    return re.sub("%..", lambda code: code[0].lower(), quote(text, safe=""))


# What a function may put into its Output of the token it was given: the member `text` of it.
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda token: token,
    "base64 of JSON": lambda token: in_base64(as_json(token)),
    "base64 of JSON, one byte on": lambda token: in_base64("x" + as_json(token)),
    "base64 of JSON, two bytes on": lambda token: in_base64("xy" + as_json(token)),
    "base64 for URLs": lambda token: base64.urlsafe_b64encode(f"\xbf\xbe?>{as_json(token)}".encode()).decode(),
    "base64 without padding": lambda token: in_base64(f"{as_json(token)}...").rstrip("="),
    "base64 in lines": lambda token: base64.encodebytes(as_json(token * 2).encode()).decode(),
    "base64 twice": lambda token: in_base64(in_base64(as_json(token))),
    "base64 in a URL": lambda token: f"https://x/?b={quote(in_base64(as_json(token)), safe='')}&c=2",
    "percent escapes": lambda token: f"https://x/?t={quote(token, safe='')}&n=1",
    "lower-case percent escapes": lambda token: f"https://x/?t={lower_escapes(token)}&n=1",
    "percent escapes twice": lambda token: quote(quote(token, safe=""), safe=""),
    "percent escapes of JSON": lambda token: quote(as_json(token), safe=""),
    "a form's escapes": quote_plus,
    "quoted": as_json,
    "quoted twice": lambda token: json.dumps({"body": as_json(token)}),
    "quoted three times": lambda token: json.dumps(json.dumps({"body": as_json(token)})),
    "a key": lambda token: json.dumps({token: {token: 1}}),
    "escapes of signs": lambda token: as_json(token).replace("=", r"\u003d").replace("+", r"\u002b"),
    "escapes of signs in upper case": lambda token: as_json(token).replace("=", r"\u003D").replace("/", r"\u002F"),
    "escaped slashes": lambda token: as_json(token).replace("/", r"\/"),
    "escapes of JSON in percent escapes": lambda token: quote(json.dumps(as_json(token)), safe=""),
}


def opened(text: str, depth: int = 4) -> str:
    """Return a text and all that can be decoded from it, by the plainest means: this is no code of the package's."""
    if not depth:
        return text
    inside = [
        unquote(text),
        re.sub(r"\\\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text).replace("\\\\", ""),
    ]
    for run in re.findall(r"[A-Za-z0-9+/_-]{24,}", text.replace("\\n", "").replace("\n", "")):
        for at in range(4):
            part = run[at:].replace("-", "+").replace("_", "/")
            inside.append(base64.b64decode(part[: len(part) // 4 * 4]).decode("latin-1"))
    return "\n".join([text, *(opened(one, depth - 1) for one in set(inside) if one != text)])
