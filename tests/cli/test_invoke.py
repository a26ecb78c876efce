"""`fc-callback invoke`."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from typer.testing import CliRunner

from fc_callback import CloudFlowClient, Credentials
from fc_callback.cli.app import app
from fc_callback.local import LocalCloudFlow
from fc_callback.testing import TaskCloudFlow
from tests.cli.commands import run_command_in_bytes
from tests.cloudflow.scripted import ScriptedService
from tests.runtime.runtime_support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HANDLER = """
    import json
    from fc_callback import initializer, task_callback

    initialize = initializer

    @task_callback
    def handler(event: dict, context):
        print("the order is", event["id"])
        return {"id": event["id"], "request": context.request_id}
"""
PLAIN = """
    def handler(event, context): return event
"""


class Run(Protocol):
    def __call__(
        self, *arguments: str, stdin: bytes = b"", environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]: ...


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(
        *arguments: str, stdin: bytes = b"", environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        with monkeypatch.context() as patched:
            patched.chdir(tmp_path)
            for name, value in (environment or {}).items():
                patched.setenv(name, value)
            return run_command_in_bytes("invoke", *arguments, stdin=stdin)

    return run


@pytest.fixture
def code(tmp_path: Path) -> Any:
    def write(text: str) -> Path:
        (tmp_path / "index.py").write_text(textwrap.dedent(text), encoding="utf-8")
        return tmp_path

    return write


@pytest.mark.parametrize("profile", ["python3.10", "python3.12", "custom"])
def test_a_handler_completes_a_task_without_anything_else_running(run: Run, code: Any, profile: str) -> None:
    code(HANDLER)
    ended = run("--profile", profile, "--payload", '{"id": "o-1"}', "--initializer", "index.initialize")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["id"] == "o-1"
    log = ended.stderr.decode()
    assert "FC Initialize Start RequestId" in log
    assert "the order is o-1" in log
    assert 'Task: it has succeeded with {"id": "o-1"' in log


@pytest.mark.parametrize("event", ["mns-topic", "kafka"])
def test_the_event_comes_in_the_shape_of_any_trigger(run: Run, code: Any, event: str) -> None:
    code(HANDLER)
    ended = run("--event", event, "--payload", '{"id": "o-1"}', "--json")
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["ok"]) == (0, True), document["log"]
    assert document["task"].startswith("it has succeeded with")


def test_the_events_are_listed(run: Run) -> None:
    names = run("--event", "list").stdout.decode().split()
    assert {"direct", "http", "mns-topic", "mns-queue", "oss", "tablestore"} <= set(names)


def test_a_file_is_the_event_byte_by_byte(run: Run, code: Any) -> None:
    (code(PLAIN) / "event.bin").write_bytes(b"\x00\xff\r\n")
    assert run("--event-file", "event.bin").stdout == b"\x00\xff\r\n"


def test_standard_input_is_the_event_or_its_payload(run: Run, code: Any) -> None:
    code(PLAIN)
    assert run("--event-file", "-", stdin=b"\xfe").stdout == b"\xfe"
    assert json.loads(run("--payload", "-", stdin=b'{"id": 7}').stdout)["id"] == 7


def test_a_result_is_encoded_as_the_runtime_does_it(run: Run, code: Any) -> None:
    code("def handler(event, context): return {'b': 1, 'a': 'ü'}")
    assert run().stdout == b'{\n    "a": "\\u00fc",\n    "b": 1\n}'


def test_a_failure_is_the_error_document_and_exit_code_1(run: Run, code: Any) -> None:
    code("def handler(event, context): raise ValueError('bad order')")
    ended = run()
    assert (ended.returncode, json.loads(ended.stdout)["errorType"]) == (1, "ValueError")
    assert b"Failed (UnhandledInvocationError: ValueError)" in ended.stderr


def test_a_process_that_exits_is_a_failure(run: Run, code: Any) -> None:
    code("import sys\ndef handler(event, context): sys.exit(0)")
    ended = run()
    assert (ended.returncode, b"Process exited unexpectedly" in ended.stdout) == (1, True)


@pytest.mark.parametrize("profile", ["python3.12", "custom"])
def test_a_function_over_its_time_ends_with_143(run: Run, code: Any, profile: str) -> None:
    code("import time\ndef handler(event, context): time.sleep(60)")
    ended = run("--timeout", "1", "--profile", profile, "--json")
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["errorType"], document["exitCode"]) == (143, "FunctionTimeout", 143)
    assert "in handler" in document["log"]


def test_memory_is_limited_where_that_is_asked_for(run: Run, code: Any) -> None:
    code("def handler(event, context): return len(bytearray(1 << 30))")
    ended = run("--memory", "512", "--limit-memory")
    assert (ended.returncode, json.loads(ended.stdout)["errorType"]) == (1, "MemoryError")


def test_a_running_local_cloudflow_of_the_shell_is_reported_to(run: Run, code: Any) -> None:
    code(HANDLER)
    with TaskCloudFlow() as service:
        task = service.new_task({"id": "o-7"})
        ended = run("--event-file", "-", stdin=task.event, environment=service.environment)
        assert ended.returncode == 0, ended.stderr
        assert task.output is not None
        assert task.output["id"] == "o-7"


@contextlib.contextmanager
def local_command() -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """`fc-callback local` in another terminal, and the variables that it prints."""
    command = [sys.executable, "-m", "fc_callback", "local", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as service:
        try:
            assert service.stdout is not None
            yield service, json.loads(service.stdout.readline())
        finally:
            service.kill()


@pytest.fixture(scope="module")
def exported() -> Iterator[dict[str, str]]:
    """The variables that a running `fc-callback local` prints."""
    with local_command() as (_, environment):
        yield environment


def executions(environment: dict[str, str]) -> list[dict[str, Any]]:
    """Return the executions of the tasks that were started at the local CloudFlow of these variables."""
    client = CloudFlowClient(
        endpoint=environment["CLOUDFLOW_ENDPOINT"], credentials=Credentials.from_environment(environment)
    )
    listed: list[dict[str, Any]] = client.call("ListExecutions", query={"FlowName": "new-task-cloudflow-3600"})[
        "Executions"
    ]
    return listed


@pytest.mark.parametrize("profile", ["python3.10", "python3.12", "custom"])
def test_with_the_variables_of_a_local_cloudflow_the_task_waits_there(
    run: Run, code: Any, exported: dict[str, str], profile: str
) -> None:
    code(HANDLER)
    run("--payload", '{"id": "before"}', environment=exported)
    before = [one["Name"] for one in executions(exported)]
    ended = run("--profile", profile, "--payload", '{"id": "o-1"}', "--json", environment=exported)
    document = json.loads(ended.stdout)
    assert (ended.returncode, ended.stderr) == (0, b""), document["log"]
    assert document["task"].startswith('it has succeeded with {"id": "o-1"')
    assert json.loads(document["body"])["id"] == "o-1"
    new = [one for one in executions(exported) if one["Name"] not in before]
    assert [(one["Status"], one["Input"]) for one in new] == [("Succeeded", '{"id": "o-1"}')]


@pytest.mark.parametrize("event", ["mns-topic", "http"])
def test_a_task_there_comes_in_the_shape_of_any_trigger(
    run: Run, code: Any, exported: dict[str, str], event: str
) -> None:
    code(
        "from fc_callback import TaskFailed, task_callback\n@task_callback\ndef handler(event, context): raise TaskFailed('No', cause='why')"
    )
    ended = run("--event", event, "--json", environment=exported)
    assert json.loads(ended.stdout)["task"] == "it has failed with 'No': why"


def test_the_token_and_the_keys_of_a_task_there_are_not_in_what_is_printed(
    run: Run, code: Any, exported: dict[str, str]
) -> None:
    code("def handler(event, context): print('event', event, context.credentials.access_key_secret)")
    log = run("--profile", "python3.10", environment=exported).stderr.decode()
    assert 'event b\'{"taskToken": "***"}\' ***' in log
    assert "Task: it waits: it has not been reported." in log


def test_a_local_cloudflow_that_has_ended_is_named_and_not_the_flow(run: Run, code: Any) -> None:
    with local_command() as (_, environment):
        pass
    code(PLAIN)
    ended = run(environment=environment)
    assert (ended.returncode, ended.stdout) == (0, b"{}")
    said = ended.stderr.decode()
    assert "no task was started" in said
    assert f"there is no local CloudFlow at {environment['CLOUDFLOW_ENDPOINT']}" in said
    assert "Start `fc-callback local`" in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ""}, "are not set: export all"),
        ({"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "of-the-run-before"}, "does not accept this shell's key"),
        ({"CLOUDFLOW_ENDPOINT": "https://cn-hangzhou.fnf.aliyuncs.com"}, "which is not a local CloudFlow"),
    ],
    ids=["no key", "a key of another run", "the cloud"],
)
def test_why_no_task_was_made_is_said(
    run: Run, code: Any, exported: dict[str, str], changed: dict[str, str], said: str
) -> None:
    code(PLAIN)
    ended = run(environment={**exported, **changed})
    assert (ended.returncode, ended.stdout) == (0, b"{}")
    assert said in ended.stderr.decode()


def test_what_listens_there_and_is_no_local_cloudflow_is_said(run: Run, code: Any) -> None:
    code(PLAIN)
    with ScriptedService() as other:
        key = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s"}
        ended = run(environment={"CLOUDFLOW_ENDPOINT": other.endpoint, **key})
    assert f"there is no local CloudFlow at {other.endpoint} (it answers 200)" in ended.stderr.decode()


@pytest.mark.parametrize(
    "arguments", [["--payload", '{"taskToken": "MINE"}'], ["--event", "oss"], ["--payload", "text"]]
)
def test_an_event_that_needs_no_task_gets_none(
    run: Run, code: Any, exported: dict[str, str], arguments: list[str]
) -> None:
    code(PLAIN)
    arguments = [one.replace("MINE", "A" * 60) for one in arguments]
    ended = run(*arguments, "--json", environment=exported)
    assert (json.loads(ended.stdout)["task"], ended.stderr) == (None, b"")


def test_a_variable_that_is_empty_is_none(run: Run, code: Any) -> None:
    code(HANDLER)
    ended = run("--payload", '{"id": "o-1"}', "--json", environment={"CLOUDFLOW_ENDPOINT": ""})
    assert json.loads(ended.stdout)["task"].startswith("it has succeeded with")


def test_secrets_are_not_in_what_is_printed_of_the_log(run: Run, code: Any) -> None:
    code("""
        from fc_callback import task_callback
        @task_callback
        def handler(event, context):
            print("event", event, context.credentials.access_key_secret, context.credentials.security_token)
            return {}
    """)
    log = run("--profile", "python3.10").stderr.decode()
    assert 'event b\'{"taskToken": "***"}\' *** ***' in log


def test_secrets_in_a_url_are_not_in_what_is_printed_of_the_log(run: Run, code: Any) -> None:
    code("""
        import json
        from urllib.parse import urlencode
        from fc_callback import task_callback
        @task_callback
        def handler(event, context):
            sts = context.credentials.security_token
            print("POST /?" + urlencode({"TaskToken": json.loads(event)["taskToken"], "SecurityToken": sts}))
            return {}
    """)
    log = run("--profile", "python3.10").stderr.decode()
    assert "POST /?TaskToken=***&SecurityToken=***\n" in log


def test_a_payload_that_no_flow_could_send_is_refused_with_words(run: Run, code: Any) -> None:
    (code(PLAIN) / "payload.json").write_text(json.dumps({"a": "x" * 70_000}))
    ended = run("--payload", "@payload.json")
    assert (ended.returncode, ended.stderr) == (
        1,
        b"fc-callback invoke: EntityTooLarge: The payload size exceeds maximum allowed size (65536 bytes).\n",
    )


def test_a_payload_that_no_flow_could_send_is_why_there_is_no_task(
    run: Run, code: Any, exported: dict[str, str]
) -> None:
    (code(PLAIN) / "payload.json").write_text(json.dumps({"a": "x" * 70_000}))
    ended = run("--payload", "@payload.json", environment=exported)
    assert b"refuses the task: EntityTooLarge" in ended.stderr


def test_variables_are_given_by_name(run: Run, code: Any) -> None:
    code("import os\ndef handler(event, context): return os.environ['GREETING']")
    assert run("--env", "GREETING=a=b").stdout == b"a=b"


def test_a_variable_without_a_value_has_that_of_the_shell(run: Run, code: Any) -> None:
    code("import os\ndef handler(event, context): return os.environ['GREETING']")

    assert run("--env", "GREETING", environment={"GREETING": "a=b"}).stdout == b"a=b"


MANIFEST = """
edition: 3.0.0
name: app
vars: {size: 256}
resources:
  pay:
    component: fc3
    props:
      region: cn-shanghai
      functionName: pay-order
      runtime: python3.10
      handler: index.handler
      code: ./code
      timeout: 7
      memorySize: ${vars.size}
      environmentVariables: {GREETING: "${env('WORD', 'hello')}", PYTHONPATH: /code/python}
      instanceLifecycleConfig: {initializer: {handler: index.boot, timeout: 5}}
  ship:
    component: fc3
    props:
      region: cn-hangzhou
      functionName: ship
      runtime: custom.debian12
      code: ./code
      timeout: 9
      customRuntimeConfig: {port: 9000, command: [python3, -m, fc_callback, serve, index.shipped]}
