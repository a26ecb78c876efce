"""Functions in processes of their own, called as FC calls them."""

from __future__ import annotations

import json
import textwrap
import threading
from pathlib import Path

import pytest

from fc_callback.local import LocalCloudFlow
from fc_callback.runtime import FunctionSpec
from fc_callback.values.context import Credentials
from tests.local.raw_client import CALLBACK_FLOW, RawClient, until

REPORTER = """
    import json, os, sys, urllib.parse, urllib.request, uuid, datetime
    sys.path.insert(0, {package!r})
    from fc_callback.cloudflow.signature import sign_v1

    def handler(event, context):
        assert type(event) is bytes
        print("working on it, token", json.loads(event)["taskToken"])
        keys = context.credentials
        given = {{
            "Action": "ReportTaskSucceeded", "Version": "2019-03-15", "Format": "JSON", "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0", "SignatureNonce": uuid.uuid4().hex, "AccessKeyId": keys.access_key_id,
            "SecurityToken": keys.security_token,
            "Timestamp": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "TaskToken": json.loads(event)["taskToken"],
            "Output": json.dumps({{"key": keys.access_key_id, "retries": context.retry_count}}),
        }}
        given["Signature"] = sign_v1("POST", given, keys.access_key_secret)
        print("secret", keys.access_key_secret)
        body = urllib.parse.urlencode(given).encode()
        with urllib.request.urlopen(os.environ["CLOUDFLOW_ENDPOINT"], data=body, timeout=20) as answer:
            return json.loads(answer.read())
"""


@pytest.fixture
def reporter(tmp_path: Path) -> FunctionSpec:
    import fc_callback

    package = str(Path(fc_callback.__file__).parents[1])
    (tmp_path / "index.py").write_text(textwrap.dedent(REPORTER.format(package=package)))
    return FunctionSpec(name="notify", code_dir=tmp_path, timeout_seconds=30)


@pytest.mark.parametrize("kind", ["Sync", "Async"])
def test_a_function_in_its_own_process_reports_to_the_service_that_waits_for_it(
    reporter: FunctionSpec, kind: str
) -> None:
    with LocalCloudFlow(functions=[reporter]) as service:
        service.create_flow("f", CALLBACK_FLOW.replace("Async", kind))
        service.start("f", {"order": 1}, execution_name="e")
        execution = service.wait("f", "e")
        assert execution.status == "Succeeded", service.invocations()
        assert (execution.output or {})["key"].startswith("STS.")
        until(lambda: service.invocations()[0].status == "ended")
        invocation = service.invocations("notify")[0]
        assert "working on it" in invocation.log
        assert json.loads(invocation.result)["EventId"]
        assert "secret ***" in invocation.log
        assert "<task-token>" in invocation.log
        assert "<task-token>" in invocation.event


def test_each_invocation_has_credentials_of_its_own(reporter: FunctionSpec) -> None:
    with LocalCloudFlow(functions=[reporter]) as service:
        service.create_flow("f", CALLBACK_FLOW)
        keys = set()
        for name in ("e1", "e2"):
            service.start("f", {"order": 1}, execution_name=name)
            keys.add((service.wait("f", name).output or {})["key"])
        assert len(keys) == 2


