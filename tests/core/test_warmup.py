"""What is loaded and opened before the first report needs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from fc_callback import initializer, task_callback
from tests.core.quick import KEY, TOKEN
from tests.core.scripted import ScriptedService


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
seen = {}
@task_callback
def handler(event, context):
    import time
    for _ in range(1000):
        if "urllib3" in sys.modules:
            break
        time.sleep(0.01)
    seen["while it ran"] = "urllib3" in sys.modules
seen["before"] = "urllib3" in sys.modules
handler({"taskToken": "t"}, None)
print(json.dumps(seen))
"""


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


def test_what_a_report_needs_is_loaded_while_the_function_works() -> None:
    with ScriptedService() as service:
        assert cold(service, COLD) == {"before": False, "while it ran": True}
        assert service.calls == 1


def test_a_function_that_is_quicker_than_the_loading_reports_all_the_same() -> None:
    with ScriptedService() as service:
        code = 'from fc_callback import task_callback\nprint(task_callback(lambda e, c: {"a": 1})({"taskToken": "t"}, None))'
        assert cold(service, code) == {"a": 1}
        assert service.requests[0].parameters["Output"] == '{"a":1}'
