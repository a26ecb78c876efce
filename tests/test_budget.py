"""What a cold start loads, and what a report costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from types import FrameType

import pytest

import fc_callback
from fc_callback import task_callback
from fc_callback.testing import make_context
from tests.cloudflow.quick import KEY, TOKEN
from tests.cloudflow.scripted import ScriptedService
from tests.waiting import WaitingTasks

# What a report does not need: it is loaded where a function asks for it.
UNNEEDED = [
    "pydantic",
    "pydantic_core",
    "asyncio",
    "attr",
    "attrs",
    "sqlite3",
    "redis",
    "cryptography",
    "multiprocessing",
    "concurrent.futures.thread",
    "unittest",
    "fc_callback.events",
    "fc_callback.idempotency.options",
    "fc_callback.idempotency.store",
    "fc_callback.idempotency.work",
    "fc_callback.local",
    "fc_callback.logs.logger",
    "fc_callback.runtime",
    "fc_callback.testing",
]
# What belongs to HTTP: helpers for plain handlers do without it.
HTTP = ["requests", "urllib3", "ssl", "fc_callback.cloudflow"]
STANDARD_LIBRARY = sys.stdlib_module_names
COLD_START = """
import json, sys
before = set(sys.modules)
{code}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
DECORATING = """
from fc_callback import task_callback
@task_callback
def handler(event, context):
    return {}
"""
WITH_OPTIONS = """
from fc_callback import FcContext, Task, TaskFailed, task_callback
@task_callback(token="data.ticket", on_failure="report", transient=(OSError,), error_names={ValueError: "Bad"})
def handler(event: bytes, context: FcContext, task: Task) -> dict:
    return {}
"""


def loaded_by(code: str) -> list[str]:
    """Return the modules that code loads in a fresh interpreter, beside those it starts with."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("COV_", "COVERAGE_"))}
    done = subprocess.run(
        # -S would be stricter, but site is what FC's runtime has as well; so are the modules that its loader imports.
        [sys.executable, "-c", "import logging, traceback\n" + COLD_START.replace("{code}", code)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def found(modules: Iterable[str], names: list[str]) -> set[str]:
    return {name for name in names if any(one == name or one.startswith(f"{name}.") for one in modules)}


@pytest.mark.parametrize("code", [DECORATING, WITH_OPTIONS], ids=["bare", "options"])
def test_decorating_a_plain_function_loads_what_a_report_needs_and_nothing_else(code: str) -> None:
    loaded = loaded_by(code)
    assert found(loaded, UNNEEDED) == set()
    assert {"requests", "ssl", "fc_callback.cloudflow.transport"} <= set(loaded)


REPORTING = """
import os, socket, threading
from fc_callback import task_callback
listening = socket.create_server(("127.0.0.1", 0))
os.environ["CLOUDFLOW_ENDPOINT"] = f"http://127.0.0.1:{listening.getsockname()[1]}"
os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"] = os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] = "key"
def answer():
    connection, _ = listening.accept()
    connection.recv(100_000)
    body = b'{"EventId": 1, "RequestId": "r"}'
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
threading.Thread(target=answer, daemon=True).start()
seen = {}
@task_callback(on_failure="report")
def handler(event, context):
    seen.update(modules=set(sys.modules), threads=[one.name for one in threading.enumerate()])
    return {"n": 1}
socket.getaddrinfo("127.0.0.1", 80)  # the codec of host names is Python's own
before = set(sys.modules)
handler(b'{"taskToken": "t"}', None)
assert not [name for name in seen["threads"] if "fc_callback" in name], seen["threads"]
"""


def test_a_first_event_imports_nothing_and_no_thread_of_ours_is_beside_the_function() -> None:
    assert [name for name in loaded_by(REPORTING) if name.partition(".")[0] not in STANDARD_LIBRARY] == []


def test_importing_the_package_loads_the_package_alone() -> None:
    own = [name for name in loaded_by("import fc_callback") if name.startswith("fc_callback")]
    assert own == ["fc_callback", "fc_callback._lazy"]


@pytest.mark.parametrize(
    "code",
    [
        "from fc_callback import Logger",
        "from fc_callback import event_parser",
        "from fc_callback import layers",
        "from fc_callback import once",
        "from fc_callback import current_task, Task, TaskFailed, FcContext",
    ],
)
def test_a_helper_by_itself_costs_no_http(code: str) -> None:
    assert found(loaded_by(code), HTTP) == set()


def test_values_show_their_fields_without_loading_what_shows_them() -> None:
    code = "import fc_callback.cloudflow.retry, fc_callback.values.context, fc_callback.values.token, fc_callback.transport"
    assert found(loaded_by(code), ["inspect", "attr", "dataclasses"]) == set()


@pytest.mark.parametrize(("code", "most"), [("import fc_callback", 7)])
def test_a_cold_start_loads_few_modules(code: str, most: int) -> None:
    modules = loaded_by(code)
    assert len(modules) <= most, modules


def test_a_model_in_an_annotation_is_what_loads_pydantic() -> None:
    code = """
import typing
from fc_callback import task_callback
class Order(typing.NamedTuple):
    id: int
def handler(event: Order, context): ...
task_callback(handler)
"""
    assert "pydantic" in loaded_by(code)


def test_a_report_on_a_warm_connection_is_one_call_on_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedService() as service:
        monkeypatch.setenv("CLOUDFLOW_ENDPOINT", service.endpoint)
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY.access_key_id)
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", KEY.access_key_secret)
        handler = task_callback(lambda event, context: {"n": 1})
        for _ in range(10):
            handler({"taskToken": TOKEN}, None)
        assert (service.calls, service.connections) == (10, 1)


def test_a_report_s_request_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedService() as service:
        monkeypatch.setenv("CLOUDFLOW_ENDPOINT", service.endpoint)
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY.access_key_id)
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", KEY.access_key_secret)
        task_callback(lambda event, context: {"n": 1})({"taskToken": TOKEN}, None)
        (request,) = service.requests
        assert len(request.path) + sum(len(name) + len(value) for name, value in request.headers.items()) < 1000


@pytest.mark.parametrize(
    ("what", "most"),
    [
        ("calls", 190),
        ("files", 17),
        ("moves", 50),
    ],
)
def test_a_warm_event_is_a_short_way_through_few_files(tasks: WaitingTasks, what: str, most: int) -> None:
    @task_callback
    def handler(event: bytes, context: object) -> dict[str, int]:
        return {"ok": 1}

    own = str(Path(fc_callback.__file__).parent)
    called: list[str] = []

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(own):
            called.append(frame.f_code.co_filename)

    for profile in (None, None, None, count):
        event, context = tasks.new().event, make_context(credentials=tasks.service.session())
        sys.setprofile(profile)
        handler(event, context)
        sys.setprofile(None)
    moves = sum(one != other for one, other in pairwise(called))
    assert called
    assert {"calls": len(called), "files": len(set(called)), "moves": moves}[what] <= most
