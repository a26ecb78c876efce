"""A person approves a step: the function that decides, exactly as docs/how-to/approval.md shows it."""

from __future__ import annotations

import os
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from cryptography.fernet import Fernet

from fc_callback import FcContext, TaskToken, TokenSeal
from fc_callback.local import Fault
from fc_callback.testing import events
from fc_callback.values.context import Deadline
from tests.pages import run_file

if TYPE_CHECKING:
    from tests.waiting import WaitingTask, WaitingTasks

LINK_SECONDS = 259_200  # as the page has it


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    """What the page's code/decide.py defines."""
    return run_file("how-to/approval.md", "code/decide.py")


class Approval:
    """A link to one waiting task, and the browser of the person who got it."""

    def __init__(self, documented: dict[str, Any], waiting: WaitingTask) -> None:
        self.documented = documented
        self.waiting = waiting
        self.reference = TokenSeal().seal(TaskToken(waiting.token))

    def browse(
        self, reference: str | None = None, *, method: str = "GET", body: str = "", **options: Any
    ) -> tuple[int, str]:
        query = {"request": self.reference if reference is None else reference}
        context = options.pop("context", None)
        answer = self.documented["handler"](events.http(body, method=method, query=query, **options), context)
        assert self.waiting.token not in str(answer)
        return answer["statusCode"], answer["body"]

    def press(self, decision: str, comment: str = "", **options: Any) -> tuple[int, str]:
        return self.browse(method="POST", body=urlencode({"decision": decision, "comment": comment}), **options)


@pytest.fixture
def approval(documented: dict[str, Any], tasks: WaitingTasks, monkeypatch: pytest.MonkeyPatch) -> Approval:
    monkeypatch.setenv("CLOUDFLOW_SEAL_KEY", TokenSeal.generate_key())
    return Approval(documented, tasks.new())


def test_opening_the_link_shows_two_buttons_and_decides_nothing(approval: Approval) -> None:
    for _ in range(3):
        status, body = approval.browse()
        assert status == 200
        assert f"Approve {approval.waiting.execution}?" in body
        assert [word in body for word in ('value="approve"', 'value="refuse"', 'method="post"')] == [True] * 3
    assert approval.waiting.status == "Running"


def test_approve_completes_the_step_with_the_comment(approval: Approval) -> None:
    status, body = approval.press("approve", "as agreed")
    assert (status, "You approved" in body) == (200, True)
    assert approval.waiting.output == {"approved": True, "comment": "as agreed"}


def test_refuse_fails_the_step_by_name(approval: Approval) -> None:
    status, body = approval.press("refuse", "too early")
    assert (status, "You refused" in body) == (200, True)
    assert approval.waiting.failure == ("Refused", "too early")


def test_a_form_that_fc_delivers_in_base64_is_read_as_well(approval: Approval) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _ = approval.browse(method="POST", body="decision=approve", base64=True, headers=headers)
    assert status == 200
    assert approval.waiting.output == {"approved": True, "comment": ""}


def test_a_link_used_twice_says_so_and_the_first_decision_counts(approval: Approval) -> None:
    approval.press("approve")
    status, body = approval.press("refuse")
    assert (status, "decided already" in body) == (409, True)
    assert approval.waiting.output == {"approved": True, "comment": ""}
    assert approval.waiting.reports() == 1


def test_a_link_to_a_step_that_was_stopped_says_that_nothing_is_left_to_decide(approval: Approval) -> None:
    approval.waiting.service.stop(approval.waiting.flow, approval.waiting.execution)
    status, body = approval.press("approve")
    assert (status, "decided already" in body) == (409, True)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_expired_link_gets_a_clear_page_and_decides_nothing(approval: Approval, method: str) -> None:
    sealed_at = int(time.time()) - LINK_SECONDS - 60
    key = Fernet(os.environ["CLOUDFLOW_SEAL_KEY"])
    content = key.decrypt(approval.reference + "=" * (-len(approval.reference) % 4))
    old = key.encrypt_at_time(content, sealed_at).decode().rstrip("=")
    status, body = approval.browse(old, method=method, body="decision=approve")
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
    status, body = approval.browse(forge(approval), method=method, body="decision=approve")
    assert (status, "This link is not valid" in body, "<script>" in body) == (404, True, False)
    assert approval.waiting.status == "Running"


@pytest.mark.parametrize("body", ["", "decision=", "decision=deleted", "comment=hm"])
def test_a_form_without_a_known_decision_decides_nothing(approval: Approval, body: str) -> None:
    assert approval.browse(method="POST", body=body)[0] == 400
    assert approval.waiting.status == "Running"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_only_a_post_decides(approval: Approval, method: str) -> None:
    assert approval.browse(method=method, body="decision=approve")[0] == 200
    assert approval.waiting.status == "Running"


def test_whatever_is_shown_is_escaped(approval: Approval) -> None:
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
        status, body = approval.press("approve", context=context)
    finally:
        approval.waiting.service.clear_faults()
    assert (status, "Press the button again" in body) == (503, True)
    assert approval.waiting.status == "Running"
    assert approval.press("approve")[0] == 200
