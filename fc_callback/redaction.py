"""Secrets out of texts and values, before they are written.

Masked are, wherever they stand:

- the secrets of the running invocation: its task token, access key secret and STS token, also URL-encoded and inside of
  base64, as messages travel in it;
- what looks like one: task tokens (base64 of `v1#`), STS tokens, access key ids;
- values under a telling name (`password`, `taskToken`, `x-acs-security-token`, and the person's own), in mappings and
  objects, and in texts that hold JSON, a repr, a query string or a header.
"""

from __future__ import annotations

import binascii
import logging
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fc_callback.invocation import current_invocation, recent_secrets
from fc_callback.secret import Masked
from fc_callback.task import running_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MASK = "***"

# A key that ends in one of these holds a secret.
NAMES = (
    "token", "secret", "password", "passwd", "authorization", "signature", "cookie",
    "api_key", "access_key_id", "private_key", "credentials",
)  # fmt: skip
_HINTS = ("token", "secret", "passw", "authoriz", "signature", "cookie", "key", "credentials")

_SHORTEST_SECRET = 8
_DEEPEST = 10
_MOST_VALUES = 2000
_LONGEST_TEXT = 64 * 1024

_SAFE = r"(?:[A-Za-z0-9+/_-]|%2[BbFf]|\\/)"
_SHAPES = re.compile(
    rf"djEj{_SAFE}{{16,}}(?:=|%3[Dd])*"  # a task token: base64 of "v1#..."
    rf"|CAIS{_SAFE}{{24,}}(?:=|%3[Dd])*"  # an STS token
    r"|\b(LTAI|STS\.)[A-Za-z0-9]{8,}"  # an access key's id: long-lived, STS
)
_QUOTED = r"""\\+"[^"]*|\\+'[^']*|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"""
_BARE = r"""\{[^{}]*\}?|\[[^\[\]]*\]?|(?:(?:bearer|basic|acs[0-9a-z-]*)\s+)?[^\s"',;&(){}\[\]]+"""


class Redactor:
    """Masks secrets in texts and values.

    Args:
        names: Further names whose values are masked, whatever their case and separators: `card_number` is also
            `cardNumber` and `CARD-NUMBER`.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        own = tuple(names)
        if isinstance(names, str) or not all(isinstance(name, str) and _plain(name) for name in own):
            raise TypeError("The names to mask are given as a list of texts.")
        self._own = frozenset(_plain(name) for name in own)
        self._endings = tuple(_plain(name) for name in NAMES)
        self._hints = tuple({*_HINTS, *(_words(name)[0].lower() for name in own)})
        self._named = _named_values(own)
        self._verdicts: dict[str, bool] = {}

    def text(self, text: str) -> str:
        """Return a text with every secret in it masked; far beyond what a log takes, it is cut."""
        if len(text) > _LONGEST_TEXT:
            text = text[:_LONGEST_TEXT]
        return self.values_by_name(mask_secrets(text))

    def values_by_name(self, text: str) -> str:
        """Mask what stands under a telling name in a text."""
        lower = text.lower()
        for hint in self._hints:
            if hint in lower:
                return self._named.sub(_masked_value, text)
        return text

    def value(self, value: Any) -> Any:
        """Return a copy of a value that JSON can hold, with secrets masked.

        Mappings, sequences, sets, and the fields of attrs, dataclass and pydantic objects are gone through; anything
        else becomes its text.
        """
        return self._copy(value, 0, [_MOST_VALUES])

    def is_secret(self, name: str) -> bool:
        """Say whether what stands under this name is a secret."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            plain = _plain(name)
            verdict = plain in self._own or plain.endswith(self._endings)
            if len(self._verdicts) < _MOST_VALUES:
                self._verdicts[name] = verdict
        return verdict

    def _copy(self, value: Any, depth: int, left: list[int]) -> Any:
        kind = type(value)
        if kind is str:
            return self.text(value)
        if value is None or kind is int or kind is bool:
            return value
        if kind is float:
            return value if -1e308 < value < 1e308 else str(value)  # NaN and infinities are not JSON
        left[0] -= 1
        if depth > _DEEPEST or left[0] < 0:
            return "..."
        if isinstance(value, Masked):
            return str(value)
        if isinstance(value, dict):
            return self._members(value.items(), depth, left)
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._copy(item, depth + 1, left) for item in _bounded(value, left)]
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.text(bytes(value[:_LONGEST_TEXT]).decode("utf-8", "replace"))
        if hasattr(kind, "__members__"):  # an enum
            return self._copy(value.value, depth + 1, left)
        names = _field_names(kind)
        if names is not None:
            return self._members(((name, getattr(value, name, None)) for name in names), depth, left)
        return self.text(_text_of(value))

    def _members(self, members: Iterable[tuple[Any, Any]], depth: int, left: list[int]) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        for key, member in _bounded(members, left):
            name = key if type(key) is str else _text_of(key)
            safe = name if len(name) < _SHORTEST_SECRET else self.text(name)
            if member is not None and self.is_secret(name) and not isinstance(member, Masked):
                copy[safe] = MASK
            else:
                copy[safe] = self._copy(member, depth + 1, left)
        return copy


