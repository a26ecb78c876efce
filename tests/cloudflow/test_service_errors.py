"""What the service answers when it does not take a call, as errors: the documented table, and what is not in it."""

from __future__ import annotations

import pickle
import traceback
from base64 import b64encode
from urllib.parse import quote

import pytest

from fc_callback import CloudFlowError, FcCallbackError, ServiceUnreachable
from fc_callback.cloudflow import errors
from fc_callback.errors import (
    IdempotencyError,
    OutputTooLarge,
    PayloadInvalid,
    ReportUndelivered,
    TaskFailed,
    TokenAmbiguous,
    WorkInProgress,
)
from tests.cloudflow.quick import KEY, TOKEN, client_of
from tests.cloudflow.scripted import Reply, ScriptedService, error

# Status, code, and whether the same call is worth repeating, as the API's metadata lists them.
DOCUMENTED = [
    (400, "ActionNotSupported", False),
    (400, "APIVersionNotSupported", False),
    (400, "EntityTooLarge", False),
    (400, "InvalidArgument", False),
    (400, "MissingRequiredHeader", False),
    (400, "MissingRequiredParams", False),
    (400, "TaskAlreadyCompleted", False),
    (403, "AccessDenied", False),
    (403, "InvalidAccessKeyID", False),
    (403, "RequestTimeTooSkewed", False),
    (403, "SignatureNotMatch", False),
    (409, "TaskInvalidState", True),
    (415, "UnsupportedMediaType", False),
    (429, "ResourceThrottled", True),
    (500, "InternalServerError", True),
]
# What the other operations answer beside them; where the metadata gives no status, 404.
OF_OTHER_OPERATIONS = [
    (400, "ExecutionAlreadyCompleted", False),
    (400, "ExecutionAlreadyExists", False),
    (404, "ExecutionNotExists", False),
    (404, "FlowNotExists", False),
    (404, "ScheduleNotExists", False),
    (409, "ConcurrentUpdateError", True),
    (409, "FlowAlreadyExists", False),
    (409, "ScheduleAlreadyExists", False),
    (412, "PreconditionFailed", False),
]
EVERY_CODE = [*DOCUMENTED, *OF_OTHER_OPERATIONS]
FINAL = [row for row in DOCUMENTED if not row[2] and row[1] not in {"TaskAlreadyCompleted", "RequestTimeTooSkewed"}]


def answered(reply: Reply) -> CloudFlowError:
    with ScriptedService(reply) as service, pytest.raises(CloudFlowError) as caught:
        client_of(service.endpoint).call("ReportTaskSucceeded", query={"TaskToken": TOKEN}, form={"Output": "{}"})
    return caught.value


def test_the_table_is_complete() -> None:
    assert sorted(errors.BY_CODE) == sorted(code for _, code, _ in EVERY_CODE)


@pytest.mark.parametrize(("status", "code", "retryable"), EVERY_CODE, ids=str)
def test_each_documented_code_arrives_as_its_class(status: int, code: str, retryable: bool) -> None:
    problem = answered(error(code, status, "what it said"))
    assert type(problem) is getattr(errors, code)
    assert (problem.status, problem.code, problem.request_id) == (status, code, "R-1")
    assert problem.service_message == "what it said"
    assert problem.retryable is retryable
    assert problem.documented_status == status


@pytest.mark.parametrize(("status", "code", "retryable"), EVERY_CODE, ids=str)
def test_each_of_them_says_what_to_do_next(status: int, code: str, retryable: bool) -> None:
    problem = answered(error(code, status))
    assert problem.hint
    assert str(problem).endswith(problem.hint)
    assert "no documented answer" not in problem.hint
    assert f"HTTP {status} {code}" in str(problem)
    assert "RequestId R-1" in str(problem)


@pytest.mark.parametrize(("status", "code", "retryable"), FINAL, ids=str)
def test_a_final_error_ends_the_report_at_once(status: int, code: str, retryable: bool) -> None:
    with ScriptedService(error(code, status)) as service:
        with pytest.raises(getattr(errors, code)):
            client_of(service.endpoint).report_task_succeeded(TOKEN, {})
        assert service.calls == 1


@pytest.mark.parametrize("word", ["Code", "code"])
def test_the_document_s_keys_may_begin_small(word: str) -> None:
    body = {word: "AccessDenied", word.replace("ode", "ode"): "AccessDenied", "message": "m", "requestId": "r"}
    problem = answered(Reply(body, status=403))
    assert isinstance(problem, errors.AccessDenied)
    assert (problem.service_message, problem.request_id) == ("m", "r")


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (403, False), (404, False), (408, True), (429, True), (500, True), (502, True), (503, True)],
)
def test_a_code_nobody_knew_is_judged_by_its_status(status: int, retryable: bool) -> None:
    problem = answered(error("BrandNewCode", status))
    assert type(problem) is CloudFlowError
    assert (problem.code, problem.retryable) == ("BrandNewCode", retryable)


