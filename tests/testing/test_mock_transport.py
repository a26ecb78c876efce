"""`CloudFlowClient(transport=...)`, the transport that a test answers, and retries that do not sleep."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from fc_callback import (
    CloudFlowClient,
    CloudFlowError,
    Credentials,
    ReportUndelivered,
    RetryPolicy,
    ServiceUnreachable,
    SettingsError,
    TaskAlreadyCompleted,
    TaskToken,
    task_callback,
)
from fc_callback.cloudflow.throttle import throttle_queue_for
from fc_callback.testing import Fault, MockAnswer, MockRequest, MockTransport, make_context, make_credentials
from fc_callback.testing import no_waiting as skipping
from fc_callback.transport import Answer, SignedRequest
from fc_callback.values.context import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fc_callback.testing import TaskCloudFlow

TOKEN = "djEjZGVtby1mbG93I3J1bi0xIzUjNit6dDd1L3c4Zkx6OVBYMjkvajUrdnY4L2Y0PQ=="
STS = Credentials(access_key_id="STS.NUexample", access_key_secret="the-secret", security_token="the-sts-token")
THROTTLED = MockAnswer({"Code": "ResourceThrottled", "Message": "m", "RequestId": "R-1"}, status=429)
BROKEN = MockAnswer({"Code": "InternalServerError", "Message": "m", "RequestId": "R-1"}, status=500)
COMPLETED = MockAnswer({"Code": "TaskAlreadyCompleted", "Message": "m", "RequestId": "R-1"}, status=400)


def client_of(transport: Any, **options: Any) -> CloudFlowClient:
    given = {"endpoint": "http://127.0.0.1", "credentials": make_credentials(), **options}
    return CloudFlowClient(transport=transport, **given)


def in_turn(*answers: MockAnswer | Exception) -> MockTransport:
    """Return a transport that gives these answers; the last one is for all requests that follow."""
    left = list(answers)

    def answer(_request: MockRequest) -> MockAnswer:
        given = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(given, Exception):
            raise given
        return given

    return MockTransport(answer)


@pytest.mark.parametrize("signature", ["v1", "v3"])
def test_a_request_is_read_the_same_with_both_signatures(signature: str) -> None:
    transport = MockTransport()

    client_of(transport, signature=signature).report_task_failed(TOKEN, "NoStock", "sold out & gone")

    (request,) = transport.requests
    assert request.action == "ReportTaskFailed"
    assert request.parameters == {"TaskToken": TaskToken(TOKEN), "Error": "NoStock", "Cause": "sold out & gone"}
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("signature", ["v1", "v3"])
def test_a_recorded_request_shows_no_secret(signature: str) -> None:
    transport = MockTransport()
    client_of(transport, endpoint="cn-hangzhou.fnf.aliyuncs.com", credentials=STS, signature=signature).call(
        "ReportTaskSucceeded", query={"TaskToken": TOKEN}, form={"Output": '{"a": 1}'}
    )

    (request,) = transport.requests
    shown = f"{request} {request!r} {request.parameters} {request.headers} {transport} {transport.requests}"
    for secret in (TOKEN, STS.access_key_secret, str(STS.security_token)):
        assert secret not in shown
    assert request.parameters["TaskToken"].reveal() == TOKEN
    assert '{"a": 1}' in repr(request)


def test_a_default_answer_is_that_the_service_has_taken_the_report() -> None:
    result = client_of(MockTransport()).report_task_succeeded(TOKEN, {"paid": True})

    assert (result.event_id, result.attempts, result.already_completed) == (1, 1, False)


def test_an_answer_s_document_status_and_headers_reach_the_client() -> None:
    refusal = MockAnswer(
        {"Code": "AccessDenied", "Message": "not allowed", "RequestId": "A-9"}, status=403, headers={"Retry-After": "7"}
    )
    with pytest.raises(CloudFlowError) as caught:
        client_of(in_turn(refusal)).report_task_succeeded(TOKEN, {})

    assert (type(caught.value).__name__, caught.value.request_id) == ("AccessDenied", "A-9")
    assert caught.value.retry_after_seconds == 7.0


@pytest.mark.parametrize(
    "first",
    [
        BROKEN,
        THROTTLED,
        MockAnswer("<html>bad gateway</html>", status=502),
        MockAnswer(b""),
        TimeoutError(),
        ConnectionResetError(),
        ServiceUnreachable("gone", endpoint="mock", ambiguous=True),
    ],
    ids=["500", "429", "html", "empty", "timeout", "reset", "unreachable"],
)
def test_what_would_be_retried_on_a_socket_is_retried_here(first: MockAnswer | Exception) -> None:
    transport = in_turn(first, MockAnswer())
    with skipping() as waits:
        result = client_of(transport).report_task_succeeded(TOKEN, {})

    assert (result.attempts, len(transport.requests), len(waits)) == (2, 2, 1)


@pytest.mark.parametrize(
    ("first", "ours"), [(ConnectionResetError(), True), (ConnectionRefusedError(), False)], ids=["reset", "refused"]
)
def test_only_an_answer_that_was_lost_makes_already_completed_a_success(first: Exception, *, ours: bool) -> None:
    client = client_of(in_turn(first, COMPLETED), already_completed="raise")
    with skipping():
        if ours:
            assert not client.report_task_succeeded(TOKEN, {}).already_completed
        else:
            with pytest.raises(TaskAlreadyCompleted):
                client.report_task_succeeded(TOKEN, {})


def test_an_exception_of_the_test_s_own_is_not_retried_and_reaches_the_test() -> None:
    transport = in_turn(AssertionError("the Output is wrong"))

    with pytest.raises(AssertionError, match="the Output is wrong"):
        client_of(transport).report_task_succeeded(TOKEN, {})

    assert len(transport.requests) == 1


@pytest.mark.parametrize("given", [None, {"RequestId": "r"}, 200, (200, {})], ids=["nothing", "dict", "int", "tuple"])
def test_a_handler_that_returns_something_else_is_told_what_to_return(given: Any) -> None:
    with pytest.raises(SettingsError, match="Return a MockAnswer"):
        client_of(MockTransport(lambda _request: given)).report_task_succeeded(TOKEN, {})


def test_a_handler_that_cannot_be_called_with_a_request_is_refused_at_once() -> None:
    for wrong in (lambda: None, 5, MockAnswer):
        with pytest.raises(SettingsError, match="handler="):
            MockTransport(wrong)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize(
    "given", [MockTransport, "http://127.0.0.1", object(), 5], ids=["the class", "a URL", "no post", "a number"]
)
def test_a_transport_that_is_none_is_refused_when_the_client_is_made(given: Any) -> None:
    with pytest.raises(SettingsError, match="transport="):
        client_of(given)


def test_a_transport_whose_post_is_async_is_refused_when_the_client_is_made() -> None:
    class Async:
        async def post(self, _request: Any, /, **_bounds: Any) -> Answer:
            return Answer(status=200, headers={}, body=b"{}")

    with pytest.raises(SettingsError, match="async"):
        client_of(Async())


def test_credentials_of_a_local_cloudflow_are_refused_before_a_transport_sees_them() -> None:
    transport = MockTransport()
    for credentials in (make_credentials(), make_credentials):
        with pytest.raises(SettingsError, match="local CloudFlow"):
            client_of(
                transport, endpoint="cn-hangzhou.fnf.aliyuncs.com", credentials=credentials
            ).report_task_succeeded(TOKEN, {})
    assert transport.requests == []


def test_each_attempt_is_signed_anew() -> None:
    nonces: list[str] = []

    class Recording(MockTransport):
        def post(self, request: Callable[[], SignedRequest], /, **bounds: Any) -> Answer:
            made = request()
            nonces.append(made.headers["x-acs-signature-nonce"])
            return super().post(lambda: made, **bounds)

    left = [BROKEN, MockAnswer()]
    with skipping():
        client_of(Recording(lambda _request: left.pop(0)), signature="v3").report_task_succeeded(TOKEN, {})

    assert len(set(nonces)) == 2


def test_a_clock_that_is_wrong_is_corrected_once_and_stays_so_for_the_client() -> None:
    skewed = MockAnswer(
        {"Code": "RequestTimeTooSkewed", "Message": "m", "RequestId": "R"},
        status=403,
        headers={"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600))},
    )

    def answer(request: MockRequest) -> MockAnswer:
        sent = request.headers["x-acs-date"]
        return MockAnswer() if sent > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1800)) else skewed

    client = client_of(MockTransport(answer), signature="v3")
    assert client.report_task_succeeded(TOKEN, {}).attempts == 2
    assert client.report_task_succeeded(TOKEN, {}).attempts == 1
    assert client.evolve(already_completed="raise").report_task_succeeded(TOKEN, {}).attempts == 1

    other = client_of(MockTransport(answer), signature="v3")
    assert other.report_task_succeeded(TOKEN, {}).attempts == 2  # nothing of it is left for another test


def test_a_decorated_function_reports_through_the_transport_of_its_client() -> None:
    transport = MockTransport()

    @task_callback(client=CloudFlowClient(endpoint="http://127.0.0.1", transport=transport))
    def pay(event: Any, context: Any) -> dict[str, str]:
        return {"status": "paid"}

    pay(json.dumps({"taskToken": TOKEN}).encode(), make_context(credentials=make_credentials()))

    (request,) = transport.requests
    assert json.loads(request.parameters["Output"]) == {"status": "paid"}


class SessionTransport:
    """A transport as a person would write it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.session = requests.Session()

    def post(
        self, request: Callable[[], SignedRequest], /, *, connect: float, read: float, deadline: Deadline | None = None
    ) -> Answer:
        signed = request()
        seconds = min(read, deadline.remaining_seconds()) if deadline else read
        answer = self.session.post(
            self.endpoint + signed.path, data=signed.body, headers=signed.headers, timeout=(connect, seconds)
        )
        # Names as a service may spell them: the client does not depend on their case.
        return Answer(
            status=answer.status_code,
            headers={name.title(): value for name, value in answer.headers.items()},
            body=answer.content,
        )


