"""Secrets out of texts and values, before they are written.

Masked are, wherever they stand:

- the secrets of the running invocation: its task token, access key secret and STS token, in every spelling (see
  `fc_callback.values.spellings`);
- what looks like one: task tokens (base64 of `v1#`), STS tokens, access key ids, JWTs, passwords in URLs;
- values under a telling name (`password`, `taskToken`, `x-acs-security-token`, and the person's own), in mappings and
  objects, and in texts that hold JSON, a repr, a query string or a header.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any

from fc_callback.values import validators
from fc_callback.values.base import Value
from fc_callback.values.invocation import current_invocation, recent_secrets, running_task
from fc_callback.values.masked import Masked
from fc_callback.values.record_text import (
    MOST_BITS,
    PASSING_THROUGH,
    STANDARD,
    exception_text,
    message_of,
    text_of,
    writable,
)
from fc_callback.values.spellings import SHORTEST_SECRET, Spellings, spellings_of
from fc_callback.values.token import TOKEN_START

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

MASK = "***"

# A name that ends in "token" or in one of these holds a secret,
NAMES = (
    "secret", "password", "passwd", "pwd", "passphrase", "authorization", "signature", "cookie",
    "api_key", "access_key_id", "access_key", "secret_key", "private_key", "credentials",
)  # fmt: skip
# unless it ends in one of these: where the next page of a list begins.
PAGING_NAMES = ("next_token", "page_token", "continuation_token")
_PAGING = tuple(name.replace("_", "") for name in PAGING_NAMES)
_HINTS = (
    "token", "secret", "passw", "pwd", "passph", "authoriz", "signature", "cookie", "api", "access", "private", "credentials",
)  # fmt: skip

_DEEPEST = 10
_MOST_NAMES = 2000
_MOST_CHARACTERS = 128 * 1024  # of one value, each part of which counts a little more than its text
_PART = 16
_LONGEST_TEXT = 64 * 1024
_LOWEST, _HIGHEST = -1.7e308, 1.7e308
_PLAIN_INT = 10**7  # a number below has fewer digits than a secret has characters
_LONGEST_SECRET = 4096  # characters, however it is spelled

# How what looks like a secret starts, after a character of it that few texts hold: one is looked for in no time.
_STARTS = (("E", TOKEN_START), ("C", "CAIS"), ("L", "LTAI"), ("S", "STS."), ("J", "eyJ"))
_BASE64 = "[A-Za-z0-9+/_-]"
_SHAPES = re.compile(
    rf"djEj{_BASE64}{{16,}}=*"  # a task token: base64 of "v1#..."
    rf"|CAIS{_BASE64}{{24,}}=*"  # an STS token
    r"|\b(?:LTAI|STS\.)([A-Za-z0-9]{8,})"  # an access key's id: long-lived, STS
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){0,2}"  # a JWT: signed, or encrypted
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.(?:\.[A-Za-z0-9_-]+){3}"  # a JWT that is encrypted with a shared key
    r"|://[^\s/?#:@\"'\\]*:([^\s/?#\"'\\]+)@"  # a password in a URL
)
# How our errors speak of the option token=: `with token="a.b.c"`, `token='$.data[0].ticket'`, `token= must be a path`.
_PATH = r"(?:\$[.\[][^\"']*|[a-z_]{1,24}(?:\.[a-z_]{1,24}|\[\d{1,9}\])+)"
_OUR_HINT = rf"(?<![\w.-])token=(?:\\*[\"']{_PATH}\\*[\"']|(?-i: [a-z]{{1,10}} ))"
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
        self._endings = ("token", *map(_plain, NAMES))
        self._hints = tuple({*_HINTS, *(_words(name)[0].lower() for name in own)})
        self._named = _named_values(own)
        self._verdicts: dict[str, bool] = {}

    def text(self, text: str) -> str:
        """Return a text with every secret in it masked; far beyond what a log takes, it is cut."""
        return self.line(self.by_name(text))

    def by_name(self, text: str) -> str:
        """Mask only what stands under a telling name in a text."""
        if len(text) > _LONGEST_TEXT:
            # Masked before it is cut further: at a cut stands the first half of a secret, which is not recognised.
            text = f"{self.line(text[:_LONGEST_TEXT])[:-_LONGEST_SECRET]}..."
        if not self._enabled or ("=" not in text and ":" not in text):
            return text
        lower = text.lower()
        for hint in self._hints:
            if hint in lower:
                return self._named.sub(_masked_value, text)
        return text

    def line(self, text: str) -> str:
        """Mask only the secrets that are known and what looks like one."""
        return mask_secrets(text) if self._enabled else text

    def may_change(self, line: str) -> bool:
        """Say whether `line` is worth calling; nearly always it is not."""
        return self._enabled and may_hold_secrets(line)

    def value(self, value: Any) -> Any:
        """Return a copy of a value that JSON can hold, with secrets masked.

        Mappings, sequences, sets, and the fields of attrs, dataclass and pydantic objects are gone through; anything
        else becomes its text. What cannot be read (it raises, or changes meanwhile) is named by its class; no error
        comes out of here.
        """
        return self._copy(value, 0, [_MOST_CHARACTERS], self.text)

    def value_by_name(self, value: Any) -> Any:
        """Do what `value` does, but mask only what stands under a telling name."""
        kind = type(value)
        if kind is str:
            return self.by_name(value)
        if (kind is int or kind is float) and -_PLAIN_INT < value < _PLAIN_INT:
            return value
        return self._copy(value, 0, [_MOST_CHARACTERS], self.by_name)

    def members_by_name(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Do what `value_by_name` does, for the fields of a record: there is room for each of them."""
        copy: dict[str, Any] = {}
        for name, value in fields.items():
            shown = name if name.isidentifier() else self.by_name(name)
            if self.is_secret(name) and value is not None and not issubclass(type(value), Masked):
                copy[shown] = MASK
            else:
                copy[shown] = self.value_by_name(value)
        return copy

    def entry_by_line(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Do the rest of what `value` does, for each field of a record: known secrets, and what looks like one."""
        return {self.line(name): self._copy(value, 0, [_MOST_CHARACTERS], self.line) for name, value in entry.items()}

    def is_secret(self, name: str) -> bool:
        """Say whether what stands under this name is a secret."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            plain = _plain(name)
            verdict = self._enabled and (
                plain in self._own or (plain.endswith(self._endings) and not plain.endswith(_PAGING))
            )
            if len(self._verdicts) < _MOST_NAMES:
                self._verdicts[name] = verdict
        return verdict

    def _copy(self, value: Any, depth: int, left: list[int], mask: Callable[[str], str]) -> Any:
        kind = type(value)
        if kind is str:
            left[0] -= len(value)
            return mask(value) if left[0] >= 0 else f"... ({len(value)} characters)"
        if value is None or kind is bool:
            return value
        if kind is int or kind is float:
            return self._number(value, mask)
        left[0] -= _PART
        if depth > _DEEPEST or left[0] < 0:
            return "..."
        try:
            return self._copy_of(value, kind, depth, left, mask)
        except PASSING_THROUGH:
            raise
        except BaseException:  # noqa: BLE001 - a person's object may do anything; the log must still be written
            return self._copy(text_of(value), depth, left, mask)

    def _copy_of(self, value: Any, kind: type, depth: int, left: list[int], mask: Callable[[str], str]) -> Any:
        # Of the type: what an object says of itself in `__class__` may be anything.
        if issubclass(kind, dict):
            return self._members(value.items(), depth, left, mask)
        if issubclass(kind, (list, tuple, set, frozenset)):
            return [self._copy(item, depth + 1, left, mask) for item in _bounded(value, left)]
        if hasattr(kind, "__members__"):  # an enum
            return self._copy(value.value, depth + 1, left, mask)
        names = None if issubclass(kind, Masked) else _field_names(kind)
        if names is not None:
            return self._members(((name, _field(value, name)) for name in names), depth, left, mask)
        return self._copy(text_of(value), depth, left, mask)

    def _members(
        self, members: Iterable[tuple[Any, Any]], depth: int, left: list[int], mask: Callable[[str], str]
    ) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        for key, member in _bounded(members, left):
            name = key if type(key) is str else text_of(key)
            safe = name if len(name) < SHORTEST_SECRET else mask(name)
            if member is not None and self.is_secret(name) and not issubclass(type(member), Masked):
                copy[safe] = MASK
            else:
                copy[safe] = self._copy(member, depth + 1, left, mask)
        return copy

    @staticmethod
    def _number(value: float, mask: Callable[[str], str]) -> Any:
        if -_PLAIN_INT < value < _PLAIN_INT:
            return value
        if type(value) is int and value.bit_length() > MOST_BITS:
            return text_of(value)
        text = str(value)
        masked = mask(text)  # a secret may consist of digits
        if masked != text:
            return masked
        return value if type(value) is int or _LOWEST < value < _HIGHEST else text  # NaN and infinities are not JSON


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


def mask_secrets(text: str, *, also: Iterable[str] = ()) -> str:
    """Mask the running invocation's secrets in a text, in every spelling, and what looks like a token, a key or a password.

    What is replaced holds no quote and no half of an escape: a line of JSON stays one.

    Args:
        text: The text.
        also: Further secrets that are masked.
    """
    spellings = _known_spellings(tuple(also))
    if not (spellings.may_stand_in(text) or _may_hold_shapes(text)):
        return text
    pieces: list[str] = []
    done = 0
    for start, end in spellings.find(text, _SHAPES):
        pieces += text[done:start], MASK
        done = end
    return "".join((*pieces, text[done:]))


def mask_foreign_text(text: str, *, also: Iterable[str] = ()) -> str:
    """Mask what `mask_secrets` masks, and of each other run of 24 or more letters of base64 all but its first four.

    For texts that another service sent: they may repeat a secret in a form that nothing else recognizes.

    Args:
        text: The text.
        also: Further secrets that are masked.
    """
    return re.sub(r"[A-Za-z0-9+/_%.=-]{24,}", lambda run: f"{run[0][:4]}{MASK}", mask_secrets(text, also=also))


def masked_traceback(error: BaseException) -> str:
    """Return an exception with its traceback as Python writes it, with secrets masked; this raises nothing."""
    return mask_secrets(exception_text((type(error), error, error.__traceback__)))


def may_hold_secrets(text: str) -> bool:
    """Say whether `mask_secrets` has something to look for in a text; nearly always it has not."""
    return _known_spellings(()).may_stand_in(text) or _may_hold_shapes(text)


def _may_hold_shapes(text: str) -> bool:
    for character, start in _STARTS:
        if character in text and start in text:
            return True
    return "@" in text and ("://" in text or ":\\/" in text)


def _known_spellings(also: tuple[str, ...]) -> Spellings:
    invocation = current_invocation()
    if invocation is None or invocation.ended:
        return spellings_of((*recent_secrets(), *also))
    task = running_task()
    return spellings_of(
        (*invocation.secrets, *also) if task is None else (*invocation.secrets, task.token.secret, *also)
    )


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "").replace(".", "")


