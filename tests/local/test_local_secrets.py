"""No token, and no secret of a function, in anything that the service says or keeps."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
import requests

from fc_callback.local import LocalCloudFlow
from fc_callback.values.context import FcContext
from tests.local.raw_client import CALLBACK_FLOW, Inbox, RawClient, until

if TYPE_CHECKING:
    from pathlib import Path

    from fc_callback.values.context import Credentials


def test_no_token_is_in_any_answer_log_or_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)  # everything, below debug too
    path = tmp_path / "db"
    with LocalCloudFlow(database=path) as service:
        seen: list[bytes] = []
        sessions: list[Credentials] = []
        inbox = Inbox()

        def notify(event: bytes, context: Any) -> dict[str, object]:
            """Does what it must not: hands its token on in its result, its error and its credentials."""
            inbox(event)
            sessions.append(FcContext.read(context).require_credentials())
            return {"echo": json.loads(event), "secret": sessions[-1].access_key_secret}

        service.add_function(notify)
        service.create_flow("approve", CALLBACK_FLOW)
        service.create_flow("next", CALLBACK_FLOW)
        service.start("approve", {"order": 7}, execution_name="ask")
        token = inbox.token()
        client = RawClient(service.endpoint, service.credentials)
        # A function may hand its token on in another execution's input, and in an Output.
        start = {"FlowName": "next", "ExecutionName": "child", "Input": json.dumps({"order": {"parent": token}})}
        seen.append(client.v1("StartExecution", form=start).content)
        assert inbox.wait(2)[1]["order"] == {"parent": token}, "the function itself still gets it"
        second = inbox.token(1)
        seen.append(client.report(second, {"mine": second, "parents": token}).content)
        seen.append(client.report(second).content)
        failed = {"Error": "E", "Cause": f"token {token}"}
        seen.append(client.v1("ReportTaskFailed", {"TaskToken": token}, failed).content)
        for flow, name in (("approve", "ask"), ("next", "child")):
            given = {"FlowName": flow, "ExecutionName": name}
            seen.append(client.v1("DescribeExecution", given).content)
            seen.append(client.v1("GetExecutionHistory", given).content)
            seen.append(client.v1("ListExecutions", given).content)
            seen.append(repr(service.describe(flow, name)).encode())
            seen.append(repr(service.history(flow, name)).encode())
        until(lambda: all(invocation.status == "ended" for invocation in service.invocations()))
        seen.append(client.session.get(f"{service.endpoint}/_local/invocations").content)
        seen.append(repr(service.invocations()).encode())
        client.session.close()
        marker = service._components.store.issuer.marker()
    # What the test's own HTTP client notes of the requests it sends is not the service's.
    seen += [record.getMessage().encode() for record in caplog.records if not record.name.startswith("urllib3")]
    everything = b"".join(seen)
    files = b"".join(file.read_bytes() for file in tmp_path.glob("db*"))
    assert b"<task-token>" in everything
    for secret in (token, second, *(session.access_key_secret for session in sessions)):
        assert secret.encode() not in everything.replace(b"\\/", b"/")
        assert secret.encode() not in files
    for session in sessions:
        assert session.security_token is not None
        assert session.security_token.encode() not in everything + files
    assert marker.encode() not in everything


def test_text_that_looks_like_a_mark_does_not_become_a_token(
    service: LocalCloudFlow, raw: RawClient, waiting: str
) -> None:
    inbox = Inbox()
    service.add_function(inbox, name="notify")
    service.start("approve", {"order": "<task-token> <task-token 0123456789abcdef 1>"}, execution_name="two")
    assert inbox.wait()[0]["order"] == "<task-token> <task-token 0123456789abcdef 1>"


def test_a_services_keys_are_masked_in_their_texts(service: LocalCloudFlow) -> None:
    assert service.credentials.access_key_secret not in repr(service.credentials)
    session = service.session()
    assert session.security_token is not None
    assert session.security_token not in f"{session}"


LINKING_FLOW = CALLBACK_FLOW.replace(
    "source: $input.order}", "source: $input.order}\n      - {target: link, source: $input.link}"
)


@pytest.mark.parametrize("spell", [str.upper, str.lower], ids=["%2B", "%2b"])
def test_a_token_in_a_url_is_not_kept_and_not_shown_and_still_arrives(tmp_path: Path, spell: Any) -> None:
    def link_of(token: str) -> str:
        quoted = re.sub("%..", lambda code: spell(code[0]), quote(token, safe=""))
        return f"https://shop.example/decide?task={quoted}&by=kim"

    with LocalCloudFlow(database=tmp_path / "db") as service:
        inbox = Inbox()
        service.add_function(inbox, name="notify")
        service.create_flow("next", LINKING_FLOW)
        links: list[str] = []
        for number in range(4):  # names of different lengths: two of three tokens end in what a URL writes as a code
            service.start("next", {"link": links[-1] if links else ""}, execution_name="e" * (number + 1))
            links.append(link_of(inbox.token(number)))
        shown = repr([[service.describe("next", "e" * n), service.history("next", "e" * n)] for n in range(1, 5)])
        assert sum(spell("%3d") in link for link in links[:-1]) == 2
        assert [event["link"] for event in inbox.events] == ["", *links[:-1]], "as it was sent"
    files = b"".join(file.read_bytes() for file in tmp_path.glob("db*")).decode("latin-1")
    assert "https://shop.example/decide?task=<task-token>&by=kim" in shown
    for link in links[:-1]:
        assert link not in shown + files


def test_a_url_that_a_function_logs_or_fails_with_shows_no_secret(service: LocalCloudFlow) -> None:
    urls: list[str] = []

    def notify(event: bytes, context: Any) -> None:
        key = FcContext.read(context).require_credentials()
        query = {
            "TaskToken": json.loads(event)["taskToken"],
            "SecurityToken": key.security_token or "",
            "Signature": key.access_key_secret,
        }
        urls.append(f"Max retries exceeded with url: /?{urlencode(query)}")
        raise ConnectionError(urls[-1])

    service.add_function(notify)
    service.create_flow("f", CALLBACK_FLOW.replace("Async", "Sync"))
    ended = service.wait("f", service.start("f", {}))
    assert ended.error == "ConnectionError"
    shown = f"{ended} {service.history('f', ended)} {service.invocations()}"
    assert "Max retries exceeded with url: /?TaskToken=" in shown
    for value in (part.partition("=")[2] for part in urls[0].split("?")[1].split("&")):
        assert value not in shown


def test_a_path_that_is_nearly_right_is_answered_without_repeating_the_url(service: LocalCloudFlow) -> None:
    answer = requests.post(
        f"{service.endpoint}/_local/health/?TaskToken=secret-token&Signature=x", timeout=10, allow_redirects=False
    )
    assert answer.status_code == 404
    assert "secret-token" not in f"{answer.headers}{answer.text}"


def test_nothing_of_a_request_is_logged_whatever_the_level(
    service: LocalCloudFlow, raw: RawClient, waiting: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio", "fc_callback.local"):
        caplog.set_level(1, logger=name)
    raw.report(waiting)
    raw.report("another-token")
    raw.session.get(f"{service.endpoint}/?TaskToken={waiting}&Action=Nothing")
    said = [record for record in caplog.records if not record.name.startswith("urllib3")]
    assert not any("TaskToken" in record.getMessage() or waiting in record.getMessage() for record in said)
