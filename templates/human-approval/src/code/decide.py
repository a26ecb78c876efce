"""The function that decides: GET shows two buttons, POST completes the task."""

from __future__ import annotations

import html
import os
from typing import Any
from urllib.parse import parse_qs

from fc_callback import CloudFlowClient, FcContext, initializer
from fc_callback.errors import SealExpired, SealInvalid
from fc_callback.events import HttpEvent, HttpResponse
from fc_callback.sealing import TokenSeal

initialize = initializer

DECISIONS = {"approve": "Approve", "reject": "Reject"}


def handler(event: bytes, context: Any) -> dict[str, Any]:
    """Serve one request. A GET changes nothing, because mail programs and chats open links automatically."""
    request = HttpEvent.parse(event)
    try:
        token = TokenSeal().open(
            request.query.get("request", ""), max_age_seconds=float(os.environ.get("LINK_SECONDS", "259200"))
        )
    except SealExpired:
        return page(410, "This link has expired.")
    except SealInvalid:
        return page(404, "This link is not valid.")
    if request.method != "POST":
        return page(200, "A flow is waiting for your decision.", buttons=True)
    decision = parse_qs(request.text).get("decision", [""])[0]
    if decision not in DECISIONS:
        return page(400, "Choose one of the two.", buttons=True)
    fc = FcContext.read(context)
    client = CloudFlowClient(region=fc.region, credentials=fc.require_credentials())
    result = client.report_task_succeeded(token, {"approved": decision == "approve"}, deadline=fc.deadline)
    if result.already_completed:
        return page(409, "This has been decided already, or the time for it is over.")
    return page(200, "Approved." if decision == "approve" else "Rejected.")


def page(status: int, message: str, *, buttons: bool = False) -> dict[str, Any]:
    """Return a page that is not cached or framed, and that does not reveal its address to other sites."""
    form = "".join(
        f'<button name="decision" value="{value}">{html.escape(label)}</button> ' for value, label in DECISIONS.items()
    )
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Approval</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<p>{html.escape(message)}</p>"
        f"{f'<form method=post>{form}</form>' if buttons else ''}</html>"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    }
    return HttpResponse(body, status_code=status, headers=headers).render()
