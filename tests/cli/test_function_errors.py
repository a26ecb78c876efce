"""How `fc-callback invoke` and `fc-callback local` show the error of a function: to a person, and to a program."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from fc_callback import CloudFlowClient, Credentials
from tests.cli.commands import run_process
from tests.cli.screen import terminal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FAILING = """
    import json
    from fc_callback import task_callback

    @task_callback
    def handler(event: dict, context):
        print("the order is", event["id"])
        return price(event)

    def price(order):
        return json.loads("{")
"""
FLOW = """\
version: v1
type: flow
steps:
  - type: task
    name: one
    resourceArn: acs:fc:::services/s/functions/one
"""
SHOWN = """\
Traceback (most recent call last):
  index.py:8 in handler
      return price(event)
  index.py:11 in price
      return json.loads("{")
  3 frames in json
JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)
"""
# Python 3.10 cannot hide the handler's own frame: it is the first one, before the user's.
FIRST = int(sys.version_info < (3, 11))
PAYLOAD = ("--payload", '{"id": "o-1"}')


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "index.py").write_text(textwrap.dedent(FAILING), encoding="utf-8")
    return tmp_path


def shown_in(folder: Path, *arguments: str) -> tuple[str, str, int]:
    """Return what a terminal shows for `fc-callback invoke`: without colours, with colours, and the exit code."""
    with terminal("invoke", *arguments, cwd=folder) as screen:
        code = screen.end()
        return screen.plain, screen.text, code


@pytest.mark.parametrize("profile", ["python3.12", "custom"])
def test_a_terminal_shows_the_users_frames_once_and_no_json(code: Path, profile: str) -> None:
    plain, coloured, exit_code = shown_in(code, *PAYLOAD, "--profile", profile)
    assert SHOWN in plain
    assert plain.count("Expecting property name") == 1
    assert "errorMessage" not in plain
    assert "the order is o-1\n" in plain
    assert "\x1b[1;31mJSONDecodeError" in coloured
    assert exit_code == 1


def test_a_pipe_gets_the_json_of_fc(code: Path) -> None:
    ended = run_process("invoke", "--code-dir", str(code), *PAYLOAD)
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["errorType"]) == (1, "JSONDecodeError")
    own = [frame[2] for frame in document["stackTrace"] if "index.py" in frame[0]]
    assert (own, "index.py" in document["stackTrace"][FIRST][0]) == (["in handler", "in price"], True)
    assert "\x1b[" not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_json_at_a_terminal_is_one_line_of_json(code: Path) -> None:
    plain, coloured, exit_code = shown_in(code, *PAYLOAD, "--json")
    assert json.loads(plain)["errorName"] == "JSONDecodeError"
    assert (exit_code, "\x1b[" in coloured) == (1, False)


def test_an_import_that_fails_is_shown_where_it_failed(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text("import shop\n", encoding="utf-8")
    (tmp_path / "shop.py").write_text("def price(:\n", encoding="utf-8")
    plain, _, _ = shown_in(tmp_path)
    assert "  shop.py:1\n      def price(:\n" in plain
    assert plain.count("UserCodeSyntaxError: Syntax error in module 'index'") == 1


def test_a_function_over_its_time_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text("import time\ndef handler(event, context): time.sleep(60)\n", encoding="utf-8")
    plain, _, exit_code = shown_in(tmp_path, "--timeout", "2")
    assert "\nFunction timed out after 2 seconds\n" in plain
    assert (exit_code, "errorMessage" in plain) == (143, False)


def test_the_token_of_the_task_is_masked_in_an_error(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text(
        "import json\ndef handler(event, context):\n"
        "    token = json.loads(event)['taskToken']\n    raise ValueError(f'no {token} here')\n",
        encoding="utf-8",
    )
    plain, _, _ = shown_in(tmp_path)
    assert "ValueError: no *** here" in plain


def test_brackets_and_backslashes_of_a_message_are_shown_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text(
        "def handler(event, context):\n    raise KeyError('[red]C:\\\\temp[/red]')\n", encoding="utf-8"
    )
    plain, _, _ = shown_in(tmp_path)
    assert r"KeyError: '[red]C:\\temp[/red]'" in plain


def environment_of(lines: Iterable[str]) -> dict[str, str]:
    return dict(line.strip().removeprefix("export ").split("=", 1) for line in lines if "  export " in line)


def start_flow(environment: dict[str, str]) -> None:
    key = Credentials(
        access_key_id=environment["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        access_key_secret=environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
    )
    client = CloudFlowClient(endpoint=environment["CLOUDFLOW_ENDPOINT"], credentials=key)
    client.call("StartExecution", form={"FlowName": "one", "Input": "{}"})


@pytest.fixture
def service(tmp_path: Path) -> list[str]:
    """The command line of a local service with a flow whose function fails."""
    (tmp_path / "index.py").write_text("def handler(event, context):\n    raise ValueError('bad order')\n")
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    return ["local", "--port", "0", "-f", f"one={tmp_path}:index.handler", "--flow", f"one={tmp_path}/flow.yaml"]


def test_the_local_service_shows_a_terminal_the_users_frames_under_the_functions_name(
    service: list[str], tmp_path: Path
) -> None:
    with terminal(*service, cwd=tmp_path) as screen:
        start_flow(environment_of(screen.read_until("Press Ctrl-C").splitlines()))
        shown = screen.read_until("FC Invoke End")
    assert "errorMessage" not in shown
    assert "\n[one]   index.py:2 in handler\n[one]       raise ValueError('bad order')\n" in shown
    assert shown.count("[one] ValueError: bad order\n") == 1


def test_the_local_service_writes_the_json_of_fc_into_a_pipe(service: list[str]) -> None:
    command = [sys.executable, "-m", "fc_callback", *service, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            assert running.stderr is not None
            start_flow(json.loads(running.stdout.readline()))
            record = next(line for line in iter(running.stderr.readline, "") if "[ERROR]" in line)
        finally:
            running.kill()
    assert json.loads(record.partition("[ERROR] ")[2])["errorMessage"] == "bad order"


@pytest.mark.parametrize("form", ["json", "console"])
def test_the_error_is_shown_once_if_the_function_has_our_logger(tmp_path: Path, form: str) -> None:
    (tmp_path / "index.py").write_text(
        textwrap.dedent(f"""
            from fc_callback import Logger

            log = Logger(form="{form}")

            def handler(event, context):
                log.info("Charging", order="o-1")
                raise ValueError("bad order")
        """),
        encoding="utf-8",
    )
    plain, _, _ = shown_in(tmp_path)
    assert plain.count("bad order") == 2  # the line of code, and the error
    assert "Charging" in plain
    assert "errorMessage" not in plain


LOGGING = """
from fc_callback import Logger