def mask_secrets(text: str) -> str:
    """Mask the running invocation's secrets in a text, and what looks like a token or a key.

    Nothing but letters, digits and signs of base64 is replaced: a line of JSON stays one.
    """
    for form in known_forms():
        if form in text:
            text = text.replace(form, MASK)
    if "djEj" in text or "CAIS" in text or "LTAI" in text or "STS." in text:
        return _SHAPES.sub(lambda shape: f"{shape[1] or ''}{MASK}", text)
    return text


def known_forms() -> Iterator[str]:
    """Yield the secrets that are known here, in each form in which they may stand in a text."""
    invocation = current_invocation()
    if invocation is None or invocation.ended:
        for secret in recent_secrets():
            yield from _forms(secret)
        return
    for secret in invocation.secrets:
        yield from _forms(secret)
    task = running_task()
    if task is not None:
        yield from _forms(task.token.secret)


@lru_cache(maxsize=64)
def _forms(secret: str) -> tuple[str, ...]:
    if len(secret) < _SHORTEST_SECRET:  # masking it would tear texts apart
        return ()
    upper = secret.replace("%", "%25").replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    lower = upper.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d")
    return tuple(dict.fromkeys((secret, upper, lower, secret.replace("/", "\\/"), *_inside_base64(secret))))


def _inside_base64(secret: str) -> Iterator[str]:
    """Yield what is always seen of a secret inside of a longer text's base64, at each of its three alignments."""
    data = secret.encode("utf-8", "surrogatepass")
    for before, cut in ((0, 0), (1, 2), (2, 3)):
        encoded = binascii.b2a_base64(b" " * before + data, newline=False).decode()
        core = encoded[cut : (before + len(data)) * 8 // 6]
        yield core
        yield core.replace("+", "-").replace("/", "_")


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "").replace(".", "")


def _words(name: str) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z_]+|\d+", name) or [name]


def _named_values(own: tuple[str, ...]) -> re.Pattern[str]:
    def spelled(name: str) -> str:
        return "[-_. ]?".join(map(re.escape, _words(name)))

    names = [*map(spelled, NAMES), *(rf"(?<![A-Za-z0-9]){spelled(name)}" for name in own)]
    name = rf"(?:{'|'.join(names)})"
    # `"password": x`, `password=x`; and `password: x` in prose only where x is quoted or has a digit in it.
    where = rf"{name}(?:\\*[\"']\s*[:=]|\s*=)\s*|{name}\s*:\s*(?=\\*[\"']|(?:bearer|basic)\s|[^\s\"']*\d)"
    return re.compile(rf"({where})(?!{re.escape(MASK)})({_QUOTED}|{_BARE})", re.IGNORECASE | re.DOTALL)


def _masked_value(found: re.Match[str]) -> str:
    where, value = found[1], found[2]
    quote = value.lstrip("\\")[:1]
    if quote not in {'"', "'"}:
        return f"{where}{MASK}"
    slashes = value[: len(value) - len(value.lstrip("\\"))]
    end = "" if slashes and not value.endswith("\\") else slashes
    return f"{where}{slashes}{quote}{MASK}{end}{'' if slashes else quote}"


def _field_names(kind: type) -> Iterable[str] | None:
    fields = getattr(kind, "__attrs_attrs__", None)
    if fields is not None:
        return tuple(field.name for field in fields if field.repr)
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields is not None:
        return tuple(name for name, field in fields.items() if field.repr)
    fields = getattr(kind, "__pydantic_fields__", None)
    return tuple(name for name, field in fields.items() if field.repr) if isinstance(fields, dict) else None


def _bounded(items: Iterable[Any], left: list[int]) -> Iterator[Any]:
    for item in items:
        left[0] -= 1
        if left[0] < 0:
            return
        yield item


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a person's own __str__ may do anything; the log must still be written
        return f"<{type(value).__name__} without text>"


class RedactionFilter(logging.Filter):
    """Masks secrets in the records of anyone's handler: `handler.addFilter(RedactionFilter())`.

    The record's message, arguments, extra fields and exception are replaced by masked ones; the exception becomes text.
    From Python 3.12 on that is done to a copy; before, handlers that come later see the masked record too.

    Args:
        names: As for `Redactor`.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        super().__init__()
        self._redactor = Redactor(names)

    def filter(self, record: logging.LogRecord) -> Any:
        """Mask a record, and let it pass."""
        masked = logging.makeLogRecord(record.__dict__) if sys.version_info >= (3, 12) else record
        masked.msg, masked.args = self._redactor.text(message_of(record)), None
        if record.exc_info and not record.exc_text:
            masked.exc_text = logging.Formatter().formatException(record.exc_info)
        masked.exc_info = None
        for name in ("exc_text", "stack_info"):
            text = getattr(masked, name)
            setattr(masked, name, self._redactor.text(text) if text else text)
        for name, value in extra_fields(record).items():
            masked.__dict__[name] = MASK if self._redactor.is_secret(name) else self._redactor.value(value)
        return masked


_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def extra_fields(record: logging.LogRecord) -> Mapping[str, Any]:
    """Return what `extra=` put into a record."""
    fields = record.__dict__
    if len(fields) <= len(_STANDARD) - 3 and fields.keys() <= _STANDARD:
        return {}
    return {name: value for name, value in fields.items() if name not in _STANDARD}


def message_of(record: logging.LogRecord) -> str:
    """Return a record's message; where its arguments do not fit it, both as they are."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a wrong format string, or a person's own __str__: the line must still come
        return f"{_text_of(record.msg)} {_text_of(record.args)}"