@pytest.mark.parametrize("signature", ["v1", "v3"])
def test_another_http_library_can_carry_reports_to_a_service(local_cloudflow: TaskCloudFlow, signature: str) -> None:
    task = local_cloudflow.new_task()
    transport = SessionTransport(local_cloudflow.endpoint)

    CloudFlowClient(transport=transport, signature=signature).report_task_succeeded(task.token, {"by": "requests"})

    task.assert_succeeded_with({"by": "requests"})
    transport.session.close()


def test_a_header_s_name_counts_in_any_case() -> None:
    class Throttling:
        def post(self, request: Callable[[], SignedRequest], /, **_bounds: Any) -> Answer:
            request()
            return Answer(
                status=429, headers={"Retry-After": "3"}, body=b'{"Code": "ResourceThrottled", "RequestId": "R"}'
            )

    with pytest.raises(CloudFlowError) as caught:
        client_of(Throttling()).call("DescribeFlow")
    assert caught.value.retry_after_seconds == 3.0


def test_a_transport_that_returns_something_else_is_named() -> None:
    class Raw:
        def post(self, request: Callable[[], SignedRequest], /, **_bounds: Any) -> Any:
            request()
            return b"{}"

    with pytest.raises(SettingsError, match=r"from fc_callback\.transport"):
        client_of(Raw()).report_task_succeeded(TOKEN, {})


