"""What the service sends back: documents, errors, and what its headers say."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from fc_callback.cloudflow.errors import EXCERPT_CHARACTERS, error_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.cloudflow.transport import Answer, Transport

_SIGNS = {"RequestId", "EventId"}  # what every document of the service has one of


def read_document(action: str, answer: Answer) -> dict[str, Any]:
    """Return the document of a successful answer.

    Raises:
        CloudFlowError: The answer is an error, or nothing that CloudFlow writes.
    """
    document = _json_object(answer.body)
    code = "" if document is None else _text(document, "Code", "code")
    if answer.status == 200 and document is not None and not code and document.keys() & _SIGNS:  # noqa: PLR2004
        return document
    if document is None or not code:
        raise error_for(
            action=action,
            status=answer.status,
            code="",
            service_message=f"no error document of CloudFlow, but {_excerpt(answer)}",
            request_id=answer.headers.get("x-acs-request-id", ""),
            retry_after_seconds=retry_after_seconds(answer.headers),
        )
    raise error_for(
        action=action,
        status=answer.status,
        code=code,
        service_message=_masked(_text(document, "Message", "message")),
        request_id=_text(document, "RequestId", "requestId"),
        retry_after_seconds=retry_after_seconds(answer.headers),
    )


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _text(document: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := document.get(name), str)), "")


def _excerpt(answer: Answer) -> str:
    text = " ".join(answer.body[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace").split())
    if not text:
        return "an empty body"
    kind = answer.headers.get("content-type", "no content type").split(";")[0]
    return f"{kind}: {_masked(text)[:EXCERPT_CHARACTERS]!r}"


def _masked(text: str) -> str:
    """Mask what looks like a token or a key: long runs of the letters that base64 and key ids are made of."""
    import re

    return re.sub(r"[A-Za-z0-9+/_%.=-]{24,}", lambda run: f"{run[0][:4]}***", text)


def learn_clock(transport: Transport, answer: Answer) -> None:
    """Note how far the service's clock is ahead, from its answer's `Date`."""
    from email.utils import parsedate_to_datetime

    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (TypeError, ValueError):
        return
    transport.clock_offset_seconds = theirs - time.time()


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return what a `Retry-After` header asks for in seconds; None where there is none that can be read.

    Source: RFC 9110, section 10.2.3: a number of seconds or a date.
    """
    given = headers.get("retry-after", "").strip()
    if given.isdecimal():
        return float(given[:6])
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