BODIES = [
    b"<html><body>" + b"502 Bad Gateway " * 50 + b"</body></html>",
    b"",
    b"\xff\x00garbage",
    b"[1,2]",
    b"null",
    b"{}",
    b"[" * 5000,
]


@pytest.mark.parametrize("body", BODIES, ids=lambda one: repr(one[:8]))
@pytest.mark.parametrize("status", [200, 302, 408, 502])
def test_what_is_no_document_of_the_service_is_an_error_worth_repeating(body: bytes, status: int) -> None:
    problem = answered(Reply(body, status=status, headers={"Content-Type": "text/html; charset=utf-8"}))
    assert type(problem) is CloudFlowError
    assert (problem.status, problem.code, problem.retryable) == (status, "", True)
    assert len(str(problem)) < 500


REFUSALS = [
    (400, "CLOUDFLOW_ENDPOINT"),
    (401, "asks for a login"),
    (403, "refuses the call"),
    (404, "not CloudFlow"),
    (407, "HTTPS_PROXY (http://user:password@host:port)"),
    (413, "large_output="),
]


@pytest.mark.parametrize(("status", "hint"), REFUSALS, ids=str)
@pytest.mark.parametrize("body", [b"<html>blocked</html>", b"", b"[]"], ids=["html", "empty", "other JSON"])
def test_a_refusal_without_a_document_is_final_and_says_what_to_do(status: int, hint: str, body: bytes) -> None:
    with ScriptedService(Reply(body, status=status)) as service:
        with pytest.raises(CloudFlowError) as caught:
            client_of(service.endpoint).report_task_succeeded(TOKEN, {})
        assert service.calls == 1
    assert caught.value.retryable is False
    assert hint in caught.value.hint


# What Alibaba Cloud's gateway says in words of its own

GATEWAY = [
    (400, "SignatureNonceUsed"),
    (400, "Throttling"),
    (400, "Throttling.User"),
    (503, "Throttling.Api"),
    (408, "RequestTimeout"),
    (400, "IllegalTimestamp"),
    (400, "InvalidTimeStamp.Expired"),
]


@pytest.mark.parametrize(("status", "code"), GATEWAY, ids=str)
def test_a_word_of_the_gateway_that_is_about_one_call_is_answered_with_another(status: int, code: str) -> None:
    with ScriptedService(error(code, status), Reply()) as service:
        assert client_of(service.endpoint).report_task_succeeded(TOKEN, {}).attempts == 2
        assert len({one.parameters["SignatureNonce"] for one in service.requests}) == 2


@pytest.mark.parametrize("code", ["Throttling", "Throttling.User", "Throttling.Api", "Throttling.Policy"])
def test_throttling_by_the_gateway_counts_as_throttling_whatever_its_status(code: str) -> None:
    with ScriptedService(error(code, 400), Reply()) as service:
        assert client_of(service.endpoint).report_task_succeeded(TOKEN, {}).throttled == 1


@pytest.mark.parametrize(("status", "code"), [(400, "SignatureNonceUsed"), (408, "RequestTimeout"), (408, "")])
def test_an_attempt_of_which_the_gateway_saw_a_part_may_have_been_taken(status: int, code: str) -> None:
    first = error(code, status) if code else Reply(b"", status=status)
    with ScriptedService(first, error("TaskAlreadyCompleted", 400)) as service:
        result = client_of(service.endpoint, already_completed="raise").report_task_succeeded(TOKEN, {})
        assert (result.attempts, result.already_completed) == (2, False)


@pytest.mark.parametrize("code", ["Throttling.User", "IllegalTimestamp"])
def test_an_attempt_that_the_gateway_refused_was_not_taken(code: str) -> None:
    with ScriptedService(error(code, 400), error("TaskAlreadyCompleted", 400)) as service:
        assert client_of(service.endpoint).report_task_succeeded(TOKEN, {}).already_completed


@pytest.mark.parametrize("code", ["ThrottlingX", "Nonce", "InvalidTimeStamp.Format"])
def test_a_word_that_only_looks_like_one_of_them_is_final(code: str) -> None:
    with ScriptedService(error(code, 400)) as service:
        with pytest.raises(CloudFlowError):
            client_of(service.endpoint).report_task_succeeded(TOKEN, {})
        assert service.calls == 1


def test_an_excerpt_shows_enough_to_know_the_proxy_by() -> None:
    problem = answered(
        Reply(b"<html>\r\n  Squid 5.7 says no</html>", status=502, headers={"Content-Type": "text/html"})
    )
    assert "text/html: '<html> Squid 5.7 says no</html>'" in str(problem)


