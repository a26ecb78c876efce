"""The check compares what steps send with the type that the handler asks for, and says nothing where it cannot know."""

from __future__ import annotations

import json
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from fc_callback.checking import check_project

if TYPE_CHECKING:
    from pathlib import Path

    from fc_callback.checking import Finding

MANIFEST = """\
edition: 3.0.0
name: app
access: default
resources:
  charge:
    component: fc3
    props:
      region: cn-hangzhou
      functionName: charge
      runtime: python3.12
      handler: index.handler
      code: ./code
      timeout: 60
"""
HANDLER = """\
from pydantic import BaseModel, ConfigDict
from fc_callback import task_callback

class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    order: str
    count: int = 1
    retries: int = 0

@task_callback
def handler(order: Order, context): ...
"""
CLOUDFLOW = """\
Type: StateMachine
SpecVersion: v1
Name: pay
StartAt: Charge
States:
  - Type: Task
    Name: Charge
    Action: FC:InvokeFunction
    TaskMode: WaitForCustomCallback
    Timeout: 100
    Parameters:
      resourceArn: acs:fc:cn-hangzhou:1234567890123456:functions/charge
      invocationType: Sync
      body:
        taskToken.$: $Context.Current.TaskToken
        {body}
    End: true
"""
LEGACY = """\
version: v1
type: flow
steps:
  - type: task
    name: charge
    resourceArn: acs:fc:::services/s/functions/charge
    pattern: waitForCallback
    timeoutSeconds: 100
    inputMappings:
      - {{target: taskToken, source: $context.task.token}}
      {body}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("code", "flows"):
        (tmp_path / folder).mkdir()
    (tmp_path / "s.yaml").write_text(MANIFEST)
    (tmp_path / "code" / "index.py").write_text(HANDLER)
    return tmp_path


def sends(project: Path, *lines: str, flow: str = CLOUDFLOW) -> list[Finding]:
    indent = " " * (8 if flow == CLOUDFLOW else 6)
    text = flow.replace("{body}", f"\n{indent}".join(lines)).replace("{{", "{").replace("}}", "}")
    (project / "flows" / "flow.yaml").write_text(text)
    return [one for one in check_project(project, environ={}) if one.rule.startswith("payload-")]


def line_of(project: Path, text: str) -> int:
    lines = (project / "flows" / "flow.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_a_step_that_sends_what_the_handler_asks_for_is_not_found(project: Path) -> None:
    assert sends(project, "order.$: $Input.order", "count: 2") == []
    assert sends(project, "- {target: order, source: $input.order}", flow=LEGACY) == []


def test_a_required_field_that_no_step_sends_is_found_at_the_body(project: Path) -> None:
    (found,) = sends(project, "count: 2")

    assert (found.rule, found.severity, found.line) == ("payload-mismatch", "error", line_of(project, "body:"))
    assert found.message == "The step 'Charge' does not send 'order', which Order requires."


def test_a_misspelt_name_is_one_finding_at_its_line_and_names_the_right_one(project: Path) -> None:
    (found,) = sends(project, "odrer.$: $Input.order")

    assert (found.file, found.line) == ("flows/flow.yaml", line_of(project, "odrer"))
    assert found.hint == "Did you mean 'order' instead of 'odrer'?"


def test_a_key_that_the_model_forbids_is_found(project: Path) -> None:
    (found,) = sends(project, "order.$: $Input.order", "customer.$: $Input.customer")

    assert (found.line, "'customer'" in found.message) == (line_of(project, "customer"), True)


def test_a_literal_of_another_type_is_found_and_not_shown(project: Path) -> None:
    (found,) = sends(project, "order.$: $Input.order", "count: plenty")

    assert found.line == line_of(project, "count: plenty")
    assert "Input should be a valid integer" in found.message
    assert "plenty" not in f"{found.message} {found.hint}"


def test_the_mappings_of_the_older_language_are_compared_too(project: Path) -> None:
    found = sends(project, "- {target: odrer, source: $input.order}", "- {target: count, source: plenty}", flow=LEGACY)

    assert [(one.rule, one.line) for one in found] == [
        ("payload-mismatch", line_of(project, "odrer")),
        ("payload-mismatch", line_of(project, "plenty")),
    ]


def test_a_similar_key_that_the_model_does_not_read_is_a_warning(project: Path) -> None:
    (project / "code" / "index.py").write_text(HANDLER.replace('extra="forbid"', 'extra="ignore"'))

    (found,) = sends(project, "order.$: $Input.order", "customer: c", "retrie: 3")

    assert (found.rule, found.severity, found.hint) == ("payload-ignored", "warning", "Did you mean 'retries'?")


def test_every_step_that_calls_the_function_is_compared(project: Path) -> None:
    (project / "flows" / "other.yaml").write_text(
        LEGACY.replace("{body}", "- {target: order, source: 5}").replace("{{", "{").replace("}}", "}")
    )

    found = sends(project, "count: 2")

    assert sorted(one.file for one in found) == ["flows/flow.yaml", "flows/other.yaml"]


@pytest.mark.parametrize(
    "change",
    [
        ("taskToken.$: $Context.Current.TaskToken", "ticket.$: $Context.Current.TaskToken"),
        ("taskToken.$: $Context.Current.TaskToken", "data: {taskToken.$: $Context.Current.TaskToken}"),
        (
            "taskToken.$: $Context.Current.TaskToken",
            "TaskToken.$: $Input.t\n        taskToken.$: $Context.Current.TaskToken",
        ),
        ("body:", "body.$: $Input\n      other:"),
        ("WaitForCustomCallback", "RequestComplete"),
        ("functions/charge", "functions/other"),
        ("functions/charge", "functions/charge/3"),
        ("functions/charge", "services/s.prod/functions/charge"),
    ],
    ids=["another-key", "deeper", "two-keys", "whole-body", "no-callback", "another-function", "version", "alias"],
)
def test_a_step_whose_payload_is_not_certain_is_not_compared(project: Path, change: tuple[str, str]) -> None:
    assert CLOUDFLOW.count(change[0]) == 1
    text = CLOUDFLOW.replace(*change).replace("{body}", "count: plenty")
    (project / "flows" / "flow.yaml").write_text(text)

    assert [one for one in check_project(project, environ={}) if one.rule.startswith("payload-")] == []


@pytest.mark.parametrize(
    "code",
    [
        HANDLER.replace("@task_callback", '@task_callback(token="taskToken")'),
        HANDLER.replace("order: Order", "order: dict"),
        HANDLER.replace("order: Order", "order"),
        HANDLER.replace("@task_callback\n", ""),
    ],
    ids=["path", "dict", "bytes", "plain"],
)
def test_a_handler_without_a_certain_type_is_not_compared(project: Path, code: str) -> None:
    (project / "code" / "index.py").write_text(code)

    assert sends(project, "count: plenty") == []


@pytest.mark.parametrize(
    "arn", ["functions/charge/LATEST", "services/s.LATEST/functions/charge", "services/s/functions/charge"]
)
def test_a_step_that_calls_the_latest_version_is_compared(project: Path, arn: str) -> None:
    text = CLOUDFLOW.replace("functions/charge", arn)
    (project / "flows" / "flow.yaml").write_text(text.replace("{body}", "count: plenty"))

    assert len([one for one in check_project(project, environ={}) if one.rule == "payload-mismatch"]) == 2


def test_nothing_is_compared_without_an_import(project: Path) -> None:
    sends(project, "count: plenty")

    assert not {"payload-mismatch", "payload-ignored"} & {
        one.rule for one in check_project(project, imports=False, environ={})
    }


def test_a_payload_mismatch_is_silenced_at_its_line(project: Path) -> None:
    assert sends(project, "order.$: $Input.order", "count: plenty  # fc-callback: ignore payload-mismatch") == []


def test_a_definition_in_a_manifest_is_compared_at_the_lines_of_the_manifest(project: Path) -> None:
    definition = CLOUDFLOW.replace("{body}", "order: ${env('NAME', 'x')}\n        count: plenty")
    head = "  flow:\n    component: flow\n    props:\n      region: cn-hangzhou\n      name: pay\n      definition:\n"
    text = MANIFEST + head + "".join(f"        {line}\n" for line in definition.splitlines())
    (project / "s.yaml").write_text(text)

    (found,) = [one for one in check_project(project, environ={}) if one.rule == "payload-mismatch"]

    assert (found.file, text.splitlines()[found.line - 1].strip()) == ("s.yaml", "count: plenty")


def test_a_definition_of_which_a_part_is_only_known_to_a_deployment_is_compared_in_the_rest(project: Path) -> None:
    body = "order: 2024-01-01\n        retries: .inf\n        more: ${resources.charge.output.x}\n        count: plenty"
    definition = CLOUDFLOW.replace("{body}", body)
    head = "  flow:\n    component: flow\n    props:\n      region: cn-hangzhou\n      name: pay\n      definition:\n"
    (project / "s.yaml").write_text(MANIFEST + head + "".join(f"        {line}\n" for line in definition.splitlines()))

    found = [one.message for one in check_project(project, environ={}) if one.rule == "payload-mismatch"]

    assert [("'more'" in one, "'count'" in one) for one in found] == [(True, False), (False, True)]


def test_the_output_of_a_module_does_not_disturb_the_comparison(project: Path) -> None:
    noisy = f"print({json.dumps('x' * 1000)})\n"
    (project / "code" / "index.py").write_text(dedent(noisy) + HANDLER)

    assert [one.rule for one in sends(project, "order.$: $Input.order", "count: plenty")] == ["payload-mismatch"]
