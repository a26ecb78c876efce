"""Mask secrets in texts and values before they are written.

These are masked, wherever they stand:

- the secrets of the running invocation: its task token, access key secret and STS token, in every spelling (see
  `fc_callback.values.spellings`);
- what looks like a secret: task tokens (base64 of `v1#`), STS tokens, access key ids, JWTs, passwords in URLs;
- values under a telling name (`password`, `taskToken`, `x-acs-security-token`, and names of the person's own), in mappings
  and objects, and in texts that hold JSON, a repr, a query string or a header.
"""

from __future__ import annotations

import logging
import re
import sys
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from fc_callback.values import validators
from fc_callback.values.invocation import current_invocation, recent_secrets, running_task
from fc_callback.values.json_copy import MASK, is_maskable, json_copy
from fc_callback.values.record_text import PASSING_THROUGH, STANDARD, exception_text, message_of, text_of, writable
from fc_callback.values.spellings import Spellings, spellings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A name that ends in "token" or in one of these holds a secret,
NAMES = (
    "secret", "password", "passwd", "pwd", "passphrase", "authorization", "signature", "cookie",
    "api_key", "access_key_id", "access_key", "secret_key", "private_key", "credentials",
)  # fmt: skip
# unless it ends in one of these: they tell where the next page of a list begins.
PAGING_NAMES = ("next_token", "page_token", "continuation_token")
_PAGING = tuple(name.replace("_", "") for name in PAGING_NAMES)
# A text without any of these holds no telling name; they take less time than the pattern.
_HINTS = (
    "token", "secret", "passw", "pwd", "passph", "authoriz", "signature", "cookie", "api", "access", "private", "credentials",
)  # fmt: skip

