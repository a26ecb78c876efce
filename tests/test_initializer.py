"""What is loaded and opened before the first report needs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from fc_callback import initializer, task_callback
from tests.cloudflow.quick import KEY, TOKEN
from tests.cloudflow.scripted import ScriptedService


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY.access_key_id)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", KEY.access_key_secret)


def test_the_initializer_s_connection_is_the_first_report_s(role: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedService() as service:
        monkeypatch.setenv("CLOUDFLOW_ENDPOINT", service.endpoint)
        assert initializer(None) == ""
        task_callback(lambda event, context: {})({"taskToken": TOKEN}, None)
        assert (service.connections, service.calls) == (1, 1)


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:9", "http://example.com", "https://no host"])
def test_the_initializer_never_fails(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("CLOUDFLOW_ENDPOINT", endpoint)
    assert initializer(object()) == ""


COLD = """
import json, sys
from fc_callback import task_callback
seen = {"before": "urllib3" in sys.modules}
@task_callback(on_failure="report")
def handler(event, context):
    import requests
    from requests.adapters import HTTPAdapter
    from requests import Session
    return seen
print(handler({"taskToken": "t"}, None))
"""
BUSY = "while True: pass"


def cold(service: ScriptedService, code: str) -> Any:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("COV_", "COVERAGE_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={
            **environ,
            "CLOUDFLOW_ENDPOINT": service.endpoint,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI-x",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "y",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_function_that_imports_requests_itself_gets_the_whole_of_it_on_a_throttled_processor() -> None:
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2)]
    try:
        with ScriptedService() as service:
            for _ in range(3):
                assert cold(service, COLD) == {"before": True}
    finally:
        for process in busy:
            process.kill()
            process.wait(10)


@pytest.mark.parametrize(
    "importing",
    [
        "import asyncio.events",
        "from urllib3.util import Retry",
        "from email.utils import parsedate",
        "import http.client",
    ],
)
def test_a_function_may_import_any_part_of_what_a_report_uses(importing: str) -> None:
    with ScriptedService() as service:
        code = COLD.replace("    import requests\n", f"    {importing}\n")
        assert cold(service, code) == {"before": True}


@pytest.mark.parametrize(
    ("url", "driver"), [("sqlite:////nowhere/once.db", "sqlite3"), ("redis://never.asked/0", "redis")]
)
def test_the_initializer_loads_the_driver_of_the_environment_s_store(
    monkeypatch: pytest.MonkeyPatch, url: str, driver: str
) -> None:
    code = f"""
import sys
from fc_callback import initializer
initializer(None)
print(str({driver!r} in sys.modules).lower())
"""
    with ScriptedService() as service:
        monkeypatch.setenv("CLOUDFLOW_ONCE_STORE", url)
        assert cold(service, code) is True
