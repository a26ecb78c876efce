"""Reads the service's answers: documents, errors, and what the headers say about time."""

from __future__ import annotations

import json
import re
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from fc_callback.cloudflow.errors import BY_CODE, CloudFlowError
from fc_callback.errors import SettingsError
from fc_callback.redaction import mask_foreign_text, mask_secrets
from fc_callback.transport import Answer
from fc_callback.values import validators
from fc_callback.values.token import TaskToken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.values.context import Credentials

# A larger difference between the clocks is not corrected: more likely the `Date` is wrong than this machine's clock.
MOST_CLOCK_OFFSET_SECONDS = 24 * 3600.0

_SIGNS = {"RequestId", "EventId"}  # every document of the service has one of these
_MESSAGE_CHARACTERS = 1000
_EXCERPT_CHARACTERS = 200
_NAME_CHARACTERS = 128
# The forms of a request's id and of a code. Anything else in their place is masked like a message.
_REQUEST_ID = re.compile(r"[0-9A-Fa-f]+(-[0-9A-Fa-f]+)*")
_CODE = re.compile(r"[A-Za-z]+(\.[A-Za-z]+)*")


def read_document(
    action: str, answer: Answer, *, sent: Mapping[str, str | TaskToken], credentials: Credentials
) -> dict[str, Any] | CloudFlowError:
    """Return the document of a successful answer, or the error that the answer is.

    The caller raises the error: tools that record the local variables of a traceback's frames would find the unmasked
    answer in this one.

    Args:
        action: The operation, for the error.
        answer: The service's answer.
        sent: The parameters of the request. An error answer may repeat the task tokens among them.
        credentials: The request was signed with these. An error answer may repeat them.
    """
    document = _json_object(answer.body)
    code = "" if document is None else _text_under("Code", document)
    if answer.status == 200 and document is not None and not code and document.keys() & _SIGNS:  # noqa: PLR2004
        given = document.get("RequestId")
        if isinstance(given, str) and not (len(given) <= _NAME_CHARACTERS and _REQUEST_ID.fullmatch(given)):
            document["RequestId"] = _masked_name(given, _REQUEST_ID, _secrets(sent, credentials))
        return document
    secrets = _secrets(sent, credentials)
    if document is None or not code:
        message = f"no error document of CloudFlow, but {_excerpt(answer, secrets)}"
        request_id = answer.headers.get("x-acs-request-id", "")
    else:
        message = mask_foreign_text(_text_under("Message", document), also=secrets)[:_MESSAGE_CHARACTERS]
        request_id = _text_under("RequestId", document)
    return BY_CODE.get(code, CloudFlowError)(
        action=action,
        status=answer.status,
        code=code if code in BY_CODE else _masked_name(code, _CODE, secrets),
        service_message=message,
        request_id=_masked_name(request_id, _REQUEST_ID, secrets),
        retry_after_seconds=retry_after_seconds(answer.headers),
    )


def checked_answer(given: object) -> Answer:
    """Return the answer of a person's own transport, with its headers by lower-case name.

    Raises:
        SettingsError: It is no `Answer`.
    """
    if not isinstance(given, Answer):
        raise SettingsError(
            f"The transport returned {validators.kind_of(given)}.",
            hint="post() returns an Answer(status=..., headers=..., body=...), from fc_callback.transport.",
        )
    return given.evolve(headers={name.lower(): value for name, value in given.headers.items()})


def _secrets(sent: Mapping[str, str | TaskToken], credentials: Credentials) -> tuple[str, ...]:
    tokens = [value.secret for value in sent.values() if isinstance(value, TaskToken)]
    return (*tokens, credentials.access_key_secret, credentials.security_token or "", credentials.access_key_id)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _text_under(name: str, document: Mapping[str, Any]) -> str:
    """Return the text under a name, whose first letter may be small; empty if there is none."""
    value = document.get(name) or document.get(name[0].lower() + name[1:])
    return value if isinstance(value, str) else ""


def _masked_name(text: str, expected: re.Pattern[str], secrets: tuple[str, ...]) -> str:
    """Return an id or a code that has the expected form unchanged; anything else masked, on one line and cut."""
    known = mask_secrets(text, also=secrets)
    if len(known) <= _NAME_CHARACTERS and expected.fullmatch(known):
        return known
    return mask_foreign_text(_one_line(text), also=secrets)[:_NAME_CHARACTERS]


def _excerpt(answer: Answer, secrets: tuple[str, ...]) -> str:
    text = _one_line(answer.body[: 4 * _EXCERPT_CHARACTERS].decode("utf-8", "replace"))
    if not text:
        return "an empty body"
    kind = _one_line(answer.headers.get("content-type", "no content type").split(";")[0])
    shown_kind, shown_text = (mask_foreign_text(one, also=secrets)[:_EXCERPT_CHARACTERS] for one in (kind, text))
    return f"{shown_kind}: {shown_text!r}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def clock_offset_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how far the service's clock is ahead of this machine's, by the answer's `Date`; None if that is unusable."""
    theirs = _seconds_since_1970(headers.get("date", ""))
    if theirs is None:
        return None
    offset = theirs - time.time()
    return offset if abs(offset) <= MOST_CLOCK_OFFSET_SECONDS else None


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the wait that a `Retry-After` header asks for, in seconds; None without a readable one.

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
