"""A person approves a step: the two functions of docs/tasks.md, exactly as they stand there."""

from __future__ import annotations

import os
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from cryptography.fernet import Fernet

from fc_callback import FcContext, TaskToken, TokenSeal, event_parser
from fc_callback.local import Fault
from fc_callback.testing import events
from fc_callback.values.context import Deadline
from tests.pages import run_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.waiting import WaitingTask, WaitingTasks


@pytest.fixture(scope="module")
def documented() -> Iterator[dict[str, Any]]:
    """What docs/tasks.md defines, after all of it has run."""
    before = dict(os.environ)
    try:
        page = run_page("tasks.md")
        yield page
        event_parser(lambda event: page["client"].aclose())(b"{}", None)  # an async client of the module
    finally:
        os.environ.clear()
        os.environ.update(before)


class Approval:
    """One mail that was sent, and the browser of who got it."""

    def __init__(self, documented: dict[str, Any], waiting: WaitingTask) -> None:
        self.documented = documented
        self.waiting = waiting
        self.event = events.direct(
            {"orderId": waiting.execution, "amount": 7, "approver": "kim@example.com"}, token=waiting.token
        )
        documented["ask"](self.event, None)
        _, _, text = documented["outbox"].pop()
        self.link = text.removeprefix("Please decide: ")
        self.reference = dict(parse_qsl(urlsplit(self.link).query))["task"]

    def browse(
        self, reference: str | None = None, *, method: str = "GET", body: str = "", **options: Any
    ) -> tuple[int, str]:
        query = {"task": self.reference if reference is None else reference}
        context = options.pop("context", None)
        answer = self.documented["decide"](events.http(body, method=method, query=query, **options), context)
        assert self.waiting.token not in str(answer)
        return answer["statusCode"], answer["body"]

    def press(self, decision: str, comment: str = "", **options: Any) -> tuple[int, str]:
        return self.browse(method="POST", body=urlencode({"decision": decision, "comment": comment}), **options)


@pytest.fixture
def approval(documented: dict[str, Any], tasks: WaitingTasks, monkeypatch: pytest.MonkeyPatch) -> Approval:
    monkeypatch.setenv("CLOUDFLOW_SEAL_KEY", TokenSeal.generate_key())
    monkeypatch.setenv("APPROVAL_URL", "https://approvals.example.com/")
    return Approval(documented, tasks.new())


def test_the_link_carries_a_sealed_reference_and_never_the_token(approval: Approval) -> None:
    assert approval.waiting.token not in approval.link
    assert approval.waiting.execution not in approval.link
    assert TokenSeal().open(approval.reference).reveal() == approval.waiting.token


def test_opening_the_link_shows_two_buttons_and_decides_nothing(approval: Approval) -> None:
    for _ in range(3):
        status, body = approval.browse()
        assert status == 200
        assert f"Approve {approval.waiting.execution}?" in body
        assert [word in body for word in ('value="approved"', 'value="rejected"', 'method="post"')] == [True] * 3
    assert approval.waiting.status == "Running"


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_a_button_completes_the_step_with_the_decision(approval: Approval, decision: str) -> None:
    status, body = approval.press(decision, "as agreed")
    assert (status, f"is {decision}" in body) == (200, True)
    assert approval.waiting.output == {"decision": decision, "comment": "as agreed"}


def test_a_form_that_fc_delivers_in_base64_is_read_as_well(approval: Approval) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _ = approval.browse(method="POST", body="decision=approved", base64=True, headers=headers)
    assert status == 200
    assert approval.waiting.output == {"decision": "approved", "comment": ""}


def test_a_link_used_twice_says_so_and_the_first_decision_counts(approval: Approval) -> None:
    approval.press("approved")
    status, body = approval.press("rejected")
    assert (status, "decided already" in body) == (409, True)
    assert approval.waiting.output == {"decision": "approved", "comment": ""}
    assert approval.waiting.reports() == 1


