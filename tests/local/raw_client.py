"""A client of the raw protocol, and small things that the tests of the local CloudFlow share."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import requests

from fc_callback.cloudflow.signature import authorization_v3, canonical_query, canonical_request_v3, sign_v1, sign_v3

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.values.context import Credentials

DATA = Path(__file__).parent / "data"

CALLBACK_FLOW = """
version: v1
type: flow
steps:
  - type: task
    name: ask
    resourceArn: acs:fc:::services/s/functions/notify
    pattern: waitForCallback
    serviceParams: {InvocationType: Async}
    inputMappings:
      - {target: taskToken, source: $context.task.token}
      - {target: order, source: $input.order}
"""


def utc_now(offset: float = 0) -> str:
    return (dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")


class RawClient:
    """Signs by hand and sends with requests, so that a test can get any of it wrong."""

    def __init__(self, endpoint: str, credentials: Credentials) -> None:
        self.endpoint = endpoint
        self.credentials = credentials
        self.session = requests.Session()

    def common_v1(self, action: str, *, timestamp: str | None = None, nonce: str | None = None) -> dict[str, str]:
        common = {
            "Action": action,
            "Format": "json",
            "Version": "2019-03-15",
            "Timestamp": timestamp or utc_now(),
            "SignatureNonce": nonce or uuid.uuid4().hex,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "AccessKeyId": self.credentials.access_key_id,
        }
        if self.credentials.security_token:
            common["SecurityToken"] = self.credentials.security_token
        return common

    def v1(
        self,
        action: str,
        query: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
        *,
        method: str = "POST",
        change: dict[str, str | None] | None = None,
        headers: dict[str, str] | None = None,
        timestamp: str | None = None,
        nonce: str | None = None,
        secret: str | None = None,
    ) -> requests.Response:
        """Send as the Python SDK does: common parameters in the query; `change` edits them before the signature."""
        form = form or {}
        full = {**self.common_v1(action, timestamp=timestamp, nonce=nonce), **(query or {})}
        for name, value in (change or {}).items():
            if value is None:
                full.pop(name, None)
            else:
                full[name] = value
        full["Signature"] = sign_v1(method, {**full, **form}, secret or self.credentials.access_key_secret)
        return self.session.request(
            method, f"{self.endpoint}/?{urlencode(full)}", data=form or None, headers=headers, timeout=30
        )

    def v3(
        self,
        action: str,
        query: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
        *,
        change: dict[str, str | None] | None = None,
        date: str | None = None,
        secret: str | None = None,
        body: bytes | None = None,
    ) -> requests.Response:
        """Send with ACS3-HMAC-SHA256; `change` edits the headers after the signature."""
        query = query or {}
        body = urlencode(form or {}).encode() if body is None else body
        headers = {
            "host": self.endpoint.removeprefix("http://"),
            "content-type": "application/x-www-form-urlencoded",
            "x-acs-action": action,
            "x-acs-version": "2019-03-15",
            "x-acs-date": date or utc_now(),
            "x-acs-signature-nonce": uuid.uuid4().hex,
            "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        }
        if self.credentials.security_token:
            headers["x-acs-security-token"] = self.credentials.security_token
        names = sorted(headers)
        canonical = canonical_request_v3(
            "POST",
            "/",
            canonical_query(query),
            headers,
            signed_headers=names,
            hashed_payload=headers["x-acs-content-sha256"],
        )
        signature = sign_v3(canonical, secret or self.credentials.access_key_secret)
        headers["Authorization"] = authorization_v3(self.credentials.access_key_id, names, signature)
        for name, value in (change or {}).items():
            if value is None:
                headers.pop(name, None)
            else:
                headers[name] = value
        url = f"{self.endpoint}/?" + "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in query.items())
        return self.session.post(url, data=body, headers=headers, timeout=30)

    def report(self, token: str, output: object = None, **options: Any) -> requests.Response:
        text = output if isinstance(output, str) else json.dumps(output or {})
        return self.v1("ReportTaskSucceeded", {"TaskToken": token}, {"Output": text}, **options)


class Inbox:
    """A function that keeps the events it is given; what a test waits for arrives here."""

    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []
        self._changed = threading.Condition()

    def __call__(self, event: bytes) -> None:
        with self._changed:
            self.events.append(json.loads(event))
            self._changed.notify_all()

    def wait(self, count: int = 1) -> list[dict[str, object]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.events) >= count, timeout=20), "the function was not called"
        return self.events

    def token(self, place: int = 0) -> str:
        return str(self.wait(place + 1)[place]["taskToken"])


def error_of(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["Code"]


def until(condition: Callable[[], object]) -> None:
    """Wait, within bounds, for what happens on another thread."""
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")
