"""`fc_callback.initializer`, and what is loaded without it."""

from __future__ import annotations

import json
import socket
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest

from fc_callback import CloudFlowClient, initializer
from fc_callback.runtime import FunctionInstance, FunctionSpec
from fc_callback.testing import make_credentials
from tests.cloudflow.certificates import server_context
from tests.cloudflow.scripted import ScriptedService
from tests.runtime.reporting import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fc_callback.runtime import InvocationResult

CODE = """
    import json, sys, threading
    from fc_callback import initializer, task_callback

    def initialize(context):
        result = initializer(context)
        initialize.loaded = set(sys.modules)
        return result

    @task_callback
    def task(event, context):
        return {"ok": True}

    def handler(event, context):
        before = set(getattr(initialize, "loaded", sys.modules))
        task(event, context)
        return {"more": sorted(set(sys.modules) - before)}
"""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture(params=["python3.10", "python3.12", "custom"])
def instance(request: pytest.FixtureRequest, recorder: Recorder, tmp_path: Path) -> Iterator[FunctionInstance]:
    (tmp_path / "index.py").write_text(textwrap.dedent(CODE), encoding="utf-8")
    spec = FunctionSpec(
        name="orders",
        code_dir=tmp_path,
        runtime=request.param,
        environment=recorder.environment,
        initializer="index.initialize",
    )
    with FunctionInstance(spec) as instance:
        yield instance


def invoke(instance: FunctionInstance, recorder: Recorder) -> InvocationResult:
    result = instance.invoke(recorder.new_task().event, credentials=recorder.session())
    assert result.ok, result.log
    return result


def test_after_the_initializer_the_first_report_loads_nothing_more(
    instance: FunctionInstance, recorder: Recorder
) -> None:
    assert json.loads(invoke(instance, recorder).body) == {"more": []}


def test_the_first_report_takes_the_connection_that_the_initializer_has_opened(
    instance: FunctionInstance, recorder: Recorder
) -> None:
    invoke(instance, recorder)
    invoke(instance, recorder)
    assert recorder.connections == 1


def test_over_tls_too_the_first_report_takes_the_initializers_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = server_context(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    with ScriptedService(tls=context) as service:
        monkeypatch.setenv("CLOUDFLOW_ENDPOINT", service.endpoint)
        initializer()
        client = CloudFlowClient(credentials=make_credentials())
        # TLS 1.3 sends session tickets at some moment after the handshake: both before and after they have come.
        for _ in range(3):
            client.report_task_succeeded("token", {})
        assert (service.connections, service.calls) == (1, 3)


def test_it_never_fails_the_start_of_an_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    assert initializer() == ""  # neither a region nor an endpoint
    for endpoint in ("http://127.0.0.1:1", "gopher://127.0.0.1", "https://127.0.0.1:1"):
        monkeypatch.setenv("CLOUDFLOW_ENDPOINT", endpoint)
        assert initializer(object()) == ""


def test_an_endpoint_that_accepts_and_says_nothing_holds_it_up_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("CLOUDFLOW_ENDPOINT", f"https://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("CLOUDFLOW_CONNECT_TIMEOUT", "0.2")
        thread = threading.Thread(target=initializer, daemon=True)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()


def test_what_a_report_needs_is_missed_at_the_import_before_any_work_is_begun(
    tmp_path: Path, recorder: Recorder
) -> None:
    (tmp_path / "index.py").write_text(
        textwrap.dedent("""
            import sys
            sys.modules["urllib3"] = None  # it cannot be imported
            from fc_callback import task_callback

            @task_callback
            def handler(event, context):
                print("the function has run")
                return {}
        """),
        encoding="utf-8",
    )
    with FunctionInstance(FunctionSpec(name="orders", code_dir=tmp_path, environment=recorder.environment)) as instance:
        task = recorder.new_task()
        result = instance.invoke(task.event, credentials=recorder.session())
    assert (result.error_name, "the function has run" in result.log) == ("ImportModuleError", False)
    assert "urllib3" in result.error_message
    task.assert_waiting()