def test_a_link_to_a_step_that_was_stopped_says_that_nothing_is_left_to_decide(approval: Approval) -> None:
    approval.waiting.service.stop(approval.waiting.flow, approval.waiting.execution)
    status, body = approval.press("approved")
    assert (status, "decided already" in body) == (409, True)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_expired_link_gets_a_clear_page_and_decides_nothing(approval: Approval, method: str) -> None:
    sealed_at = int(time.time()) - approval.documented["LINK_SECONDS"] - 60
    key = Fernet(os.environ["CLOUDFLOW_SEAL_KEY"])
    content = key.decrypt(approval.reference + "=" * (-len(approval.reference) % 4))
    old = key.encrypt_at_time(content, sealed_at).decode().rstrip("=")
    status, body = approval.browse(old, method=method, body="decision=approved")
    assert (status, "This link has expired" in body) == (410, True)
    assert approval.waiting.status == "Running"


def altered(approval: Approval) -> str:
    middle = len(approval.reference) // 2
    other = "A" if approval.reference[middle] != "A" else "B"
    return f"{approval.reference[:middle]}{other}{approval.reference[middle + 1 :]}"


def of_another_key(approval: Approval) -> str:
    return TokenSeal(TokenSeal.generate_key()).seal(TaskToken(approval.waiting.token))


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "forge",
    [
        altered,
        of_another_key,
        lambda one: one.reference[:-5],
        lambda one: one.waiting.token,
        lambda _: "",
        lambda _: "<script>",
    ],
    ids=["altered", "other-key", "cut", "the-bare-token", "empty", "no-seal-at-all"],
)
def test_a_tampered_link_gets_a_clear_page_and_decides_nothing(approval: Approval, forge: Any, method: str) -> None:
    status, body = approval.browse(forge(approval), method=method, body="decision=approved")
    assert (status, "This link is not valid" in body, "<script>" in body) == (404, True, False)
    assert approval.waiting.status == "Running"


@pytest.mark.parametrize("body", ["", "decision=", "decision=deleted", "comment=hm"])
def test_a_form_without_a_known_decision_decides_nothing(approval: Approval, body: str) -> None:
    assert approval.browse(method="POST", body=body)[0] == 400
    assert approval.waiting.status == "Running"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS"])
def test_other_methods_are_turned_away(approval: Approval, method: str) -> None:
    assert approval.browse(method=method, body="decision=approved")[0] == 405
    assert approval.waiting.status == "Running"


def test_whatever_is_shown_is_escaped(approval: Approval) -> None:
    _, body = approval.press("approved", "<script>alert('x')</script>")
    assert "<script>" not in body
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in body
    odd = TaskToken(b64encode(b"v1#flow#<img src=x>#5#c2VjcmV0").decode())
    _, body = approval.browse(TokenSeal().seal(odd))
    assert "<img" not in body
    assert "Approve &lt;img src=x&gt;?" in body


def test_pages_are_not_kept_framed_or_told_to_other_sites(approval: Approval) -> None:
    headers = approval.documented["page"](200, "t")["headers"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_while_cloudflow_is_away_the_page_asks_to_press_again_and_that_works(approval: Approval) -> None:
    key = FcContext.read(None).credentials
    approval.waiting.service.inject(Fault("error-before", times=None))
    try:
        context = FcContext(credentials=key, deadline=Deadline.after(1.2))
        status, body = approval.press("approved", context=context)
    finally:
        approval.waiting.service.clear_faults()
    assert (status, "press the button again" in body) == (503, True)
    assert approval.waiting.status == "Running"
    assert approval.press("approved")[0] == 200


def test_a_second_delivery_of_the_same_event_sends_no_second_mail(approval: Approval) -> None:
    again = FcContext(retry_count=1, credentials=FcContext.read(None).credentials)
    assert approval.documented["ask"](approval.event, again) == '{"deferred":true}'
    assert approval.documented["outbox"] == []
