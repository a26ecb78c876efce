"""Convert the scalars of YAML to values exactly as js-yaml 4.1 does, which Serverless Devs reads s.yaml with.

`yes`, `no`, `on`, `off` and `12:30:45` are texts, `0o17` is 15, `017` is 17, `1_000` is 1000. Source: js-yaml 4.1.0,
`lib/type/*.js`, which `s` 3.1.10 bundles. (js-yaml 4.3 reads a number with `_` as a text.)
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_OF_TYPE: Final = object()
"""What a reader of scalars returns for a text that does not have its form."""

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_RADIX = re.compile(r"([-+]?)0(?:b([01_]*[01])|o([0-7_]*[0-7])|x([0-9a-fA-F_]*[0-9a-fA-F]))")
_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*(?<!_)")
_DECIMAL = re.compile(
    r"(?:[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9_]+(?:[eE][-+]?[0-9]+)?)(?<!_)"
    r"|(?P<special>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
_TIMESTAMP = re.compile(
    r"(?P<year>\d{4})-(?:(?P<month>\d\d)-(?P<day>\d\d)|(?P<month1>\d\d?)-(?P<day1>\d\d?)(?:[Tt]|[ \t]+)"
    r"(?P<hour>\d\d?):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<fraction>\d*))?"
    r"(?:[ \t]*(?:Z|(?P<sign>[-+])(?P<zone_hour>\d\d?)(?::(?P<zone_minute>\d\d))?))?)",
    re.ASCII,
)
_LARGEST_PLAIN = 10**21  # JavaScript writes larger numbers with an exponent


def resolve_plain(text: str) -> Any:
    """Return the value of a scalar without quotes and without a tag: None, a bool, a number, a datetime or the text."""
    for read in (_word, _number, _timestamp):
        value = read(text)
        if value is not NOT_OF_TYPE:
            return value
    return text


def resolve_tagged(tag: str, text: str) -> Any:
    """Return the value of a scalar with a tag like `int`; NOT_OF_TYPE if the text is no such value.

    Raises:
        KeyError: js-yaml has no such tag for scalars.
    """
    return _TAGGED[tag](text)


def as_text(value: Any) -> str:
    """Return a value as JavaScript's `String()` does. Keys are such texts, and so are values inside of a text."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) < _LARGEST_PLAIN:
        return str(value)
    if isinstance(value, int | float):
        names = {math.inf: "Infinity", -math.inf: "-Infinity"}
        return "NaN" if math.isnan(value) else names.get(value) or re.sub(r"e([-+])0", r"e\1", repr(float(value)))
    if isinstance(value, list | bytes):
        return ",".join("" if each is None else as_text(each) for each in value)
    return "[object Object]" if isinstance(value, dict) else str(value)


def _word(text: str, kind: type | None = None) -> Any:
    value = _WORDS.get(text, NOT_OF_TYPE)
    return value if kind is None or isinstance(value, kind) else NOT_OF_TYPE


def _number(text: str) -> Any:
    """Return a number. JavaScript's numbers are doubles; a whole one becomes an int."""
    value: float
    if radix := _RADIX.fullmatch(text):
        digits, base = next((group, base) for group, base in zip(radix.groups()[1:], (2, 8, 16), strict=True) if group)
        whole = int(digits.replace("_", ""), base)
        value = math.inf if whole.bit_length() > 1024 else float(whole)  # noqa: PLR2004 - the range of a double
        value = -value if radix[1] == "-" else value
    elif decimal := _DECIMAL.fullmatch(text):
        try:
            value = float(text.lower().replace(".", "") if decimal["special"] else text.replace("_", ""))
        except ValueError:  # `._e1` has the form of a number, and no digits
            value = math.nan
    else:
        return NOT_OF_TYPE
    return int(value) if value.is_integer() else value


def _timestamp(text: str) -> Any:
    """Return a date in UTC. Months, days and hours out of range carry over, as in JavaScript's `Date.UTC`."""
    found = _TIMESTAMP.fullmatch(text)
    if not found:
        return NOT_OF_TYPE
    part = {name: int(value) for name, value in found.groupdict().items() if value and value.isdigit()}
    years, month = divmod(part.get("month", part.get("month1", 0)) - 1, 12)
    year = part["year"] + (1900 if part["year"] < 100 else 0)  # noqa: PLR2004 - Date.UTC takes 0 to 99 for 19xx
    offset = timedelta(hours=part.get("zone_hour", 0), minutes=part.get("zone_minute", 0))
    try:
        return (
            datetime(year + years, month + 1, 1, tzinfo=timezone.utc)
            + timedelta(days=part.get("day", part.get("day1", 0)) - 1, hours=part.get("hour", 0))
            + timedelta(minutes=part.get("minute", 0), seconds=part.get("second", 0))
            + timedelta(milliseconds=int((found["fraction"] or "")[:3].ljust(3, "0")))
            - (-offset if found["sign"] == "-" else offset)
        )
    except (OverflowError, ValueError):  # after the year 9999
        return NOT_OF_TYPE


def _binary(text: str) -> Any:
    try:
        return base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True)
    except binascii.Error:
        return NOT_OF_TYPE


_TAGGED: dict[str, Callable[[str], Any]] = {
    "str": str,
    "null": lambda text: _word(text, type(None)) if text else NOT_OF_TYPE,
    "bool": lambda text: _word(text, bool),
    "int": lambda text: _number(text) if _INTEGER.fullmatch(text) or _RADIX.fullmatch(text) else NOT_OF_TYPE,
    "float": lambda text: NOT_OF_TYPE if _RADIX.fullmatch(text) else _number(text),
    "timestamp": _timestamp,
    "binary": _binary,
    "merge": str,
}
