"""A misspelt setting is warned about in the log, once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fc_callback import settings
from fc_callback.testing import TaskCloudFlow

DECORATED = """
import logging
logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")

from fc_callback import task_callback

@task_callback
def handler(event, context):
    return {}

print("decorated", file=__import__("sys").stderr, flush=True)
"""
TWO_EVENTS = """
import sys
for event in sys.argv[1:]:
    handler(event.encode(), None)
"""


def said(program: str, *arguments: str, **environment: str) -> list[str]:
    """Run a program in a process of its own; return what it wrote to its log, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def test_a_misspelt_variable_is_warned_about_once_at_the_first_event_with_the_name_that_was_meant() -> None:
    with TaskCloudFlow() as service:
        key = service.session()
        tasks = [service.new_task({}) for _ in range(2)]
        lines = said(
            DECORATED + TWO_EVENTS,
            *(task.event.decode() for task in tasks),
            CLOUDFLOW_ENDPOINT=service.endpoint,
            CLOUDFLOW_READ_TIMEUOT="hunter2",
            ALIBABA_CLOUD_ACCESS_KEY_ID=key.access_key_id,
            ALIBABA_CLOUD_ACCESS_KEY_SECRET=key.access_key_secret,
            ALIBABA_CLOUD_SECURITY_TOKEN=key.security_token or "",
        )
        for task in tasks:
            task.assert_succeeded()

    assert lines[0] == "decorated"
    (warning,) = (line for line in lines if "CLOUDFLOW_" in line)
    assert warning.startswith("WARNING fc_callback: The environment variable CLOUDFLOW_READ_TIMEUOT is not a setting")
    assert warning.endswith("Did you mean CLOUDFLOW_READ_TIMEOUT?")
    assert "hunter2" not in str(lines)


def test_importing_and_decorating_warn_of_nothing() -> None:
    assert said(DECORATED, CLOUDFLOW_ENDPIONT="x") == ["decorated"]


READING = "from fc_callback import settings; settings.text('CLOUDFLOW_REGION'); settings.text('CLOUDFLOW_NETWORK')"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CLOUDFLOW_ENDPIONT", "CLOUDFLOW_ENDPOINT"),
        ("CLOUDFLOW_STORE", "CLOUDFLOW_ONCE_STORE"),
        ("CLOUDFLOW_SEALKEY", "CLOUDFLOW_SEAL_KEY"),
        ("cloudflow_region", "CLOUDFLOW_REGION"),
        ("CLOUDFLOW_TIMEOUT", "CLOUDFLOW_READ_TIMEOUT"),
    ],
)
def test_the_nearest_known_name_is_told(name: str, meant: str) -> None:
    (line,) = said(READING, **{name: "secret-value"})

    assert f"{name} is not a setting" in line
    assert line.endswith(f"Did you mean {meant}?")
    assert "secret-value" not in line


def test_a_name_that_is_near_none_is_told_without_one() -> None:
    (line,) = said(READING, CLOUDFLOW_ZZZ="1")

    assert line.endswith("CLOUDFLOW_ZZZ is not a setting of fc_callback and has no effect.")


def test_each_misspelt_variable_is_told() -> None:
    assert len(said(READING, CLOUDFLOW_ENDPIONT="1", CLOUDFLOW_REIGON="2")) == 2


def test_a_log_filter_that_raises_costs_the_warning_and_not_the_event() -> None:
    filtered = "import logging\nlogging.getLogger('fc_callback').addFilter(lambda record: record.tenant)\n"

    assert said(filtered + READING, CLOUDFLOW_REIGON="2") == []


def test_what_is_spelt_right_and_what_is_not_ours_is_not_warned_about() -> None:
    known = {one.name: "1" for one in settings.VARIABLES}

    assert said(READING, **known, CLOUDFLOWER="1", MY_CLOUDFLOW_ENDPOINT="1") == []


def test_threads_that_read_their_first_setting_together_warn_once() -> None:
    program = (
        "import threading; from fc_callback import settings\n"
        "ready = threading.Barrier(16)\n"
        "def read():\n    ready.wait()\n    settings.text('CLOUDFLOW_REGION')\n"
        "threads = [threading.Thread(target=read) for _ in range(16)]\n"
        "for each in threads: each.start()\n"
        "for each in threads: each.join()\n"
    )

    assert len(said(program, CLOUDFLOW_ENDPIONT="1")) == 1