@pytest.mark.parametrize("secret", [TOKEN, KEY.security_token * 3, "%3D" + TOKEN.replace("=", "%3D")])  # type: ignore[operator]  # it has one
def test_a_secret_that_the_service_repeats_is_masked(secret: str) -> None:
    for reply in (
        error("InvalidArgument", 400, f"Task {secret} is wrong"),
        Reply(f"<p>{secret}</p>".encode(), status=502),
    ):
        problem = answered(reply)
        said = "".join(traceback.format_exception(problem)) + repr(problem) + problem.service_message
        assert secret not in said
        assert secret[10:30] not in said


SECRETS = {
    "token": TOKEN,
    "STS token": str(KEY.security_token),
    "secret of the key": KEY.access_key_secret,
    "id of the key": KEY.access_key_id,
    "token in a URL": quote(TOKEN, safe=""),
    "token in base64": b64encode(TOKEN.encode()).decode(),
}


def answers_with(secret: str) -> dict[str, Reply]:
    """Error answers that repeat a secret, by where."""
    document = {"Code": "AccessDenied", "Message": "m", "RequestId": "R-1"}
    page = b"<p>no</p>"
    return {
        **{name: Reply({**document, name: secret}, status=403) for name in document},
        "header": Reply(page, status=502, headers={"x-acs-request-id": secret}),
        "content type": Reply(page, status=502, headers={"Content-Type": f"text/{secret}"}),
        "page": Reply(f"<p>{secret}</p>".encode(), status=502),
    }


@pytest.mark.parametrize("place", list(answers_with("")))
@pytest.mark.parametrize("secret", SECRETS.values(), ids=list(SECRETS))
def test_no_part_of_an_error_answer_brings_a_secret_back(secret: str, place: str) -> None:
    problem = answered(answers_with(secret)[place])
    said = "".join(traceback.format_exception(problem)) + repr(vars(problem)) + repr(problem)
    assert secret not in said
    assert secret[4:] not in said


def test_the_id_of_a_request_and_a_code_that_is_not_known_are_shown_as_they_are() -> None:
    request_id, code = "7C9A6A5C-6C33-5E2A-A5E8-0B2A1B3C4D5E", "SomeRatherLongCode.ThatIsNew"
    problem = answered(Reply({"Code": code, "Message": "m", "RequestId": request_id}, status=400))
    assert (problem.code, problem.request_id) == (code, request_id)


def test_an_error_answer_of_any_length_makes_a_short_error_on_one_line() -> None:
    long = "very long\n" * 10_000
    problem = answered(Reply({"Code": long, "Message": "m " * 10_000, "RequestId": long}, status=400))
    assert len(str(problem)) < 2000
    assert "\n" not in problem.code + problem.request_id


def test_a_delivered_report_s_request_id_brings_no_secret_back_either() -> None:
    with ScriptedService(Reply({"EventId": 7, "RequestId": TOKEN})) as service:
        assert TOKEN[:20] not in client_of(service.endpoint).report_task_succeeded(TOKEN, {}).request_id


EVERY: list[FcCallbackError] = [
    *(
        errors.BY_CODE.get(code, CloudFlowError)(
            action="A", status=status, code=code, service_message="m", request_id="r", retry_after_seconds=2
        )
        for status, code, _ in [*DOCUMENTED, (503, "New", True)]
    ),
    ServiceUnreachable("no answer", endpoint="https://h", ambiguous=True, hint="look"),
    ReportUndelivered(
        "late", attempts=3, ambiguous=True, last_error=ServiceUnreachable("x", endpoint="e", ambiguous=False)
    ),
    OutputTooLarge(size=2, limit=1, largest=(("a", 1),)),
    PayloadInvalid("bad", problems=(("$.a", "missing"),), hint="compare"),
    TokenAmbiguous("two", paths=("$.a", "$.b")),
    TaskFailed("Named", cause="because"),
    WorkInProgress("busy", retry_after_seconds=3),
    IdempotencyError("what"),
]


@pytest.mark.parametrize("problem", EVERY, ids=lambda one: type(one).__name__)
def test_every_error_survives_pickling(problem: FcCallbackError) -> None:
    restored = pickle.loads(pickle.dumps(problem))
    assert type(restored) is type(problem)
    assert str(restored) == str(problem)
    assert {**vars(restored), "last_error": None} == {**vars(problem), "last_error": None}


def test_the_last_error_of_an_undelivered_report_survives_as_well() -> None:
    restored = pickle.loads(pickle.dumps(EVERY[17]))
    assert isinstance(restored, ReportUndelivered)
    assert isinstance(restored.last_error, ServiceUnreachable)