"""
DESCRIBED = """
import os
import vendored
booted = []
def boot(context): booted.append(context.request_id)
def handler(event, context):
    f = context.function
    return [f.name, f.memory, f.timeout, context.region, os.environ["GREETING"], len(booted), vendored.NAME]
def shipped(event, context): return [context.function.name, context.function.timeout]
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "s.yaml").write_text(MANIFEST, encoding="utf-8")
    (tmp_path / "code" / "python").mkdir(parents=True)
    (tmp_path / "code" / "index.py").write_text(DESCRIBED, encoding="utf-8")
    (tmp_path / "code" / "python" / "vendored.py").write_text("NAME = 'vendored'", encoding="utf-8")
    return tmp_path / "s.yaml"


def test_a_function_runs_as_s_yaml_describes_it(run: Run, manifest: Path) -> None:
    ended = run("--config", "s.yaml", "--resource", "pay")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == ["pay-order", 256, 7, "cn-shanghai", "hello", 1, "vendored"]


def test_what_is_given_wins_over_s_yaml(run: Run, manifest: Path) -> None:
    ended = run("--config", "s.yaml", "--resource", "pay", "--timeout", "5", "--env", "GREETING=bye")
    assert json.loads(ended.stdout)[2:5] == [5, "cn-shanghai", "bye"]


