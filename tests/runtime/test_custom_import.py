"""A module of the custom profile that hangs, or ends its process, while it is imported."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fc_callback.local import LocalCloudFlow
from tests.runtime.runtime_support import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runtime.runtime_support import MakeInstance, MakeSpec


@pytest.fixture
def runtime() -> str:
    return "custom"


HANGING = "import time\ntime.sleep(600)"


def test_a_module_that_hangs_is_said_when_the_functions_time_is_up(function: MakeInstance) -> None:
    result = function(HANGING, timeout_seconds=1).invoke(b"", credentials=None)
    assert (result.error_type, result.exit_code) == ("FunctionTimeout", 143)
    assert result.error_message == "Function timed out after 1 seconds while index was being imported"
    assert 'index.py", line 2' in result.log
    assert result.duration_seconds < 30


@pytest.mark.parametrize("code", ["import sys; sys.exit(3)", "import os; os._exit(3)"])
def test_a_module_that_ends_its_process_is_said_at_once(function: MakeInstance, code: str) -> None:
    result = function(code).invoke(b"", credentials=None)
    assert (result.error_type, result.exit_code) == ("UnhandledInvocationError", 3)
    assert result.error_message == (
        "Process exited unexpectedly before completing request while index was being imported (exit code: 3)"
    )


def test_the_log_names_the_module_that_called_sys_exit(function: MakeInstance) -> None:
    log = function("import sys; sys.exit('no database')").invoke(b"", credentials=None).log
    assert "sys.exit('no database') was called while index.handler was being imported." in log


def test_the_next_invocation_gets_a_new_process(function: MakeInstance) -> None:
    instance = function("""
        import os, pathlib
        if not pathlib.Path("ready").exists(): os._exit(4)
        def handler(event, context): return "ok"
    """)
    assert instance.invoke(b"", credentials=None).exit_code == 4
    (instance.spec.code_dir / "ready").touch()
    assert instance.invoke(b"", credentials=None).body == b"ok"


def test_the_time_that_the_import_takes_is_the_functions(function: MakeInstance) -> None:
    instance = function(
        """
        import time
        time.sleep(3)
        def handler(event, context): time.sleep(60)
        """,
        timeout_seconds=4,
    )
    result = instance.invoke(b"", credentials=None)
    assert (result.error_type, result.error_message) == ("FunctionTimeout", "Function timed out after 4 seconds")
    assert result.duration_seconds < 7


def test_a_flow_sees_a_failure_of_the_function_and_not_of_fc(spec: MakeSpec) -> None:
    definition = """
        version: v1
        type: flow
        steps:
          - {type: task, name: pay, resourceArn: "acs:fc:::services/s/functions/orders"}
    """
    with LocalCloudFlow(functions=[spec("import os; os._exit(3)")]) as service:
        service.create_flow("pay", definition)
        ended = service.wait("pay", service.start("pay"), timeout=60)
    assert (ended.status, ended.error) == ("Failed", "FC.Unknown")


def test_an_instance_can_be_closed_while_its_module_hangs(function: MakeInstance) -> None:
    from concurrent.futures import ThreadPoolExecutor

    instance = function("open('importing', 'w').close()\n" + HANGING, timeout_seconds=600)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(instance.invoke, b"", credentials=None)
        assert eventually((instance.spec.code_dir / "importing").exists, seconds=60)
        instance.close()
        assert running.result(30).error_message.startswith("Process exited unexpectedly")


def test_a_server_that_is_told_to_end_in_the_import_says_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text("open('importing', 'w').close()\n" + HANGING, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "fc_callback", "serve", "index.handler", "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert eventually((tmp_path / "importing").exists, seconds=60)
        process.send_signal(signal.SIGTERM)
        log, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 143
    assert "SIGTERM came while the handler's module was being imported:" in log
    assert 'index.py", line' in log
