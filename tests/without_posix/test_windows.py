"""What works without the calls that Windows lacks; and what needs them says so."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from fc_callback.scaffolding import render_template
from tests.without_posix.lacking import WINDOWS, names_of, run_code, run_python

if TYPE_CHECKING:
    from pathlib import Path

FLOW = """
Type: StateMachine
Name: orders
SpecVersion: v1
StartAt: Charge
States:
  - Name: Charge
    Type: Task
    Action: FC:InvokeFunction
    TaskMode: WaitForCustomCallback
    Timeout: 60
    Parameters:
      resourceArn: acs:fc:cn-hangzhou:1000000000000001:functions/{function}/LATEST
      invocationType: Async
      body: {{"taskToken.$": "$Context.Current.TaskToken", "id.$": "$Input.id"}}
    End: true
"""
NEEDS_POSIX = (
    "Functions run in processes of their own, as on FC, only on Linux and macOS: run this in WSL or in a container, "
    "or in a test give the callable itself to LocalCloudFlow.add_function."
)


def on_windows(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_python(*arguments, system=WINDOWS, folder=folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that `fc-callback new` has made there."""
    folder = tmp_path_factory.mktemp("windows")
    ran = on_windows("-m", "fc_callback", "new", "event-callback", "orders", "--defaults", folder=folder)
    assert (ran.returncode, ran.stderr) == (0, "")
    return folder / "orders"


def test_the_names_are_those_of_this_python_on_linux() -> None:
    """Otherwise nothing would be lacking."""
    lacking = names_of(WINDOWS)
    assert {"register_at_fork", "killpg", "fork", "setsid"} <= set(lacking["os"])
    assert {"fcntl", "resource", "pwd"} <= set(lacking["modules"])
    code = "import os, signal, fcntl; print(hasattr(os, 'killpg'), hasattr(signal, 'SIGKILL'))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == [
        "True",
        "True",
    ]