def _words(name: str) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z_]+|\d+", name) or [name]


def _named_values(own: tuple[str, ...]) -> re.Pattern[str]:
    def spelled(name: str) -> str:
        return "[-_. ]?".join(map(re.escape, _words(name)))

    paging = [name.removesuffix("_token") for name in PAGING_NAMES]
    before = "".join(rf"(?<!{name})(?<!{name}[-_. ])" for name in paging)
    names = [before + spelled("token"), *map(spelled, NAMES), *(rf"(?<![A-Za-z0-9]){spelled(name)}" for name in own)]
    name = rf"(?:{'|'.join(names)})"
    # `"password": x`, `password=x`; and `password: x` in prose only where x is quoted or has a digit in it.
    where = rf"{name}(?:\\*[\"']\s*[:=]|\s*=)\s*|{name}\s*:\s*(?=\\*[\"']|(?:bearer|basic)\s|[^\s\"']*\d)"
    return re.compile(rf"(?!{_OUR_HINT})({where})(?!{re.escape(MASK)})({_QUOTED}|{_BARE})", re.IGNORECASE | re.DOTALL)


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


def _field(value: object, name: str) -> Any:
    try:
        return getattr(value, name, None)
    except PASSING_THROUGH:
        raise
    except BaseException as error:  # noqa: BLE001 - one field that raises does not cost the others
        return f"<{type(error).__name__}>"


