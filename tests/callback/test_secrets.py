"""Secrets never leave: every captured byte of a failing and of a succeeding report is searched."""

from __future__ import annotations

import contextlib
import http.client
import io
import logging
import sys
import traceback
from base64 import b64encode
from collections.abc import Iterator
from types import FrameType
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from fc_callback import (
    CloudFlowClient,
    FcCallbackError,
    FcContext,
    Task,
    TaskFailed,
    current_task,
    event_parser,
    task_callback,
)
from fc_callback.idempotency import once
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.local.faults import Fault
from fc_callback.redaction import mask_secrets
from tests.cloudflow.quick import KEY, QUICK, TOKEN, client_of
from tests.cloudflow.scripted import Reply, ScriptedService, error
from tests.cloudflow.test_wire import shown
from tests.invoking import fc_context
from tests.waiting import WaitingTasks


class Everything(logging.Handler):
    """Keeps all that a record holds: its text, its arguments, its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()} {record.args!r} {record.__dict__!r}")
        if record.exc_info:
            self.lines.append("".join(traceback.format_exception(*record.exc_info)))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Everything]:
    """All that is logged at DEBUG, while http.client is told to print what it sends."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    everything, root = Everything(), logging.getLogger()
    level, loud = root.level, [logging.getLogger(name) for name in ("urllib3", "requests", "fc_callback")]
    levels = [logger.level for logger in loud]
    root.addHandler(everything)
    for logger in (root, *loud):
        logger.setLevel(logging.DEBUG)
    yield everything
    root.removeHandler(everything)
    root.setLevel(level)
    for logger, before in zip(loud, levels, strict=True):
        logger.setLevel(before)


def told(problem: BaseException | None) -> str:
    """All that an exception says, with whatever is chained to it, and its attributes."""
    texts: list[str] = []
    waiting, seen = [problem], set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        texts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        waiting += [one.__cause__, one.__context__, getattr(one, "last_error", None)]
    texts += traceback.format_exception(problem) if problem else []
    return "\n".join(texts)


def assert_nothing_leaked(secrets: list[str], *texts: str) -> None:
    text = "\n".join(texts)
    for secret in secrets:
        for form in (
            secret,
            quote(secret, safe=""),
            quote_plus(secret),
            b64encode(secret.encode()).decode().rstrip("="),
        ):
            assert form not in text, "a secret is in what was captured"


KNOWN = [TOKEN, KEY.access_key_secret, str(KEY.security_token)]

STEPS: list[Any] = [
    [Reply()],
    ["close", Reply()],
    ["reset", "hang"],
    ["trickle"],
    [Reply(b"<html>" + TOKEN.encode() + b"</html>", status=502), Reply()],
    [error("InvalidArgument", 400, f"Parameter error: {TOKEN}")],
    [error("TaskAlreadyCompleted", 400, f"Task {TOKEN} has already completed.")],
    [error("ResourceThrottled", 429), Reply()],
    [error("RequestTimeTooSkewed", 403)],
    [error("AccessDenied", 403, "no"), Reply()],
    [Reply(b"", status=302, headers={"Location": f"/?TaskToken={quote(TOKEN)}"}), Reply()],
    [Reply(b"SSH", close=True)],
]


@pytest.mark.parametrize("signature", ["v1", "v3"])
@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
@pytest.mark.parametrize("steps", STEPS, ids=[str(number) for number in range(len(STEPS))])
def test_no_report_leaves_a_secret_in_logs_or_errors(
    said: Everything, capfd: pytest.CaptureFixture[str], steps: Any, outcome: str, signature: str
) -> None:
    from fc_callback.values.context import Deadline

    problem: BaseException | None = None
    with ScriptedService(*steps) as service:
        client = client_of(service.endpoint, signature=signature, read_timeout=0.05, connect_timeout=0.5)
        deadline = Deadline.after(1.1)
        try:
            if outcome == "succeeded":
                client.report_task_succeeded(TOKEN, {}, deadline=deadline)
            else:
                client.report_task_failed(TOKEN, "E", "c", deadline=deadline)
        except FcCallbackError as error_of_report:
            problem = error_of_report
    captured = capfd.readouterr()
    assert said.lines, "urllib3's own lines are there to be searched"
    assert_nothing_leaked(KNOWN, *said.lines, captured.out, captured.err, told(problem))