def test_the_bounds_of_a_call_reach_the_transport() -> None:
    seen: dict[str, Any] = {}

    class Watching(MockTransport):
        def post(self, request: Callable[[], SignedRequest], /, **bounds: Any) -> Answer:
            seen.update(bounds)
            return super().post(request, **bounds)

    client = client_of(Watching(), connect_timeout=2, read_timeout=5, retry=RetryPolicy(reserve_seconds=1))
    deadline = Deadline.after(100)
    client.report_task_succeeded(TOKEN, {}, deadline=deadline)

    assert (seen["connect"], seen["read"], seen["deadline"].at) == (2, 5, deadline.at - 1)


def test_a_report_that_never_succeeds_ends_without_waiting_after_its_total_time() -> None:
    transport = in_turn(BROKEN)
    with skipping() as waits, pytest.raises(ReportUndelivered) as caught:
        client_of(transport, retry=RetryPolicy(total_seconds=60)).report_task_succeeded(TOKEN, {})

    assert caught.value.attempts == len(transport.requests) == len(waits) + 1
    assert 40 < sum(waits) <= 60


def test_skipped_waits_count_against_an_invocation_s_deadline() -> None:
    with skipping() as waits, pytest.raises(ReportUndelivered):
        client_of(in_turn(BROKEN)).report_task_succeeded(TOKEN, {}, deadline=Deadline.after(50))

    assert 35 < sum(waits) <= 50


