"""What an invocation that fails gives."""

from __future__ import annotations

import json
import os
import signal
import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.runtime.runtime_support import eventually, lives

if TYPE_CHECKING:
    from tests.runtime.runtime_support import MakeInstance


def test_an_exception_becomes_a_document_with_the_frames_of_the_users_code(function: MakeInstance) -> None:
    instance = function("""
        class OutOfStock(Exception): pass
        def check(order):
            raise OutOfStock("none left")
        def handler(event, context):
            check(event)
    """)
    result = instance.invoke(b"", credentials=None)
    file = f'File "{instance.spec.code_dir / "index.py"}"'
    assert json.loads(result.body) == {
        "errorMessage": "none left",
        "errorType": "OutOfStock",
        "stackTrace": [
            [file, "line 6", "in handler", "check(event)"],
            [file, "line 4", "in check", 'raise OutOfStock("none left")'],
        ],
    }


def test_the_cause_of_an_exception_is_lost(function: MakeInstance) -> None:
    result = function("""
        def handler(event, context):
            try:
                {}["key"]
            except KeyError as error:
                raise ValueError("second") from error
    """).invoke(b"", credentials=None)
    assert (result.error_name, b"KeyError" in result.body, "KeyError" in result.log) == ("ValueError", False, False)


def test_an_exception_leaves_the_process_warm(function: MakeInstance) -> None:
    instance = function("def handler(event, context): raise ValueError(event.decode())")
    first = instance.invoke(b"1", credentials=None)
    pid = instance.pid
    second = instance.invoke(b"2", credentials=None)
    assert (first.error_message, second.error_message, instance.pid) == ("1", "2", pid)


def test_an_exception_whose_text_cannot_be_made_is_still_named(function: MakeInstance) -> None:
    result = function("""
        class Odd(Exception):
            def __str__(self): raise RuntimeError
        def handler(event, context): raise Odd
    """).invoke(b"", credentials=None)
    assert result.error_name == "Odd"