def test_a_custom_runtime_of_s_yaml_is_served_as_its_command_says(run: Run, manifest: Path) -> None:
    ended = run("--config", "s.yaml", "--resource", "ship", "--env", "PYTHONPATH=code/python")
    assert ended.returncode == 1  # `vendored` is found through /code/python, which this function does not name
    (manifest.parent / "code" / "vendored.py").write_text("", encoding="utf-8")
    assert json.loads(run("--config", "s.yaml", "--resource", "ship").stdout) == ["ship", 9]


def test_the_handler_and_the_hooks_of_the_command_run_and_not_those_of_s_yaml(run: Run, manifest: Path) -> None:
    text = manifest.read_text(encoding="utf-8").replace(
        "serve, index.shipped]",
        "serve, --threads, '4', index.shipped, --initializer, index.begin]}\n"
        "      handler: index.gone\n      instanceLifecycleConfig: {initializer: {handler: index.gone}",
    )
    manifest.write_text(text, encoding="utf-8")
    code = "began = []\ndef begin(context): began.append(1)\ndef shipped(event, context): return began\n"
    (manifest.parent / "code" / "index.py").write_text(code, encoding="utf-8")

    ended = run("--config", "s.yaml", "--resource", "ship")

    assert (ended.returncode, json.loads(ended.stdout or b"null")) == (0, [1]), ended.stderr