def test_a_wait_that_the_service_asks_for_is_among_those_it_says() -> None:
    asked = MockAnswer({"Code": "ResourceThrottled", "RequestId": "R"}, status=429, headers={"Retry-After": "30"})
    with skipping() as waits:
        client_of(in_turn(asked, MockAnswer())).report_task_succeeded(TOKEN, {})

    assert len(waits) == 1
    assert 30 <= waits[0] < 45


@pytest.mark.parametrize("kind", ["error-after", "throttle", "html"])
def test_retries_over_a_real_socket_do_not_wait_either(
    local_cloudflow: TaskCloudFlow, no_waiting: list[float], kind: str
) -> None:
    task = local_cloudflow.new_task()
    local_cloudflow.inject(Fault(kind))

    result = CloudFlowClient().report_task_succeeded(task.token, {"paid": True})

    task.assert_succeeded()
    assert (result.attempts, len(no_waiting)) == (2, 1)


def test_the_threads_of_a_batch_do_not_wait_either() -> None:
    lock, seen = threading.Lock(), set()

    def answer(request: MockRequest) -> MockAnswer:
        output = request.parameters["Output"]
        with lock:
            first = output not in seen
            seen.add(output)
        return THROTTLED if first else MockAnswer()

    transport = MockTransport(answer)

    @task_callback(batch=10, client=CloudFlowClient(endpoint="http://127.0.0.1", transport=transport))
    def work(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return {"n": event["n"]}

    events = [{"taskToken": f"token-{number}", "n": number} for number in range(10)]
    with skipping() as waits:
        work(json.dumps(events).encode(), make_context(credentials=make_credentials()))

    assert (len(waits), len(transport.requests)) == (10, 20)
    assert min(waits) > 0.4  # none would have been at once


def test_turns_that_were_skipped_delay_nothing_afterwards() -> None:
    with skipping():
        for _ in range(5):
            client_of(in_turn(THROTTLED, THROTTLED, MockAnswer())).report_task_succeeded(TOKEN, {})

    queue = throttle_queue_for("http://127.0.0.1")
    first = queue.wait_seconds(0.25)
    second = queue.wait_seconds(0.25)
    queue.leave()
    queue.leave()
    assert first == 0.25
    assert second < 1.0


def test_waits_are_taken_again_after_the_block() -> None:
    with skipping():
        pass
    policy = RetryPolicy(base_seconds=0.05, growth=1.0, draw=lambda: 1.0 - 1e-9)
    before = time.monotonic()
    client_of(in_turn(BROKEN, MockAnswer()), retry=policy).report_task_succeeded(TOKEN, {})
    assert time.monotonic() - before >= 0.049


def test_blocks_inside_each_other_each_say_their_own() -> None:
    with skipping() as outer:
        with skipping() as inner:
            client_of(in_turn(BROKEN, MockAnswer())).report_task_succeeded(TOKEN, {})
        client_of(in_turn(BROKEN, MockAnswer())).report_task_succeeded(TOKEN, {})
    assert (len(outer), len(inner)) == (1, 1)


def test_no_waiting_is_a_fixture_as_well(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        """
from fc_callback import CloudFlowClient
from fc_callback.testing import MockAnswer, MockTransport, make_credentials

def test_a(no_waiting):
    answers = [MockAnswer(status=500), MockAnswer(status=500), MockAnswer()]
    client = CloudFlowClient(
        endpoint="http://127.0.0.1",
        credentials=make_credentials(),
        transport=MockTransport(lambda request: answers.pop(0)),
    )
    assert client.report_task_succeeded("token", {}).attempts == 3
    assert len(no_waiting) == 2
"""
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert "1 passed" in ran.stdout, ran.stdout