def test_the_lines_that_were_searched_are_those_that_would_tell(said: Everything) -> None:
    with ScriptedService() as service:
        client_of(service.endpoint, signature="v3").report_task_succeeded(TOKEN, {})
    assert any("POST /?" in line and "TaskToken=***" in line for line in said.lines)


def ended_in(handler: Any, event: Any, context: Any) -> BaseException | None:
    try:
        handler(event, context)
    except BaseException as problem:
        return problem
    return None


def plain(event: Any, context: Any) -> Any:
    return {"ok": 1}


def by_name(event: Any, context: Any) -> Any:
    raise TaskFailed("Named", cause=current_task().token.reveal())


def no_output(event: Any, context: Any) -> Any:
    return {"token": current_task().token, "bad": float("nan")}


def deferring(event: Any, context: Any) -> Any:
    return current_task().defer()


def with_task(event: dict[str, Any], context: Any, task: Task) -> Any:
    logging.getLogger("person").info("working on %s with %r in %s", task, task.context, task.token)
    return {}


FUNCTIONS = [plain, by_name, no_output, deferring, with_task]


@pytest.mark.parametrize("fault", [None, "error-after", "reset", "html", "throttle"])
@pytest.mark.parametrize("on_failure", ["raise", "report"])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.__name__)
def test_no_invocation_leaves_a_secret(
    tasks: WaitingTasks,
    said: Everything,
    capfd: pytest.CaptureFixture[str],
    function: Any,
    on_failure: Any,
    fault: str | None,
) -> None:
    task, context = tasks.new("cloudflow", {"id": 1}), fc_context(tasks)
    capfd.readouterr()
    said.lines.clear()
    if fault:
        tasks.service.inject(Fault(fault))
    session = tasks.service.session()
    client = CloudFlowClient(retry=QUICK, credentials=session)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        handler = task_callback(on_failure=on_failure, client=client)(function)
        problem = ended_in(handler, task.event, context)
    tasks.service.clear_faults()
    captured = capfd.readouterr()
    given = context.credentials
    secrets = [task.token, given.access_key_secret, given.security_token]
    secrets += [session.access_key_secret, str(session.security_token)]
    # The local CloudFlow runs in this process: its own lines are not the client's.
    ours = [line for line in said.lines if "uvicorn" not in line and "asyncio" not in line]
    assert_nothing_leaked(secrets, *ours, captured.out, captured.err, printed.getvalue(), told(problem))


@pytest.mark.parametrize("delivery", ["first", "second"])
def test_no_frame_of_a_handler_shows_the_token_that_an_output_or_a_payload_repeats(delivery: str) -> None:
    """Tools that record a frame's variables, as Sentry does, look into tuples and dicts. The event is FC's own."""
    refused = error("AccessDenied", 403, "no")
    replies = [refused] if delivery == "first" else [refused, refused]
    with ScriptedService(*replies) as service:

        @task_callback(client=client_of(service.endpoint), once=once(key="id", store=MemoryStore()))
        def handler(event: bytes, context: object) -> dict[str, str]:
            return {"repeated": current_task().token.reveal()}

        given_by_fc = {"event", "arguments", "context", "raw_context"}
        seen: dict[str, str] = {}

        def unwinding(frame: FrameType, happened: str, returned: object) -> None:
            """Look at each frame that an exception leaves: a tool may do so before the decorator hides our frames."""
            code = frame.f_code
            if happened == "return" and returned is None and "fc_callback/callback/" in code.co_filename:
                for name, value in frame.f_locals.items():
                    seen[f"{code.co_name}.{name}"] = shown({} if name in given_by_fc else value)

        for _ in replies:
            sys.setprofile(unwinding)
            with pytest.raises(FcCallbackError):
                handler({"id": 1, "taskToken": TOKEN}, None)
            sys.setprofile(None)
    assert "_serve_task.outcome" in seen
    assert [name for name, text in seen.items() if TOKEN in text] == []


def test_the_secrets_of_a_context_that_was_changed_on_the_way_are_masked_too(
    tasks: WaitingTasks,
) -> None:
    other = tasks.service.session()

    @task_callback(on_failure="report")
    def inner(event: bytes, context: FcContext) -> None:
        assert context.credentials == other
        seen.append(mask_secrets(f"key {other.access_key_secret}, session {other.security_token}"))

    @event_parser
    def outer(event: bytes, context: FcContext) -> None:
        inner(event, context.evolve(credentials=other))

    seen: list[str] = []
    outer(tasks.new().event, fc_context(tasks))
    assert seen == ["key ***, session ***"]