def test_a_container_runs_the_handler_of_its_dockerfile(run: Run, tmp_path: Path) -> None:
    props = "      runtime: custom-container\n      customContainerConfig: {image: example, port: 9000}\n"
    head = "edition: 3.0.0\nname: app\naccess: default\nresources:\n  job:\n    component: fc3\n    props:\n"
    (tmp_path / "s.yaml").write_text(head + props, encoding="utf-8")
    (tmp_path / "Dockerfile").write_text('FROM python\nCMD ["fc-callback", "serve", "job.work"]\n', encoding="utf-8")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "job.py").write_text("def work(event, context): return event[:11]\n", encoding="utf-8")

    alone = run("--config", "s.yaml")
    assert (alone.returncode, b"Add --code-dir" in alone.stderr) == (2, True)
    ended = run("--config", "s.yaml", "--code-dir", "code", "--event-file", "Dockerfile")

    assert (ended.returncode, ended.stdout) == (0, b"FROM python"), ended.stderr


@pytest.mark.parametrize("profile", ["custom.debian10", "custom.debian11", "custom.debian12"])
def test_a_custom_runtime_of_fc_is_a_profile(run: Run, code: Any, profile: str) -> None:
    code(HANDLER)

    ended = run("--profile", profile, "--payload", '{"id": "o-1"}')

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["id"] == "o-1"


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        ("handler", "InvalidHandleName"),
        ("jobs.index.handler", "ImportModuleError"),
        ("jobs/relative.handler", "ImportModuleError"),
        ("index.gone", "HandlerNotFound"),
    ],
)
def test_a_handler_that_fc_refuses_is_refused_with_its_error(run: Run, code: Any, handler: str, error: str) -> None:
    folder = code(PLAIN)
    (folder / "jobs").mkdir()
    (folder / "jobs" / "index.py").write_text("def handler(event, context): ...\n", encoding="utf-8")
    (folder / "jobs" / "relative.py").write_text("from . import index\n", encoding="utf-8")

    ended = run(handler, "--profile", "python3.10")

    assert (ended.returncode, json.loads(ended.stdout)["errorType"]) == (1, error)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--event", "fax"], "--event 'fax' is not known"),
        (["--profile", "python3.9"], "'python3.9' cannot be run"),
        (["--code-dir", "missing"], "There is no directory missing"),
        (["--config", "none.yaml"], "There is no function in none.yaml"),
        (["--resource", "pay"], "Add --config s.yaml"),
        (["--env", "NOT_SET"], "Write --env NOT_SET=VALUE, or export NOT_SET before"),
        (["--env", "=x"], "--env has no name"),
        (["--event", "oss", "--payload", "{}"], "have no payload"),
        (["--event-file", "x", "--payload", "{}"], "the whole event"),
        (["--memory", "0"], "memory_mb must be greater than 0"),
        (["--no-such-option"], "No such option"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app, ["invoke", *arguments])
    assert (ended.exit_code, said in ended.output) == (2, True), ended.output