def _bounded(items: Iterable[Any], left: list[int]) -> Iterator[Any]:
    """Yield as many items as there is room for; where they raise or change meanwhile, those before."""
    iterator = iter(items)
    while left[0] >= _PART:
        left[0] -= _PART
        try:
            item = next(iterator)
        except StopIteration:
            return
        except PASSING_THROUGH:
            raise
        except BaseException:  # noqa: BLE001
            return
        yield item


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
        own = masked.__dict__
        try:
            given = {name: value for name, value in own.items() if type(name) is not str or name not in STANDARD}
            own.update(self._masked(record, given))
            for name in given:
                if type(name) is not str:
                    del own[name]
        except PASSING_THROUGH:
            raise
        except BaseException as error:  # noqa: BLE001 - no record leaves here unmasked, and none is lost
            unmasked = f"<A record that could not be masked: {type(error).__name__}>"
            masked.__dict__ = {**logging.makeLogRecord({"msg": unmasked, "levelno": record.levelno}).__dict__}
            masked.name, masked.levelname = record.name, record.levelname
        return masked

    def _masked(self, record: logging.LogRecord, given: dict[Any, Any]) -> dict[str, Any]:
        redactor = self._redactor
        message = writable(redactor.text(message_of(record)))
        masked: dict[str, Any] = {"msg": message, "args": None, "exc_info": None}
        if "message" in record.__dict__:  # an earlier handler's formatter put it there
            masked["message"] = message
        trouble = record.exc_text or (record.exc_info and exception_text(record.exc_info))
        for name, text in (("exc_text", trouble), ("stack_info", record.stack_info)):
            masked[name] = writable(redactor.text(text_of(text))) if text else None
        for name, value in given.items():
            shown = text_of(name)
            masked[shown] = MASK if redactor.is_secret(shown) else redactor.value(value)
        return masked