@pytest.mark.parametrize(
    ("code", "handler", "error_name"),
    [
        ("", "index.handler", "HandlerNotFound"),
        ("", "index", "InvalidHandleName"),
        ("", "missing.handler", "ImportModuleError"),
        ("", "missing/place.handler", "ImportModuleError"),
        ("import no_such_package", "index.handler", "ImportModuleError"),
        ("def handler(:", "index.handler", "UserCodeSyntaxError"),
        ("1 / 0", "index.handler", "UserCodeError"),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_an_error_with_a_name(
    function: MakeInstance, code: str, handler: str, error_name: str
) -> None:
    result = function(code, handler=handler).invoke(b"", credentials=None)
    assert (result.error_type, result.error_name) == ("UnhandledInvocationError", error_name)


@pytest.mark.parametrize("code", ["import no_such_package", "def handler(:", "1 / 0"])
def test_an_error_of_loading_has_a_flat_stack_trace(function: MakeInstance, code: str) -> None:
    result = function(code).invoke(b"", credentials=None)
    trace = json.loads(result.body)["stackTrace"]
    assert "index.py" in trace[0]
    assert all(isinstance(line, str) for line in trace)


def test_a_stack_trace_without_frames_is_left_out(function: MakeInstance) -> None:
    result = function("").invoke(b"", credentials=None)
    assert "stackTrace" not in json.loads(result.body)


def test_a_failed_import_is_tried_again_by_the_next_request(function: MakeInstance) -> None:
    instance = function("""
        import pathlib
        if not pathlib.Path("ready").exists():
            raise RuntimeError("not yet")
        def handler(event, context): return "loaded"
    """)
    assert instance.invoke(b"", credentials=None).error_name == "UserCodeError"
    (instance.spec.code_dir / "ready").touch()
    assert instance.invoke(b"", credentials=None).body == b"loaded"


@pytest.mark.parametrize(("statement", "exit_code"), [("sys.exit(3)", 3), ("os._exit(7)", 7), ("kill()", -9)])
def test_a_process_that_ends_gives_an_error_without_a_type_and_is_replaced(
    function: MakeInstance, statement: str, exit_code: int
) -> None:
    instance = function(f"""
        import os, signal, sys
        def kill(): os.kill(os.getpid(), signal.SIGKILL)
        def handler(event, context):
            if event: {statement}
            return "alive"
    """)
    result = instance.invoke(b"end", credentials=None)
    assert result.error_message.startswith("Process exited unexpectedly before completing request")
    assert (result.error_type, result.error_name) == ("UnhandledInvocationError", "FC.Unknown")
    assert result.exit_code == exit_code
    assert instance.invoke(b"", credentials=None).body == b"alive"


def test_a_process_that_ended_between_two_requests_is_replaced_unseen(function: MakeInstance) -> None:
    instance = function("""
        import os, signal
        def handler(event, context): return str(os.getpid())
    """)
    first = int(instance.invoke(b"", credentials=None).body)
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: not lives(first))
    second = instance.invoke(b"", credentials=None)
    assert (second.error_type, int(second.body) != first) == (None, True)


def test_what_was_printed_before_a_sudden_end_is_in_the_log(function: MakeInstance) -> None:
    result = function("""
        import os
        def handler(event, context):
            print("last words")
            os._exit(1)
    """).invoke(b"", credentials=None)
    assert "last words\n" in result.log


def test_an_end_is_noticed_though_a_child_holds_the_pipes_open(function: MakeInstance) -> None:
    instance = function("""
        import os, time
        def handler(event, context):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            print("child", child)
            os._exit(5)
    """)
    result = instance.invoke(b"", credentials=None)
    assert (result.error_type, result.exit_code) == ("UnhandledInvocationError", 5)


SLEEPER = """
    import threading, time
    def handler(event, context):
        if event:
            threading.Thread(target=time.sleep, args=(60,), name="helper-thread", daemon=True).start()
            time.sleep(60)
        return "in time"
"""


def test_a_function_over_its_time_is_ended_with_143_and_replaced(function: MakeInstance) -> None:
    instance = function(SLEEPER, timeout_seconds=1)
    result = instance.invoke(b"slow", credentials=None)
    assert (result.error_type, result.error_name, result.exit_code) == ("FunctionTimeout", "FC.Unknown", 143)
    assert result.error_message == "Function timed out after 1 seconds"
    assert instance.invoke(b"", credentials=None).body == b"in time"


def test_a_timeout_dumps_the_stack_of_every_thread(function: MakeInstance) -> None:
    result = function(SLEEPER, timeout_seconds=1).invoke(b"slow", credentials=None)
    assert "Dumping stack trace after function timeout" in result.log
    assert "in handler\n    time.sleep(60)" in result.log
    assert "Thread helper-thread:" in result.log


def test_the_import_of_the_module_counts_against_the_timeout(function: MakeInstance) -> None:
    instance = function("import time; time.sleep(60)", timeout_seconds=0.5)
    assert instance.invoke(b"", credentials=None).error_type == "FunctionTimeout"


@pytest.mark.parametrize("runtime", ["python3.12"])  # the grace of three seconds once, not twice
def test_a_function_that_ignores_sigterm_is_killed(function: MakeInstance, runtime: str) -> None:
    result = function(
        textwrap.dedent("""
            import signal, time
            def handler(event, context):
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(60)
        """),
        timeout_seconds=0.5,
    ).invoke(b"", credentials=None)
    assert (result.error_type, result.exit_code) == ("FunctionTimeout", -9)


def test_a_function_held_to_its_memory_sees_memory_error(function: MakeInstance) -> None:
    instance = function("def handler(event, context): return len(bytearray(1 << 30))", memory_mb=512, limit_memory=True)
    assert instance.invoke(b"", credentials=None).error_name == "MemoryError"