def test_a_functions_exception_in_its_own_process_is_named_by_its_class(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text(
        "class OrderRejected(Exception): pass\ndef handler(e, c): raise OrderRejected('no')\n"
    )
    spec = FunctionSpec(name="notify", code_dir=tmp_path, timeout_seconds=30)
    with LocalCloudFlow(functions=[spec]) as service:
        service.create_flow("f", CALLBACK_FLOW.replace("Async", "Sync"))
        service.start("f", {}, execution_name="e")
        execution = service.wait("f", "e")
        assert (execution.status, execution.error, execution.cause) == ("Failed", "OrderRejected", "no")
        assert service.invocations()[0].error_type == "UnhandledInvocationError"


def test_a_closed_service_leaves_a_running_invocation_for_the_next_one(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "index.py").write_text(
        "import os, time\n"
        "def handler(event, context):\n"
        "    open(os.environ['MARK'], 'a').write('run\\n')\n"
        "    while not os.path.exists(os.environ['GO']): time.sleep(0.01)\n"
        "    return {'done': True}\n"
    )
    mark, go = tmp_path / "mark", tmp_path / "go"
    spec = FunctionSpec(
        name="notify", code_dir=code, timeout_seconds=30, environment={"MARK": str(mark), "GO": str(go)}
    )
    flow = CALLBACK_FLOW.replace("waitForCallback", "requestResponse").replace("Async", "Sync")
    with LocalCloudFlow(database=tmp_path / "db", functions=[spec]) as service:
        service.create_flow("f", flow)
        service.start("f", {}, execution_name="e")
        until(lambda: mark.exists() and mark.read_text() == "run\n")
    go.touch()
    with LocalCloudFlow(database=tmp_path / "db", functions=[spec]) as service:
        assert service.wait("f", "e").output == {"done": True}
        assert mark.read_text() == "run\nrun\n"


def test_the_environment_to_export_is_enough_for_a_client(service: LocalCloudFlow) -> None:
    environment = service.environment
    credentials = Credentials.from_environment(environment)
    assert credentials is not None

    client = RawClient(environment["CLOUDFLOW_ENDPOINT"], credentials)
    assert client.v1("ListFlows").status_code == 200
    client.session.close()


def test_a_listener_gets_each_line_of_the_log_once_and_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text(
        "def handler(event, context):\n"
        "    print('attempt', context.retry_count, event.decode(), context.credentials.access_key_secret)\n"
        "    assert context.retry_count\n"
    )
    spec = FunctionSpec(name="notify", code_dir=tmp_path, timeout_seconds=30)
    heard: list[tuple[str, str]] = []
    with LocalCloudFlow(functions=[spec], async_retry_delay_seconds=0.01) as service:
        service.add_log_listener(lambda function, log: heard.append((function, log)))
        service.create_flow("f", CALLBACK_FLOW)
        service.start("f", {"order": 1}, execution_name="e")
        until(lambda: service.invocations()[0].status == "ended")
        token = service.waiting_token("f", "e").reveal()
        until(lambda: "".join(log for _, log in heard) == service.invocations()[0].log)

    assert {function for function, _ in heard} == {"notify"}
    log = "".join(log for _, log in heard)
    for number in range(2):
        assert log.count(f'attempt {number} {{"taskToken":"<task-token>","order":1}} ***') == 1
    assert token not in log


@pytest.mark.parametrize("runtime", ["python3.10", "python3.12", "custom"])
def test_a_line_is_heard_while_the_function_runs_and_an_unended_one_at_the_end(tmp_path: Path, runtime: str) -> None:
    go_on = tmp_path / "go-on"
    (tmp_path / "index.py").write_text(
        "import os, sys, time\n"
        "def handler(event, context):\n"
        "    print('half a line, ', end='', flush=True)\n"
        "    print('and the rest', flush=True)\n"
        f"    while not os.path.exists({str(go_on)!r}): time.sleep(0.01)\n"
        "    print('the end', end='', flush=True)\n"
        "    return {}\n"
    )
    heard: list[str] = []
    spec = FunctionSpec(name="notify", code_dir=tmp_path, runtime=runtime, timeout_seconds=60)
    with LocalCloudFlow(functions=[spec]) as service:
        service.add_log_listener(lambda _function, lines: heard.append(lines))
        service.create_flow("f", CALLBACK_FLOW)
        service.start("f", {"order": 1})
        until(lambda: "half a line, and the rest\n" in "".join(heard))
        assert service.invocations()[0].status == "running"
        go_on.touch()
        until(lambda: "the end" in "".join(heard))


def test_a_line_without_an_end_is_not_kept_twice(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text(
        "def handler(event, context):\n    print('x' * 300_000, flush=True)\n    return {}\n"
    )
    heard: list[str] = []
    with LocalCloudFlow(functions=[FunctionSpec(name="notify", code_dir=tmp_path, timeout_seconds=60)]) as service:
        service.add_log_listener(lambda _function, lines: heard.append(lines))
        service.create_flow("f", CALLBACK_FLOW)
        service.start("f", {"order": 1})
        until(lambda: "too long to be shown" in "".join(heard))
        until(lambda: service.invocations()[0].status == "ended")
        assert "x" * 100_000 in service.invocations()[0].log


def test_a_listener_that_does_not_return_holds_up_no_execution(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text("def handler(event, context):\n    print('here I am')\n    return {}\n")
    flow = CALLBACK_FLOW.replace("    pattern: waitForCallback\n", "").replace("Async", "Sync")
    released = threading.Event()

    def listener(_function: str, _log: str) -> None:
        released.wait(60)

    with LocalCloudFlow(functions=[FunctionSpec(name="notify", code_dir=tmp_path)]) as service:
        service.add_log_listener(listener)
        service.create_flow("f", flow.replace("      - {target: taskToken, source: $context.task.token}\n", ""))
        assert service.wait("f", service.start("f", {"order": 1})).status == "Succeeded"
        released.set()


def test_a_function_that_is_replaced_while_it_runs_returns_its_own_result(tmp_path: Path) -> None:
    flow = CALLBACK_FLOW.replace("    pattern: waitForCallback\n", "").replace("Async", "Sync")
    flow = flow.replace("      - {target: taskToken, source: $context.task.token}\n", "")
    (tmp_path / "index.py").write_text(
        "import pathlib, time\n"
        "def handler(event, context):\n"
        "    pathlib.Path('running').touch()\n"
        "    while not pathlib.Path('go-on').exists(): time.sleep(0.01)\n"
        "    return {'code': 'old'}\n"
    )
    spec = FunctionSpec(name="notify", code_dir=tmp_path)
    with LocalCloudFlow(functions=[spec]) as service:
        service.create_flow("f", flow)
        first = service.start("f")
        until((tmp_path / "running").exists)
        (tmp_path / "index.py").write_text("def handler(event, context): return {'code': 'new'}\n")
        service.add_function(spec)
        second = service.wait("f", service.start("f"))
        (tmp_path / "go-on").touch()

        assert second.output == {"code": "new"}
        assert service.wait("f", first).output == {"code": "old"}
