"""What the service sends back: documents, errors, and what its headers say."""

from __future__ import annotations

import json
import re
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from fc_callback.cloudflow.errors import BY_CODE, EXCERPT_CHARACTERS, CloudFlowError, error_for
from fc_callback.redaction import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fc_callback.transport import Answer

# A clock that differs by more than this is not corrected: the `Date` is more likely wrong than the machine.
MOST_CLOCK_OFFSET_SECONDS = 24 * 3600.0

_SIGNS = {"RequestId", "EventId"}  # what every document of the service has one of
_MESSAGE_CHARACTERS = 1000
_NAME_CHARACTERS = 128
# What a request's id and a code are made of. Anything else in their place is masked like a message.
_REQUEST_ID = re.compile(r"[0-9A-Fa-f]+(-[0-9A-Fa-f]+)*")
_CODE = re.compile(r"[A-Za-z]+(\.[A-Za-z]+)*")
# Long runs of the letters that base64 and key ids are made of.
_LONG_RUN = re.compile(r"[A-Za-z0-9+/_%.=-]{24,}")


def read_document(action: str, answer: Answer, *, secrets: Iterable[str] = ()) -> dict[str, Any] | CloudFlowError:
    """Return the document of a successful answer, or the error that it is.

    The error is for the caller to raise: tools that record the local variables of a traceback's frames would find the
    unmasked answer in this one.

    Args:
        action: The operation, for the error.
        answer: What came back.
        secrets: What the request held: an error answer may repeat it.
    """
    document = _json_object(answer.body)
    code = "" if document is None else _text(document, "Code", "code")
    if answer.status == 200 and document is not None and not code and document.keys() & _SIGNS:  # noqa: PLR2004
        return document
    masks = _Masks(secrets)
    if document is None or not code:
        message = f"no error document of CloudFlow, but {_excerpt(answer, masks)}"
        request_id = answer.headers.get("x-acs-request-id", "")
    else:
        message = masks.text(_text(document, "Message", "message"))[:_MESSAGE_CHARACTERS]
        request_id = _text(document, "RequestId", "requestId")
    return error_for(
        action=action,
        status=answer.status,
        code=code if code in BY_CODE else masks.name(code, _CODE),
        service_message=message,
        request_id=masks.name(request_id, _REQUEST_ID),
        retry_after_seconds=retry_after_seconds(answer.headers),
    )


def request_id_of(document: Mapping[str, Any]) -> str:
    """Return the RequestId of a document, masked where it is none."""
    given = _text(document, "RequestId")
    is_one = len(given) <= _NAME_CHARACTERS and _REQUEST_ID.fullmatch(given)
    return given if is_one else _Masks(()).name(given, _REQUEST_ID)


class _Masks:
    """Masks what the request held, the secrets of the running invocation, and what looks like a token or a key."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(secrets)

    def text(self, text: str) -> str:
        """Return a text with its secrets masked."""
        return _LONG_RUN.sub(lambda run: f"{run[0][:4]}***", self._known(text))

    def name(self, text: str, expected: re.Pattern[str]) -> str:
        """Return an id or a code of the expected form as it is; anything else masked, on one line, and cut."""
        known = self._known(text)
        if len(known) <= _NAME_CHARACTERS and expected.fullmatch(known):
            return known
        return self.text(_one_line(text))[:_NAME_CHARACTERS]

    def _known(self, text: str) -> str:
        return mask_secrets(text, also=self._secrets)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _text(document: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := document.get(name), str)), "")


def _excerpt(answer: Answer, masks: _Masks) -> str:
    text = _one_line(answer.body[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace"))
    if not text:
        return "an empty body"
    kind = masks.text(_one_line(answer.headers.get("content-type", "no content type").split(";")[0]))
    return f"{kind[:EXCERPT_CHARACTERS]}: {masks.text(text)[:EXCERPT_CHARACTERS]!r}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def clock_offset_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how far the service's clock is ahead of this machine's, from its answer's `Date`; None where it cannot be."""
    theirs = _seconds_since_1970(headers.get("date", ""))
    if theirs is None:
        return None
    offset = theirs - time.time()
    return offset if abs(offset) <= MOST_CLOCK_OFFSET_SECONDS else None


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return what a `Retry-After` header asks for in seconds; None where there is none that can be read.

    Source: RFC 9110, section 10.2.3: a number of seconds or a date.
    """
    given = headers.get("retry-after", "").strip()
    if given.isdecimal():
        return float(given[:6])
    moment = _seconds_since_1970(given)
    return None if moment is None else max(0.0, moment - time.time())


def _seconds_since_1970(http_date: str) -> float | None:
    try:
        return parsedate_to_datetime(http_date).timestamp()
    except (TypeError, ValueError, OverflowError, OSError):
        return None
