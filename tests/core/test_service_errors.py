"""What the service answers when it does not take a call, as errors: the documented table, and what is not in it."""

from __future__ import annotations

import pickle
import traceback

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
from tests.core.quick import KEY, TOKEN, client_of
from tests.core.scripted import Reply, ScriptedService, error

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
FINAL = [row for row in DOCUMENTED if not row[2] and row[1] not in {"TaskAlreadyCompleted", "RequestTimeTooSkewed"}]


def answered(reply: Reply) -> CloudFlowError:
    with ScriptedService(reply) as service, pytest.raises(CloudFlowError) as caught:
        client_of(service.endpoint).call("ReportTaskSucceeded", query={"TaskToken": TOKEN}, form={"Output": "{}"})
    return caught.value


def test_the_table_is_complete() -> None:
    assert sorted(errors.BY_CODE) == sorted(code for _, code, _ in DOCUMENTED)


@pytest.mark.parametrize(("status", "code", "retryable"), DOCUMENTED, ids=str)
def test_each_documented_code_arrives_as_its_class(status: int, code: str, retryable: bool) -> None:
    problem = answered(error(code, status, "what it said"))
    assert type(problem) is getattr(errors, code)
    assert (problem.status, problem.code, problem.request_id) == (status, code, "R-1")
    assert problem.service_message == "what it said"
    assert problem.retryable is retryable
    assert problem.documented_status == status


@pytest.mark.parametrize(("status", "code", "retryable"), DOCUMENTED, ids=str)
def test_each_of_them_says_what_to_do_next(status: int, code: str, retryable: bool) -> None:
    problem = answered(error(code, status))
    assert problem.hint
    assert str(problem).endswith(problem.hint)
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
    [(400, False), (403, False), (404, False), (429, True), (500, True), (502, True), (503, True)],
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
@pytest.mark.parametrize("status", [200, 302, 404, 502])
def test_what_is_no_document_of_the_service_is_an_error_worth_repeating(body: bytes, status: int) -> None:
    problem = answered(Reply(body, status=status, headers={"Content-Type": "text/html; charset=utf-8"}))
    assert type(problem) is CloudFlowError
    assert (problem.status, problem.code, problem.retryable) == (status, "", True)
    assert len(str(problem)) < 500


@pytest.mark.parametrize("status", [400, 403])
def test_a_refusal_without_a_document_is_final(status: int) -> None:
    assert answered(Reply(b"<html>blocked</html>", status=status)).retryable is False


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


EVERY: list[FcCallbackError] = [
    *(
        errors.error_for(
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