log = Logger()

def handler(event, context):
    log.info("Charging", order="o-1")
    return {}
"""


@pytest.mark.parametrize("profile", ["python3.12", "custom"])
def test_log_console_makes_the_records_of_our_logger_lines_for_people(tmp_path: Path, profile: str) -> None:
    (tmp_path / "index.py").write_text(LOGGING, encoding="utf-8")
    ended = run_process("invoke", "--code-dir", str(tmp_path), "--profile", profile, "--log", "console")
    assert re.search(r"\d\d:\d\d:\d\d INFO +Charging .*order=o-1\n", ended.stderr), ended.stderr
    assert '"Charging"' not in ended.stderr


def test_without_log_console_a_record_is_json_as_in_the_cloud(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text(LOGGING, encoding="utf-8")
    ended = run_process("invoke", "--code-dir", str(tmp_path))
    assert '"message": "Charging"' in ended.stderr or '"message":"Charging"' in ended.stderr


def test_the_local_service_has_log_console_too(service: list[str], tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text(LOGGING, encoding="utf-8")
    with terminal(*service, "--log", "console", cwd=tmp_path) as screen:
        start_flow(environment_of(screen.read_until("Press Ctrl-C").splitlines()))
        shown = screen.read_until("FC Invoke End")
    assert re.search(r"\[one\] \d\d:\d\d:\d\d INFO +Charging ", shown), shown
