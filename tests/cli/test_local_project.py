"""`fc-callback local` in the folder of a project."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import CloudFlowClient, Credentials
from fc_callback.scaffolding import render_template
from tests.local.raw_client import until
from tests.local.test_local_idle import switches
from tests.workspace.projects import DEFINITION, PAY, PRICE, TOPIC, function, write_orders, write_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Command:
    """`fc-callback local --json` in a folder, and what it writes."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fc_callback", "local", "--port", "0", "--json", *options],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        environment = json.loads(self.process.stdout.readline())
        key = Credentials(
            access_key_id=environment["ALIBABA_CLOUD_ACCESS_KEY_ID"],
            access_key_secret=environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
        )
        self.client = CloudFlowClient(endpoint=environment["CLOUDFLOW_ENDPOINT"], credentials=key)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def run(self, flow: str, **execution_input: object) -> Any:
        """Start an execution, wait for its end, and return what DescribeExecution says."""
        form = {"FlowName": flow, "Input": json.dumps(execution_input)}
        started = self.client.call("StartExecution", form=form)
        query = {"FlowName": flow, "ExecutionName": started["Name"], "WaitTimeSeconds": "20"}
        return self.client.call("DescribeExecution", query=query)

    def output(self, flow: str, **execution_input: object) -> Any:
        ended = self.run(flow, **execution_input)
        assert ended["Status"] == "Succeeded", self.lines
        return json.loads(ended["Output"])

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        self._reader.join(30)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def local() -> Iterator[Callable[..., Command]]:
    started: list[Command] = []

    def start(folder: Path, *options: str) -> Command:
        started.append(Command(folder, *options))
        return started[-1]

    yield start
    for command in started:
        command.end()


def test_a_project_of_two_functions_and_a_flow_over_mns_runs_and_an_edit_changes_the_next_run(
    tmp_path: Path, local: Callable[..., Command]
) -> None:
    write_orders(tmp_path)
    command = local(tmp_path)
    assert command.output("orders-flow", order="o-1") == {"order": "o-1", "paid": 5}

    (tmp_path / "pay/index.py").write_text(PAY.replace('"paid"', '"charged"'))
    until(lambda: command.said("Reloaded function pay: pay/index.py has changed."))

    assert command.output("orders-flow", order="o-2") == {"order": "o-2", "charged": 5}
    assert not command.said("Reloaded function price")


def test_an_edit_has_an_effect_within_a_second(tmp_path: Path, local: Callable[..., Command]) -> None:
    write_orders(tmp_path)
    command = local(tmp_path)
    command.output("orders-flow", order="o-1")

    for number in range(3):  # another test may take the processor for a while
        (tmp_path / "price/index.py").write_text(f"def handler(event, context):\n    return {{'price': {number}}}\n")
        time.sleep(1)
        if command.output("orders-flow", order="o-2")["paid"] == number:
            return
    pytest.fail(f"{command.lines}")


def test_a_flow_is_read_again_and_one_with_a_mistake_stays_as_it_was(
    tmp_path: Path, local: Callable[..., Command]
) -> None:
    write_orders(tmp_path)
    command = local(tmp_path)
    file = tmp_path / "flows/orders.yaml"

    file.write_text(DEFINITION.replace("Next: pay", "Next: nowhere"))
    until(lambda: command.said("The flow stays as it was."))
    assert command.output("orders-flow", order="o-1")["paid"] == 5

    file.write_text(DEFINITION.replace("$Output.Body.price", "$Input.order"))
    until(lambda: command.said("Reloaded flow orders-flow: flows/orders.yaml has changed."))
    assert command.output("orders-flow", order="o-2")["paid"] == "o-2"


def test_s_yaml_is_read_again_and_one_with_a_mistake_changes_nothing(
    tmp_path: Path, local: Callable[..., Command]
) -> None:
    manifest = write_orders(tmp_path)
    command = local(tmp_path)
    text = manifest.read_text()
    (tmp_path / "price/index.py").write_text(
        "import os\ndef handler(event, context):\n    return {'price': os.environ.get('PRICE', 5)}\n"
    )

    manifest.write_text(text + "  - ][\n")
    until(lambda: command.said("s.yaml cannot be read"))
    assert command.output("orders-flow", order="o-1")["paid"] == 5

    more = "      timeout: 30\n      environmentVariables: {PRICE: '7'}\n"
    manifest.write_text(text.replace("      timeout: 30\n", more, 1))
    until(lambda: command.said("Reloaded function price: its settings in s.yaml have changed."))
    assert command.output("orders-flow", order="o-2")["paid"] == "7"
    assert not command.said("stays until this command ends")


def test_a_function_and_a_flow_that_are_added_run_without_a_restart(
    tmp_path: Path, local: Callable[..., Command]
) -> None:
    manifest = write_orders(tmp_path)
    command = local(tmp_path)

    (tmp_path / "flows/second.yaml").write_text("version: v1\ntype: flow\nsteps: [{type: pass, name: one}]\n")
    until(lambda: command.said("Reloaded flow second"))
    assert command.output("second", order="o-1") == {}

    manifest.write_text(manifest.read_text().replace("  price:\n", "  costs:\n").replace("Name: price", "Name: costs"))
    until(lambda: command.said("The former price stays until this command ends."))
    assert command.output("orders-flow", order="o-2")["paid"] == 5


