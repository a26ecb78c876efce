"""What the local CloudFlow runs of a project, and what it says about the rest."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from fc_callback.project import read_project
from fc_callback.workspace import find_manifest, pythons
from fc_callback.workspace.plan import Plan, Subscription, plan_project
from tests.workspace.projects import DEFINITION, FLOW, PRICE, QUEUE, TOPIC, function, write_orders, write_project

if TYPE_CHECKING:
    from pathlib import Path


def plan(folder: Path) -> Plan:
    return plan_project(read_project(folder, environ={}))


def test_a_project_s_functions_triggers_and_flows_are_all_there(tmp_path: Path) -> None:
    write_orders(tmp_path)

    found = plan(tmp_path)

    assert found.functions.keys() == {"price", "pay"}
    assert found.subscriptions == (Subscription(resource="topics/orders", function="pay", form="json"),)
    assert {name: (flow.file, flow.express) for name, flow in found.flows.items()} == {
        "orders-flow": ("flows/orders.yaml", False)
    }


def test_a_function_has_the_settings_of_s_yaml(tmp_path: Path) -> None:
    more = (
        "      memorySize: 1024\n      environmentVariables: {GREETING: hello, CLOUDFLOW_ENDPOINT: https://cloud}\n"
        "      instanceLifecycleConfig: {initializer: {handler: index.initialize, timeout: 7}}\n"
    )
    write_project(tmp_path, function("price", more=more), price__index_py=PRICE)

    spec = plan(tmp_path).functions["price"]

    assert (spec.handler, spec.runtime, spec.timeout_seconds, spec.memory_mb) == (
        "index.handler",
        "python3.10",
        30,
        1024,
    )
    assert (spec.initializer, spec.initializer_timeout_seconds) == ("index.initialize", 7)
    assert spec.environment == {"GREETING": "hello"}  # functions here report to the local service


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (TOPIC, Subscription(resource="topics/orders", function="price", form="json")),
        (TOPIC.replace("JSON", "STREAM"), Subscription(resource="topics/orders", function="price")),
        (QUEUE, Subscription(resource="queues/orders", function="price")),
    ],
    ids=["topic-json", "topic-stream", "queue"],
)
def test_an_mns_trigger_is_subscribed(tmp_path: Path, trigger: str, expected: Subscription) -> None:
    write_project(tmp_path, function("price", more=trigger), price__index_py=PRICE)

    assert plan(tmp_path).subscriptions == (expected,)


@pytest.mark.parametrize(
    ("trigger", "told"),
    [
        (
            QUEUE.replace("triggerEnable: true", "triggerEnable: false"),
            "price: its eventbridge trigger orders is disabled",
        ),
        (
            "      triggers: [{triggerName: web, triggerType: http}]\n",
            "price: its http trigger web delivers nothing here",
        ),
        (TOPIC.replace("1000000000000001", "${config('AccountID')}"), "price: its mns_topic trigger orders delivers"),
    ],
    ids=["disabled", "http", "unknown-account"],
)
def test_a_trigger_that_delivers_nothing_is_said(tmp_path: Path, trigger: str, told: str) -> None:
    write_project(tmp_path, function("price", more=trigger), price__index_py=PRICE)

    found = plan(tmp_path)

    assert found.subscriptions == ()
    assert [note for note in found.notes if told in note]


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        (
            function("price", runtime="custom-container"),
            "price is left out: this machine does not run custom containers.",
        ),
        (function("price", runtime="nodejs20"), "price is left out: this machine does not run the runtime nodejs20."),
        (function("price", runtime="python3.9"), "price is left out: this machine does not run the runtime python3.9."),
        (function("price").replace("./price", "./code.zip"), "price is left out: its code is not a folder"),
        (
            function("price", runtime="custom.debian11"),
            "price is left out: its start command is not `fc-callback serve`.",
        ),
        (function("price").replace("timeout: 30", "timeout: 0"), "price is left out: timeout_seconds must be greater"),
    ],
    ids=["container", "nodejs", "old", "archive", "own-server", "timeout"],
)
def test_a_function_that_cannot_run_here_is_left_out_in_one_line(tmp_path: Path, resource: str, told: str) -> None:
    write_project(tmp_path, resource, function("other"), price__index_py=PRICE, other__index_py=PRICE)

    found = plan(tmp_path)

    assert found.functions.keys() == {"other"}
    assert [told in note for note in found.notes if "price" in note] == [True]


def test_a_layer_that_is_missing_is_said_and_the_function_runs(tmp_path: Path) -> None:
    more = "      layers: [acs:fc:cn-hangzhou:official:layers/Python3-Flask2x/versions/1]\n"
    write_project(tmp_path, function("price", more=more), price__index_py=PRICE)

    found = plan(tmp_path)

    assert found.functions.keys() == {"price"}
    assert [note for note in found.notes if "without its layers" in note and "Python3-Flask2x" in note]


def test_a_custom_runtime_that_serves_a_handler_runs(tmp_path: Path) -> None:
    more = "      customRuntimeConfig: {command: [fc-callback, serve, index.handler], port: 9000}\n"
    resource = function("price", runtime="custom.debian11", more=more).replace("      handler: index.handler\n", "")
    write_project(tmp_path, resource, price__index_py=PRICE)

    spec = plan(tmp_path).functions["price"]

    assert (spec.runtime, spec.handler) == ("custom", "index.handler")


def test_flows_have_their_names_and_modes(tmp_path: Path) -> None:
    text = "version: v1\ntype: flow\nsteps: [{type: pass, name: one}]\n"
    express = FLOW.replace("orders.yaml", "quick.yaml").replace("flow:", "quick:").replace("orders-flow", "quick")
    inline = (
        "  inline:\n    component: fnf\n    props:\n      name: inline\n"
        "      definition: {version: v1, type: flow, steps: [{type: pass, name: one}]}\n"
    )
    write_project(
        tmp_path,
        function("price"),
        FLOW,
        express.replace("  quick:", "  quick_one:") + "      executionMode: Express\n",
        inline,
        price__index_py=PRICE,
        flows__orders_yaml=DEFINITION,
        flows__quick_yaml=text,
        flows__loose_yaml=text,
    )

    flows = plan(tmp_path).flows

    assert {name: (flow.file, flow.express) for name, flow in flows.items()} == {
        "orders-flow": ("flows/orders.yaml", False),
        "quick": ("flows/quick.yaml", True),
        "inline": ("s.yaml", False),
        "loose": ("flows/loose.yaml", False),
    }


def test_a_flow_whose_file_is_missing_is_said(tmp_path: Path) -> None:
    write_project(tmp_path, function("price"), FLOW, price__index_py=PRICE)

    found = plan(tmp_path)

    assert found.flows == {}
    assert [note for note in found.notes if "the flow flow has no definition" in note]


def test_a_manifest_with_a_mistake_is_said_with_its_line(tmp_path: Path) -> None:
    manifest = write_orders(tmp_path)
    manifest.write_text(manifest.read_text() + "  - ][\n")

    found = plan(tmp_path)

    assert not found.is_whole
    assert found.notes[0].startswith("s.yaml:")
    assert "cannot be read" in found.notes[0]


def test_the_manifest_of_the_nearest_folder_above_is_found(tmp_path: Path) -> None:
    manifest = write_orders(tmp_path)
    (tmp_path / "price" / "deep").mkdir()

    assert find_manifest(tmp_path / "price" / "deep") == manifest.resolve()
    assert find_manifest(tmp_path.parent) is None


# The Python


def other_version() -> tuple[int, int]:
    return (3, 12) if sys.version_info[:2] == (3, 10) else (3, 10)


def test_without_the_runtime_s_python_the_running_one_is_used_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    runtime = "python{}.{}".format(*other_version())
    resources = [function("price", runtime=runtime), function("pay", runtime=runtime)]
    write_project(tmp_path, *resources, price__index_py=PRICE, pay__index_py=PRICE)

    found = plan(tmp_path)

    assert {spec.python for spec in found.functions.values()} == {sys.executable}
    assert (
        len([note for note in found.notes if f"so functions for it run with Python {pythons.running_python()}" in note])
        == 1
    )


@pytest.mark.parametrize("has_packages", [True, False])
def test_the_runtime_s_python_is_used_if_it_has_the_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_packages: bool
) -> None:
    version = other_version()
    other = tmp_path / "bin" / "python{}.{}".format(*version)
    other.parent.mkdir()
    # A Python of another version stands for itself by its name; it sees the packages, or none.
    other.write_text(f'#!/bin/sh\nexec {sys.executable} {"" if has_packages else "-S -I"} "$@"\n')
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent), prepend=":")

    found = pythons.find_python(version, ["fc-callback"], "")

    assert found == (str(other) if has_packages else None)


def test_packages_that_are_built_for_another_python_are_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    more = "      environmentVariables: {PYTHONPATH: '/code/python:/code/lib'}\n"
    write_project(tmp_path, function("price", more=more), price__index_py=PRICE, price__lib__mine_py="")
    compiled = tmp_path / "price/python/core/core.cpython-39-riscv64-linux-gnu.so"
    compiled.parent.mkdir(parents=True)
    compiled.touch()

    found = plan(tmp_path)

    assert found.functions["price"].environment["PYTHONPATH"] == str(tmp_path.resolve() / "price/lib")
    assert [note for note in found.notes if "built for another Python or system" in note]
