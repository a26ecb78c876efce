"""One handler, and the same for it on every runtime there is."""

from __future__ import annotations

import json
import textwrap
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import attrs
import pytest

from fc_callback.runtime import FunctionPool, FunctionSpec
from tests.runtime.reporting import Recorder
from tests.runtime.serving_support import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fc_callback.values.context import Credentials

HANDLER = """
    import json, logging
    from fc_callback import TaskFailed, initializer, task_callback

    initialize = initializer

    @task_callback
    def handler(event, context):
        order = json.loads(event)
        context.getLogger().info("order %s", order["id"])
        if order["id"] == "bad":
            raise ValueError("bad order")
        if order["id"] == "empty":
            raise TaskFailed("EmptyOrder", cause="no lines")
        return {"id": order["id"], "request": context.request_id, "umlaut": "\\u00fc"}
"""
AT_ONCE = 32


@attrs.frozen(kw_only=True)
class Result:
    ok: bool
    body: bytes


class Profile(Protocol):
    def invoke(self, event: bytes, *, credentials: Credentials | None, request_id: str) -> Result: ...

    @property
    def log(self) -> str: ...


class Pooled:
    def __init__(self, spec: FunctionSpec) -> None:
        self.pool = FunctionPool(spec, max_instances=2)
        self.log = ""

    def invoke(self, event: bytes, *, credentials: Credentials | None, request_id: str) -> Result:
        result = self.pool.invoke(event, credentials=credentials, request_id=request_id)
        self.log += result.log
        return Result(ok=result.ok, body=result.body)


class Direct:
    """`fc-callback serve`, called over HTTP, many requests at once."""

    def __init__(self, served: Served) -> None:
        self.served = served

    @property
    def log(self) -> str:
        return self.served.log

    def invoke(self, event: bytes, *, credentials: Credentials | None, request_id: str) -> Result:
        answer = self.served.invoke(event, credentials=credentials, request_id=request_id)
        assert answer.headers["x-fc-status"] == str(answer.status)
        return Result(ok=answer.status == 200, body=answer.body)


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture(scope="module", params=["python3.10", "python3.12", "custom", "served"])
def profile(
    request: pytest.FixtureRequest, recorder: Recorder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Profile]:
    code_dir: Path = tmp_path_factory.mktemp("code")
    (code_dir / "index.py").write_text(textwrap.dedent(HANDLER), encoding="utf-8")
    if request.param == "served":
        served = Served(code_dir, environment=recorder.environment)
        yield Direct(served)
        served.close()
        return
    spec = FunctionSpec(
        name="orders",
        code_dir=code_dir,
        runtime=request.param,
        environment=recorder.environment,
        initializer="index.initialize",
    )
    pooled = Pooled(spec)
    yield pooled
    pooled.pool.close()


def test_a_task_is_completed_and_its_output_is_what_fc_gets(profile: Profile, recorder: Recorder) -> None:
    task = recorder.new_task(id="o-1")
    result = profile.invoke(task.event, credentials=recorder.session(), request_id="r-1")
    assert result == Result(ok=True, body='{"id":"o-1","request":"r-1","umlaut":"ü"}'.encode())
    task.assert_succeeded_with(json.loads(result.body))


def test_an_exception_passes_through_and_the_task_waits(profile: Profile, recorder: Recorder) -> None:
    task = recorder.new_task(id="bad")
    result = profile.invoke(task.event, credentials=recorder.session(), request_id="r-2")
    document = json.loads(result.body)
    assert (result.ok, document["errorType"], document["errorMessage"]) == (False, "ValueError", "bad order")
    assert document["stackTrace"][-1][2:] == ["in handler", 'raise ValueError("bad order")']
    task.assert_waiting()


def test_an_intended_failure_is_reported_by_name_and_is_no_error_of_the_function(
    profile: Profile, recorder: Recorder
) -> None:
    task = recorder.new_task(id="empty")
    result = profile.invoke(task.event, credentials=recorder.session(), request_id="r-3")
    assert result.ok
    task.assert_failed_with("EmptyOrder", "no lines")


def test_an_event_without_a_token_is_an_error_that_says_so(profile: Profile, recorder: Recorder) -> None:
    result = profile.invoke(b'{"id": "o-1"}', credentials=recorder.session(), request_id="r-4")
    assert (result.ok, json.loads(result.body)["errorType"]) == (False, "TaskTokenNotFound")


def test_credentials_that_rotate_between_warm_invocations_are_the_ones_that_sign(
    profile: Profile, recorder: Recorder
) -> None:
    for _ in range(3):
        task, session = recorder.new_task(id="o-1"), recorder.session()
        profile.invoke(task.event, credentials=session, request_id="r-5")
        assert recorder.signer(task) == [session.access_key_id]


def test_requests_at_once_are_each_signed_with_their_own_credentials(profile: Profile, recorder: Recorder) -> None:
    tasks = [recorder.new_task(id=f"o-{number}") for number in range(AT_ONCE)]
    sessions = [recorder.session() for _ in tasks]

    def call(number: int) -> Result:
        return profile.invoke(tasks[number].event, credentials=sessions[number], request_id=f"r-6-{number}")

    with ThreadPoolExecutor(AT_ONCE) as threads:
        results = list(threads.map(call, range(AT_ONCE)))
    assert [json.loads(result.body) for result in results] == [
        {"id": f"o-{number}", "request": f"r-6-{number}", "umlaut": "ü"} for number in range(AT_ONCE)
    ]
    assert [recorder.signer(task) for task in tasks] == [[session.access_key_id] for session in sessions]


def test_the_log_has_fcs_lines_and_the_records_the_requests_id(profile: Profile, recorder: Recorder) -> None:
    task = recorder.new_task(id="logged")
    first = recorder.new_task(id="first")
    profile.invoke(first.event, credentials=recorder.session(), request_id="r-1")  # an instance initializes once
    profile.invoke(task.event, credentials=recorder.session(), request_id="r-7")
    lines = [line.rstrip("\n") for line in profile.log.splitlines() if "r-7" in line]
    assert (lines[0], lines[-1]) == ("FC Invoke Start RequestId: r-7", "FC Invoke End RequestId: r-7")
    assert [line.partition("Z ")[2] for line in lines if "[INFO]" in line] == ["r-7 [INFO] order logged"]


def test_no_secret_is_in_the_log(profile: Profile, recorder: Recorder) -> None:
    tasks, session = [recorder.new_task(id=name) for name in ("o-1", "bad", "empty")], recorder.session()
    for task in tasks:
        profile.invoke(task.event, credentials=session, request_id="r-8")
    secrets = [session.access_key_secret, session.security_token or "-", *(task.token.reveal() for task in tasks)]
    assert not [secret for secret in secrets if secret in profile.log]