def test_an_edit_during_a_run_lets_the_run_end(tmp_path: Path, local: Callable[..., Command]) -> None:
    write_orders(tmp_path)
    slow = """\
import pathlib, time
def handler(event, context):
    pathlib.Path({0!r}).touch()
    while not pathlib.Path({1!r}).exists():
        time.sleep(0.01)
    return {{'price': 1}}
"""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "price/index.py").write_text(slow.format(str(outside / "running"), str(outside / "go-on")))
    command = local(tmp_path)
    form = {"FlowName": "orders-flow", "ExecutionName": "first", "Input": '{"order": "o-1"}'}
    command.client.call("StartExecution", form=form)
    until((outside / "running").exists)

    (tmp_path / "price/index.py").write_text("def handler(event, context):\n    return {'price': 2}\n")
    until(lambda: command.said("Reloaded function price"))
    assert command.output("orders-flow", order="o-2")["paid"] == 2
    (outside / "go-on").touch()

    query = {"FlowName": "orders-flow", "ExecutionName": "first", "WaitTimeSeconds": "20"}
    assert json.loads(command.client.call("DescribeExecution", query=query)["Output"])["paid"] == 1


def test_a_code_folder_that_is_made_again_is_followed(tmp_path: Path, local: Callable[..., Command]) -> None:
    write_orders(tmp_path)
    command = local(tmp_path)

    shutil.move(tmp_path / "pay", tmp_path.parent / "old")
    shutil.copytree(tmp_path.parent / "old", tmp_path / "pay")
    until(lambda: command.said("Reloaded function pay"))
    assert command.output("orders-flow", order="o-1")["paid"] == 5

    (tmp_path / "pay/index.py").write_text(PAY.replace('"paid"', '"charged"'))
    until(lambda: command.said("Reloaded function pay: pay/index.py has changed."))
    assert command.output("orders-flow", order="o-2")["charged"] == 5


def test_a_folder_of_flows_that_is_made_later_is_read(tmp_path: Path, local: Callable[..., Command]) -> None:
    write_project(tmp_path, function("price"), price__index_py=PRICE)
    command = local(tmp_path)

    (tmp_path / "flows").mkdir()
    time.sleep(0.5)  # or the file may be there when the folder is noticed
    (tmp_path / "flows/later.yaml").write_text("version: v1\ntype: flow\nsteps: [{type: pass, name: one}]\n")
    until(lambda: command.said("Reloaded flow later"))

    assert command.output("later") == {}


def test_a_trigger_whose_topic_is_no_topic_is_said_and_the_rest_runs(
    tmp_path: Path, local: Callable[..., Command]
) -> None:
    resource = function("price", more=TOPIC.replace("/topics/orders", "/topics/orders:x"))
    flow = "version: v1\ntype: flow\nsteps: [{type: pass, name: one}]\n"
    write_project(tmp_path, resource, price__index_py=PRICE, flows__one_yaml=flow)
    command = local(tmp_path)

    until(lambda: command.said("price: 'topics/orders:x' is neither a topic nor a queue."))
    assert command.output("one") == {}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux")
def test_an_idle_command_in_a_project_sleeps(tmp_path: Path, local: Callable[..., Command]) -> None:
    write_orders(tmp_path)
    command = local(tmp_path, "--database", str(tmp_path / "local.db"))
    command.output("orders-flow", order="o-1")

    def slept() -> bool:
        before = switches(command.process.pid)
        time.sleep(1)
        return switches(command.process.pid) == before

    assert any(slept() for _ in range(10))
    assert not command.said("Reloaded")


@pytest.mark.parametrize("template", ["event-callback", "mns-callback", "batch-callback"])
def test_the_flows_of_a_new_project_run(tmp_path: Path, local: Callable[..., Command], template: str) -> None:
    render_template(template, tmp_path / "project")
    command = local(tmp_path / "project" / "code")

    paid = command.output("order-flow", order={"id": "o-1", "amount": "12.50"})

    assert paid["status"] == "paid"
    until(lambda: command.said("Charging order o-1"))
    assert command.output("legacy", order={"id": "o-2", "amount": "12.50"})["orderId"] == "o-2"


def test_the_first_execution_of_a_new_project_is_on_the_screen_within_five_seconds(
    tmp_path: Path, local: Callable[..., Command]
) -> None:
    render_template("mns-callback", tmp_path / "project")

    def took() -> float:
        began = time.monotonic()
        command = local(tmp_path / "project")
        command.output("order-flow", order={"id": "o-1", "amount": "12.50"})
        until(lambda: command.said("Charging order o-1"))
        return time.monotonic() - began

    assert any(took() <= 5 for _ in range(3))  # another test may take the processor for a while


def first_lines(folder: Path, *options: str) -> str:
    """Return what the command prints on a terminal before it waits."""
    command = [sys.executable, "-m", "fc_callback", "local", "--port", "0", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, env=environment, text=True) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if "Ctrl-C" in line:
                    break
            return "".join(lines)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def test_the_first_lines_say_what_is_there_and_how_to_start_it(tmp_path: Path) -> None:
    manifest = write_orders(tmp_path)

    text = first_lines(tmp_path)

    assert "listens at http://127.0.0.1:" in text
    assert f"Project: {manifest.resolve()}" in text
    assert "Functions: price, pay." in text
    assert "Topics and queues: topics/orders -> pay." in text
    assert "Flows: orders-flow (flows/orders.yaml)." in text
    assert "fc-callback flow start orders-flow" in text


def test_with_options_the_project_is_not_read(tmp_path: Path) -> None:
    write_orders(tmp_path)

    text = first_lines(tmp_path, "-f", f"mine={tmp_path}/price:index.handler")

    assert "Functions: mine." in text
    assert "Project:" not in text


def test_without_a_project_nothing_is_there(tmp_path: Path) -> None:
    text = first_lines(tmp_path)

    assert "listens at http://127.0.0.1:" in text
    assert "Functions:" not in text
    assert "Project:" not in text