def test_several_functions_have_to_be_told_apart(run: Run, manifest: Path) -> None:
    ended = run("--config", "s.yaml")
    assert (ended.returncode, b"--resource pay or ship" in ended.stderr) == (2, True)


def test_watching_runs_again_when_the_code_changes(code: Any, tmp_path: Path) -> None:
    code("def handler(event, context): return 'first'")
    process = subprocess.Popen(
        [sys.executable, "-m", "fc_callback", "invoke", "--watch", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["body"] == "first"
        (tmp_path / "other.txt").write_text("no code")
        code("def handler(event, context): return 'second one'")
        assert json.loads(process.stdout.readline())["body"] == "second one"
        process.send_signal(signal.SIGINT)
        assert eventually(lambda: process.poll() is not None)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


FLOW = """\
version: v1
type: flow
steps:
  - type: task
    name: one
    resourceArn: acs:fc:::services/s/functions/one
    pattern: waitForCallback
    serviceParams: {InvocationType: Async}
    inputMappings:
      - {target: taskToken, source: $context.task.token}
      - {target: id, source: $input.id}
"""


@pytest.fixture
def seen(code: Any) -> Iterator[dict[str, str]]:
    """The variables of a local CloudFlow whose function got the events of o-1 and o-2."""
    got: list[str] = []

    def one(event: bytes, _context: object) -> None:
        got.append(json.loads(event)["id"])

    code(HANDLER)
    with LocalCloudFlow() as service:
        service.add_function(one)
        service.create_flow("one", FLOW)
        for count, name in enumerate(("o-1", "o-2"), start=1):
            service.start("one", {"id": name})
            assert eventually(lambda count=count: len(got) == count)  # type: ignore[misc]  # a lambda in a loop
        yield service.environment


@pytest.mark.parametrize(("number", "order"), [("1", "o-2"), ("2", "o-1")])
def test_an_event_that_the_local_service_has_seen_is_replayed_with_a_new_task(
    run: Run, seen: dict[str, str], number: str, order: str
) -> None:
    ended = run("--replay", number, "--json", environment=seen)
    document = json.loads(ended.stdout)
    assert (ended.returncode, json.loads(document["body"])["id"]) == (0, order), document
    assert document["task"].startswith("it has succeeded with")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--replay", "3"), "has given functions 2 events"),
        (("--replay", "0"), "has given functions 2 events"),
        (("--replay", "1", "--payload", "{}"), "Remove --payload"),
    ],
)
def test_a_replay_that_cannot_be_is_wrong_usage(
    run: Run, seen: dict[str, str], arguments: tuple[str, ...], told: str
) -> None:
    ended = run(*arguments, environment=seen)
    assert (ended.returncode, told in ended.stderr.decode()) == (2, True), ended.stderr


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:1", "https://cn-hangzhou.fnf.aliyuncs.com"])
def test_a_replay_without_a_local_cloudflow_says_what_to_start(run: Run, code: Any, endpoint: str) -> None:
    code(PLAIN)
    ended = run("--replay", "1", environment={"CLOUDFLOW_ENDPOINT": endpoint})
    assert (ended.returncode, b"`fc-callback local`" in ended.stderr) == (2, True), ended.stderr