_MOST_NAMES = 2000
_LONGEST_TEXT = 64 * 1024
_LONGEST_SECRET = 4096  # characters, however it is spelled


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
        self._names = checked_names("names", names)
        validators.flag("enabled", enabled)
        self.enabled = enabled
        self._plain_names = frozenset(map(_plain, self._names))
        self._hints = tuple({*_HINTS, *(_words(name)[0].lower() for name in self._names)})
        self._verdicts: dict[str, bool] = {}

    def text(self, text: str) -> str:
        """Return a text with every secret in it masked; a text far longer than a log takes is cut."""
        return self.line(self.by_name(text))

    def by_name(self, text: str) -> str:
        """Mask only the values under telling names in a text."""
        if len(text) > _LONGEST_TEXT:
            # The text is masked before the cut: half a secret, as a cut leaves it, is not recognized.
            text = f"{self.line(text[:_LONGEST_TEXT])[:-_LONGEST_SECRET]}..."
        if not self.enabled or ("=" not in text and ":" not in text):
            return text
        lower = text.lower()
        for hint in self._hints:
            if hint in lower:
                return _named_values(self._names).sub(_masked_value, text)
        return text

    def line(self, text: str) -> str:
        """Mask only the known secrets and what looks like a secret."""
        return mask_secrets(text) if self.enabled else text

    def value(self, value: Any) -> Any:
        """Return a copy of a value that JSON can hold, with secrets masked: see `json_copy`. This raises nothing."""
        return json_copy(value, self.text, self.is_secret)

    def value_by_name(self, value: Any) -> Any:
        """Do what `value` does, but mask only values under telling names."""
        return json_copy(value, self.by_name, self.is_secret)

    def members_by_name(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Do what `value_by_name` does for each field of a record."""
        copy: dict[str, Any] = {}
        by_name, is_secret, verdicts = self.by_name, self.is_secret, self._verdicts
        for name, value in fields.items():
            shown = name if name.isidentifier() else by_name(name)
            verdict = verdicts.get(name)
            if (is_secret(name) if verdict is None else verdict) and is_maskable(value):
                copy[shown] = MASK
            else:
                copy[shown] = json_copy(value, by_name, is_secret)
        return copy

    def entry_by_line(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Do what `line` does for each field of a record, after `members_by_name`."""
        return {self.line(name): json_copy(value, self.line, self.is_secret) for name, value in entry.items()}

    def is_secret(self, name: str) -> bool:
        """Say whether values under this name are secrets."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            plain = _plain(name)
            is_telling = plain.endswith(_endings()) and not plain.endswith(_PAGING)
            verdict = self.enabled and (is_telling or plain in self._plain_names)
            if len(self._verdicts) < _MOST_NAMES:
                self._verdicts[name] = verdict
        return verdict


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
    known = known_secrets(also)
    if not may_hold_secrets(text, known):
        return text
    pieces: list[str] = []
    done = 0
    for start, end in known.find(text, _shapes()):
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


def known_secrets(also: Iterable[str] = ()) -> Spellings:
    """Return the secrets of the running invocation and its task; outside of any, those this process has seen last."""
    invocation, task = current_invocation(), running_task()
    if invocation is None or invocation.ended:
        return spellings_of((*recent_secrets(), *also))
    kept = invocation.notes.get(known_secrets)
    if kept is None or kept[0] is not task:
        known = spellings_of(invocation.secrets)
        if task is not None:
            # A handler may have passed on another context, with other credentials.
            if task.context is not invocation.context:
                known = spellings_of((*invocation.secrets, *task.context.secrets))
            known = known.with_secret(task.token.secret)  # each task has another
        kept = invocation.notes[known_secrets] = task, known
    known = kept[1]
    for secret in also:
        known = known.with_secret(secret)
    return known


def may_hold_secrets(text: str, known: Spellings | None = None) -> bool:
    """Say whether `mask_secrets` has something to search for in a text; in nearly every text it has not.

    Args:
        text: The text.
        known: What `known_secrets` returned, where the caller has it.
    """
    # How what looks like a secret begins; twenty times as fast as the pattern.
    return (
        "djEj" in text or "CAIS" in text or "LTAI" in text or "STS." in text or "eyJ" in text
        or ("@" in text and ("://" in text or ":\\/" in text))
        or (known or known_secrets()).may_stand_in(text)
    )  # fmt: skip


# Patterns are compiled when something is found: they would take several milliseconds of a cold start.


@cache
def _shapes() -> re.Pattern[str]:
    """Return the pattern of what looks like a secret; the group, where there is one, or all of it."""
    base64 = "[A-Za-z0-9+/_-]"
    return re.compile(
        rf"djEj{base64}{{16,}}=*"  # a task token: base64 of "v1#..."
        rf"|CAIS{base64}{{24,}}=*"  # an STS token
        r"|\b(?:LTAI|STS\.)([A-Za-z0-9]{8,})"  # an access key's id: long-lived, STS
        r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){0,2}"  # a JWT: signed, or encrypted
        r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.(?:\.[A-Za-z0-9_-]+){3}"  # a JWT that is encrypted with a shared key
        r"|://[^\s/?#:@\"'\\]*:([^\s/?#\"'\\]+)@"  # a password in a URL
    )


@lru_cache(maxsize=16)
def _named_values(own: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern of a telling name and its value, two groups."""

    def spelled(name: str) -> str:
        return "[-_. ]?".join(map(re.escape, _words(name)))

    # How our errors speak of the option token=: `with token="a.b.c"`, `token='$.data[0].ticket'`, `token= must be a path`.
    path = r"(?:\$[.\[][^\"']*|[a-z_]{1,24}(?:\.[a-z_]{1,24}|\[\d{1,9}\])+)"
    our_hint = rf"(?<![\w.-])token=(?:\\*[\"']{path}\\*[\"']|(?-i: [a-z]{{1,10}} ))"
    paging = [name.removesuffix("_token") for name in PAGING_NAMES]
    before = "".join(rf"(?<!{name})(?<!{name}[-_. ])" for name in paging)
    names = [before + spelled("token"), *map(spelled, NAMES), *(rf"(?<![A-Za-z0-9]){spelled(name)}" for name in own)]
    name = rf"(?:{'|'.join(names)})"
    # `"password": x`, `password=x`; and `password: x` in prose only where x is quoted or has a digit in it.
    where = rf"{name}(?:\\*[\"']\s*[:=]|\s*=)\s*|{name}\s*:\s*(?=\\*[\"']|(?:bearer|basic)\s|[^\s\"']*\d)"
    quoted = r"""\\+"[^"]*|\\+'[^']*|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"""
    bare = r"""\{[^{}]*\}?|\[[^\[\]]*\]?|(?:(?:bearer|basic|acs[0-9a-z-]*)\s+)?[^\s"',;&(){}\[\]]+"""
    return re.compile(rf"(?!{our_hint})({where})(?!{re.escape(MASK)})({quoted}|{bare})", re.IGNORECASE | re.DOTALL)


def _masked_value(found: re.Match[str]) -> str:
    where, value = found[1], found[2]
    quote = value.lstrip("\\")[:1]
    if quote not in {'"', "'"}:
        return f"{where}{MASK}"
    slashes = value[: len(value) - len(value.lstrip("\\"))]
    end = "" if slashes and not value.endswith("\\") else slashes
    return f"{where}{slashes}{quote}{MASK}{end}{'' if slashes else quote}"


@cache
def _endings() -> tuple[str, ...]:
    return ("token", *map(_plain, NAMES))


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "").replace(".", "")


def _words(name: str) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z_]+|\d+", name) or [name]


class RedactionFilter(logging.Filter):
    """Masks secrets in the records of any handler: `handler.addFilter(RedactionFilter())`.

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
        except BaseException as error:  # noqa: BLE001 - no record passes unmasked, and none is lost
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
