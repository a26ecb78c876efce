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
import json
import logging
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fc_callback import validators
from fc_callback.invocation import LOG_FIELDS, LOG_TASK, RecordText, current_invocation, recent_secrets
from fc_callback.secret import Masked
from fc_callback.task import running_task
from fc_callback.token import TOKEN_START
from fc_callback.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MASK = "***"

# A key that ends in one of these holds a secret.
NAMES = (
    "token", "secret", "password", "passwd", "authorization", "signature", "cookie",
    "api_key", "access_key_id", "private_key", "credentials",
)  # fmt: skip
_HINTS = ("token", "secret", "passw", "authoriz", "signature", "cookie", "api", "access", "private", "credentials")

SHORTEST_SECRET = 8
_DEEPEST = 10
_MOST_NAMES = 2000
_MOST_CHARACTERS = 128 * 1024  # of one value, each part of which counts a little more than its text
_PART = 16
_LONGEST_TEXT = 64 * 1024
_LOWEST, _HIGHEST = -1.7e308, 1.7e308

_STARTS = (TOKEN_START, "CAIS", "LTAI", "STS.")  # of what looks like a secret
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLAIN_RUN, _BASE64_RUN = re.compile(r"[A-Za-z0-9._~-]{8,}"), re.compile(r"[A-Za-z0-9]{8,}")
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
        enabled: False leaves everything as it is.

    Raises:
        SettingsError: An argument cannot be used.
    """

    def __init__(self, names: Iterable[str] = (), *, enabled: bool = True) -> None:
        own = checked_names("names", names)
        validators.flag("enabled", enabled)
        self._enabled = enabled
        self._own = frozenset(_plain(name) for name in own)
        self._endings = tuple(_plain(name) for name in NAMES)
        self._hints = tuple({*_HINTS, *(_words(name)[0].lower() for name in own)})
        self._named = _named_values(own)
        self._verdicts: dict[str, bool] = {}

    def text(self, text: str) -> str:
        """Return a text with every secret in it masked; far beyond what a log takes, it is cut."""
        return self.line(self.by_name(text))

    def by_name(self, text: str) -> str:
        """Mask only what stands under a telling name in a text."""
        if len(text) > _LONGEST_TEXT:
            text = f"{text[:_LONGEST_TEXT]}..."
        if not self._enabled or ("=" not in text and ":" not in text):
            return text
        lower = text.lower()
        for hint in self._hints:
            if hint in lower:
                return self._named.sub(_masked_value, text)
        return text

    def line(self, text: str) -> str:
        """Mask only the secrets that are known and what looks like one; a line of JSON stays JSON."""
        return mask_secrets(text) if self._enabled else text

    def marks(self) -> tuple[str, ...]:
        """Return texts of which one stands in each that `line` changes here; nearly always none does."""
        return known_marks() if self._enabled else ()

    def value(self, value: Any) -> Any:
        """Return a copy of a value that JSON can hold, with secrets masked.

        Mappings, sequences, sets, and the fields of attrs, dataclass and pydantic objects are gone through; anything
        else becomes its text.
        """
        return self._copy(value, 0, [_MOST_CHARACTERS], self.text)

    def value_by_name(self, value: Any) -> Any:
        """Do what `value` does, but mask only what stands under a telling name: `line` does the rest."""
        kind = type(value)
        if kind is str:
            return self.by_name(value)
        if kind is int or kind is bool or value is None or (kind is float and _LOWEST < value < _HIGHEST):
            return value
        return self._copy(value, 0, [_MOST_CHARACTERS], self.by_name)

    def is_secret(self, name: str) -> bool:
        """Say whether what stands under this name is a secret."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            plain = _plain(name)
            verdict = self._enabled and (plain in self._own or plain.endswith(self._endings))
            if len(self._verdicts) < _MOST_NAMES:
                self._verdicts[name] = verdict
        return verdict

    def _copy(  # noqa: PLR0911 - one return for each kind of value
        self, value: Any, depth: int, left: list[int], mask: Callable[[str], str]
    ) -> Any:
        kind = type(value)
        if kind is str:
            left[0] -= len(value)
            return mask(value) if left[0] >= 0 else f"... ({len(value)} characters)"
        if value is None or kind is int or kind is bool:
            return value
        if kind is float:
            return value if _LOWEST < value < _HIGHEST else str(value)  # NaN and infinities are not JSON
        left[0] -= _PART
        if depth > _DEEPEST or left[0] < 0:
            return "..."
        if isinstance(value, dict):
            return self._members(value.items(), depth, left, mask)
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._copy(item, depth + 1, left, mask) for item in _bounded(value, left)]
        if hasattr(kind, "__members__"):  # an enum
            return self._copy(value.value, depth + 1, left, mask)
        names = None if isinstance(value, Masked) else _field_names(kind)
        if names is not None:
            return self._members(((name, getattr(value, name, None)) for name in names), depth, left, mask)
        return self._copy(_text_of(value), depth, left, mask)

    def _members(
        self, members: Iterable[tuple[Any, Any]], depth: int, left: list[int], mask: Callable[[str], str]
    ) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        for key, member in _bounded(members, left):
            name = key if type(key) is str else _text_of(key)
            safe = name if len(name) < SHORTEST_SECRET else mask(name)
            if member is not None and self.is_secret(name) and not isinstance(member, Masked):
                copy[safe] = MASK
            else:
                copy[safe] = self._copy(member, depth + 1, left, mask)
        return copy


