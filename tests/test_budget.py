"""What a cold start loads, and what a report costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable

import pytest

from fc_callback import task_callback
from tests.core.quick import KEY, TOKEN
from tests.core.scripted import ScriptedService

# What is loaded when first needed, and not before.
HEAVY = [
    "requests",
    "urllib3",
    "pydantic",
    "pydantic_core",
    "asyncio",
    "ssl",
    "http",
    "email",
    "dataclasses",
    "importlib.metadata",
    "socket",
    "sqlite3",
    "multiprocessing",
    "concurrent",
    "unittest",
    "typing_extensions",
    "uuid",
    "decimal",
]
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


def heavy(modules: Iterable[str]) -> set[str]:
    return {name for name in HEAVY if any(one == name or one.startswith(f"{name}.") for one in modules)}


@pytest.mark.parametrize("code", ["import fc_callback", DECORATING, WITH_OPTIONS], ids=["import", "bare", "options"])
def test_decorating_a_plain_function_loads_nothing_heavy(code: str) -> None:
    assert heavy(loaded_by(code)) == set()


def test_importing_the_package_loads_the_package_alone() -> None:
    assert [name for name in loaded_by("import fc_callback") if name.startswith("fc_callback")] == ["fc_callback"]


@pytest.mark.parametrize(("code", "most"), [("import fc_callback", 6), (DECORATING, 33), (WITH_OPTIONS, 41)])
def test_a_cold_start_loads_few_modules(code: str, most: int) -> None:
    modules = loaded_by(code)
    assert len(modules) <= most, modules


REPORTING = """
from fc_callback import callback, decoding, softdeadline, warmup
warmup.load_client()
"""


@pytest.mark.parametrize(("code", "unneeded"), [(DECORATING, ["attr", "inspect"]), (REPORTING, ["attr", "pydantic"])])
def test_an_instance_loads_no_attrs_before_its_first_report(code: str, unneeded: list[str]) -> None:
    loaded = loaded_by(code)
    assert [name for name in loaded if name.split(".")[0] in unneeded] == []


def test_a_model_in_an_annotation_is_what_loads_pydantic() -> None:
    code = """
import typing
from fc_callback import task_callback
class Order(typing.NamedTuple):
    id: int
def handler(event: Order, context): ...
task_callback(handler)
"""
    assert "pydantic" in heavy(loaded_by(code))


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