def test_decorated_functions_of_the_process_complete_the_tasks_of_a_flow(tmp_path: Path) -> None:
    ran = run_code(
        f"""
        import asyncio, json
        from fc_callback import Logger, once, task_callback
        from fc_callback.local import LocalCloudFlow

        log = Logger()
        FLOW = {FLOW!r}

        @task_callback(once=once("id", store="sqlite:///once.db"))
        def plain(event, context):
            log.info("charging", order=json.loads(event)["id"])
            return {{"by": "plain"}}

        @task_callback
        async def waiting(order: dict, context):
            await asyncio.sleep(0)
            return {{"by": "waiting"}}

        with LocalCloudFlow(database="flows.db") as service:
            for function in (plain, waiting):
                service.add_function(function)
                name = function.__name__
                service.create_flow(name, FLOW.format(function=name))
                ended = service.wait(name, service.start(name, {{"id": "o-1"}}), timeout=60)
                print(ended.status, ended.output["by"])
        import fc_callback.runtime.process
        assert not hasattr(fc_callback.runtime.process.os, "killpg"), "nothing was lacking"
        """,
        system=WINDOWS,
        folder=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["Succeeded plain", "Succeeded waiting"]
    assert "charging" in ran.stderr


def test_the_pytest_plugin_runs_handlers_in_the_process_of_the_test(tmp_path: Path) -> None:
    (tmp_path / "test_pay.py").write_text(
        textwrap.dedent("""
            from fc_callback import task_callback
            from fc_callback.testing import Fault

            @task_callback
            def pay(order: dict, context):
                return {"orderId": order["orderId"]}

            def test_an_order_is_paid(local_cloudflow, fc_context, no_waiting):
                task = local_cloudflow.new_task({"orderId": 1})
                local_cloudflow.inject(Fault("throttle"))
                pay(task.event, fc_context())
                task.assert_succeeded_with({"orderId": 1})
        """),
        "utf-8",
    )
    ran = on_windows("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_pay.py", folder=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout


def test_a_new_project_has_the_bytes_that_it_has_elsewhere(project: Path, tmp_path: Path) -> None:
    render_template("event-callback", tmp_path / "here")
    made = {path.relative_to(tmp_path / "here"): path for path in (tmp_path / "here").rglob("*") if path.is_file()}
    assert len(made) > 10
    assert [name for name, path in made.items() if (project / name).read_bytes() != path.read_bytes()] == []


def test_a_function_of_an_existing_project_becomes_a_task(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "index.py").write_bytes(b"def handler(event, context):\r\n    return {}\r\n")
    (tmp_path / "code" / "requirements.txt").touch()
    (tmp_path / "s.yaml").write_text(
        textwrap.dedent("""
            edition: 3.0.0
            name: hello
            resources:
              hello:
                component: fc3
                props:
                  region: cn-hangzhou
                  functionName: hello
                  runtime: python3.10
                  code: ./code
                  handler: index.handler
        """),
        "utf-8",
    )
    added = on_windows("-m", "fc_callback", "add", "--yes", folder=tmp_path)
    assert (added.returncode, added.stderr) == (0, "")
    module = (tmp_path / "code" / "index.py").read_bytes()
    assert b'@task_callback(on_failure="report")\r\ndef handler' in module
    assert b"\n" not in module.replace(b"\r\n", b"")
    assert (tmp_path / "s.yaml.orig").is_file()
    checked = on_windows("-m", "fc_callback", "check", folder=tmp_path)
    assert checked.stdout.endswith("\n0 errors, 1 warning\n")


def test_a_project_is_checked_and_a_text_that_the_terminal_cannot_show_is_escaped(
    project: Path, tmp_path: Path
) -> None:
    shutil.copytree(project, tmp_path / "orders")
    index = tmp_path / "orders" / "code" / "index.py"
    index.write_text(f"{index.read_text('utf-8')}\nraise RuntimeError('订单')\n", "utf-8")

    found = on_windows("-m", "fc_callback", "check", folder=tmp_path / "orders")

    assert (found.returncode, found.stderr) == (1, "")
    assert "\\u8ba2\\u5355 [handler-import]" in found.stdout
    assert found.stdout.endswith("\n1 error, 1 warning\n")


def test_a_module_that_hangs_is_told_and_ended(tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text("import time\ntime.sleep(600)\n")
    ran = run_code(
        """
        from pathlib import Path
        from fc_callback.checking.importing import import_handlers
        found = import_handlers(
            Path.cwd(), ["hanging.handler"], runtime="python3.10", environment={}, time_limit_seconds=0.5
        )
        print([one.kind for one in found])
        """,
        system=WINDOWS,
        folder=tmp_path,
    )
    assert (ran.stdout, ran.stderr) == ("['FunctionTimeout']\n", "")


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["invoke", "index.handler", "--code-dir", "code", "--payload", "{}"], 2),
        (["local", "--port", "0"], 2),
        (["local", "--port", "0", "--function", "f=code:index.handler"], 2),
        (["demo", "--keep", "kept"], 1),
    ],
    ids=["invoke", "local in a project", "local with a function", "demo"],
)
def test_a_command_that_needs_processes_as_fc_has_them_says_so_in_a_sentence(
    project: Path, arguments: list[str], exit_code: int
) -> None:
    ran = on_windows("-m", "fc_callback", *arguments, folder=project)

    assert ran.returncode == exit_code
    said = " ".join((ran.stderr or ran.stdout).split())
    assert said.endswith(NEEDS_POSIX)
    assert "Traceback" not in said
    assert not (project / "kept").exists()


def test_a_store_behind_a_unix_socket_is_refused_by_name(tmp_path: Path) -> None:
    ran = run_code(
        """
        from fc_callback import FcCallbackError
        from fc_callback.idempotency import open_store
        try:
            open_store("unix:///run/redis.sock")
        except FcCallbackError as error:
            print(error)
        """,
        system=WINDOWS,
        folder=tmp_path,
    )
    assert ran.stdout == "This system has no Unix sockets: name the Redis server with redis:// or rediss://.\n", (
        ran.stderr
    )