def checked_names(option: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of an option whose values are masked.

    Raises:
        SettingsError: They are no texts, or one is empty without its separators.
    """
    example = f'Give a list of names, like {option}=["card_number", "iban"].'
    words = validators.texts(option, names, example)
    for word in words:
        if not _plain(word):
            validators.refuse(option, word, example)
    return words


def mask_secrets(text: str) -> str:
    """Mask the running invocation's secrets in a text, and what looks like a token or a key.

    What is replaced holds no quote and no half of an escape: a line of JSON stays one.
    """
    if not may_hold_secrets(text):
        return text
    for form in _all_forms(_known_secrets()):
        text = text.replace(form, MASK)
    return _SHAPES.sub(lambda shape: f"{shape[1] or ''}{MASK}", text)


def may_hold_secrets(text: str) -> bool:
    """Say whether `mask_secrets` has something to look for in a text; nearly always it has not."""
    return holds_one(text, known_marks())


def holds_one(text: str, marks: tuple[str, ...]) -> bool:
    """Say whether one of these marks stands in a text."""
    for mark in marks:  # noqa: SIM110 - many lines come here, and a generator takes longer
        if mark in text:
            return True
    return False


def known_marks() -> tuple[str, ...]:
    """Return texts of which one stands in each text that holds a secret of this invocation, or what looks like one."""
    invocation = current_invocation()
    if invocation is None or invocation.ended:
        return _all_marks(recent_secrets())
    task = running_task()
    if task is None or task.token.secret.startswith(TOKEN_START):  # what tokens begin with is a mark always
        return _all_marks(invocation.secrets)
    return _all_marks((*invocation.secrets, task.token.secret))


def _known_secrets() -> tuple[str, ...]:
    invocation = current_invocation()
    if invocation is None or invocation.ended:
        return recent_secrets()
    task = running_task()
    return invocation.secrets if task is None else (*invocation.secrets, task.token.secret)


@lru_cache(maxsize=16)
def _all_marks(secrets: tuple[str, ...]) -> tuple[str, ...]:
    marks = [mark for secret in secrets for mark in _marks(secret)]
    return tuple(dict.fromkeys([*marks, *_STARTS, *_cores(TOKEN_START)]))


def _marks(secret: str) -> tuple[str, ...]:
    """Return texts of which one stands in each form of a secret.

    Nearly every line holds no secret, and each has to be searched: for four marks of a secret instead of its ten forms.
    A run of unreserved characters is the same in all its spellings; a run of letters and digits in both alphabets of base64.
    """
    if len(secret) < SHORTEST_SECRET:
        return ()
    if secret.startswith(_STARTS[:2]):  # the beginning is the same in all spellings, and in base64 it is what it is
        return secret[:4], *_cores(secret[:4])
    plain = _PLAIN_RUN.search(secret)
    if plain is None:
        return _forms(secret)
    marks = [plain[0]]
    for core in _cores(secret):
        if core.isalnum():  # as it nearly always is, where the secret is base64 itself
            marks.append(core)
            continue
        run = _BASE64_RUN.search(core)
        if run is None:
            return _forms(secret)
        marks.append(run[0])
    return tuple(marks)


@lru_cache(maxsize=16)
def _all_forms(secrets: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(form for secret in secrets for form in _forms(secret))


@lru_cache(maxsize=64)
def _forms(secret: str) -> tuple[str, ...]:
    if len(secret) < SHORTEST_SECRET:  # masking it would tear texts apart
        return ()
    upper = "".join(sign if sign in _UNRESERVED else _percent(sign) for sign in secret)
    lower = re.sub("%..", lambda code: code[0].lower(), upper)
    plus = upper.replace("%20", "+"), lower.replace("%20", "+")  # as forms write a space
    escaped = json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], secret.replace("/", "\\/")
    inside = (spelled for core in _cores(secret) for spelled in (core, core.replace("+", "-").replace("/", "_")))
    return tuple(dict.fromkeys((secret, upper, lower, *plus, *escaped, *inside)))


def _percent(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", "surrogatepass"))


def _cores(secret: str) -> Iterator[str]:
    """Yield what is always seen of a secret inside of a longer text's base64, at each of its three alignments."""
    data = secret.encode("utf-8", "surrogatepass")
    for before, cut in ((0, 0), (1, 2), (2, 3)):
        encoded = binascii.b2a_base64(b" " * before + data, newline=False).decode()
        yield encoded[cut : (before + len(data)) * 8 // 6]


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
    if issubclass(kind, Value):
        return kind.shown_fields()
    fields = getattr(kind, "__attrs_attrs__", None)
    if fields is not None:
        return tuple(field.name for field in fields if field.repr)
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields is not None:
        return tuple(name for name, field in fields.items() if field.repr)
    fields = getattr(kind, "model_fields", None)  # pydantic
    return tuple(name for name, field in fields.items() if field.repr) if isinstance(fields, dict) else None


def _bounded(items: Iterable[Any], left: list[int]) -> Iterator[Any]:
    for item in items:
        left[0] -= _PART
        if left[0] < 0:
            return
        yield item


def _text_of(value: object) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value[:_LONGEST_TEXT]).decode("utf-8", "replace")
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
        fields = {
            name: value
            for name, value in record.__dict__.items()
            if name not in _STANDARD and name != LOG_FIELDS and not isinstance(value, RecordText)
        }
        for name, value in fields.items():
            masked.__dict__[name] = MASK if self._redactor.is_secret(name) else self._redactor.value(value)
        if LOG_FIELDS in record.__dict__:
            masked.__dict__[LOG_FIELDS] = self._redactor.value(record.__dict__[LOG_FIELDS])
        if isinstance(record.__dict__.get(LOG_TASK), RecordText):
            masked.__dict__[LOG_FIELDS] = self._redactor.value(json.loads(masked.__dict__.pop(LOG_TASK)))
        return masked


# How many attributes a record has of its own: what `extra=` puts there comes after them.
OWN_COUNT = len(logging.makeLogRecord({}).__dict__)
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
NOT_BROUGHT = _STANDARD | {LOG_FIELDS, LOG_TASK, "request_id"}  # the runtime's own handler puts its id on every record


def brought(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields that a call put on its record, by `extra=` or as keyword arguments of `Logger`'s."""
    own = record.__dict__
    fields = {name: own[name] for name in [*own][OWN_COUNT:] if name not in NOT_BROUGHT}
    if LOG_FIELDS in own:
        fields.update(own[LOG_FIELDS])
    task = own.get(LOG_TASK)
    if isinstance(task, RecordText):
        fields.update(json.loads(task))
    elif task is not None:
        fields[LOG_TASK] = task
    return fields


def message_of(record: logging.LogRecord) -> str:
    """Return a record's message; where its arguments do not fit it, both as they are."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a wrong format string, or a person's own __str__: the line must still come
        return f"{_text_of(record.msg)} {_text_of(record.args)}"
