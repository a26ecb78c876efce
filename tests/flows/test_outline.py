"""The outline of a flow's tasks, in both languages and at any depth."""

from __future__ import annotations

from typing import Any

import pytest

from fc_callback.flows import FlowOutline, TaskOutline, TaskTarget, outline_flow, parse_target, read_definition

LEGACY = """
version: v1
type: flow
steps:
  - type: choice
    name: choose
    choices:
      - condition: $.a == 1
        steps:
          - {type: task, name: one, resourceArn: "acs:fc:cn-hangzhou:1:functions/pay.LATEST", pattern: waitForCallback}
    default:
      steps:
        - type: task
          name: two
          resourceArn: acs:mns:cn-beijing:2:/topics/orders/messages
          pattern: waitForCallback
          timeoutSeconds: 60
          inputMappings: [{target: t, source: $context.task.token}]
  - type: parallel
    name: both
    branches:
      - steps:
          - {type: task, name: three, retry: [{errors: [FnF.ALL]}]}
  - type: foreach
    name: each
    steps:
      - {type: task, name: four, serviceParams: {InvocationType: Async}, catch: [{errors: [FnF.TaskTimeout]}]}
"""
CLOUDFLOW = """
Type: StateMachine
Name: orders
States:
  - Type: Parallel
    Name: both
    Branches:
      - States:
          - {Type: Task, Name: one, TaskMode: WaitForCustomCallback, Parameters: {body: {t.$: $Context.Current.TaskToken}}}
  - Type: Map
    Name: each
    Processor:
      States:
        - {Type: Task, Name: two, Parameters: {body: {t: $Context.Current.TaskToken}}, Timeout.$: $Input.seconds}
  - {Type: Task, Name: three, Action: "HTTP::Request", Timeout: 0}
"""


def outlined(text: str) -> FlowOutline:
    outline = outline_flow(read_definition(text).data)
    assert outline is not None
    return outline


def task(text: str, name: str) -> TaskOutline:
    return next(task for task in outlined(text).tasks if task.name == name)


def test_tasks_inside_choices_branches_and_loops_are_found() -> None:
    assert [task.name for task in outlined(LEGACY).tasks] == ["one", "two", "three", "four"]
    assert [task.name for task in outlined(CLOUDFLOW).tasks] == ["one", "two", "three"]


def test_the_language_and_the_name_of_a_flow_are_told() -> None:
    assert (outlined(LEGACY).language, outlined(LEGACY).name) == ("legacy", "")
    assert (outlined(CLOUDFLOW).language, outlined(CLOUDFLOW).name) == ("cloudflow", "orders")


@pytest.mark.parametrize("document", [None, [], "text", {}, {"edition": "3.0.0"}], ids=repr)
def test_a_document_of_neither_language_has_no_outline(document: object) -> None:
    assert outline_flow(document) is None


@pytest.mark.parametrize(
    ("text", "name", "token"),
    [
        (LEGACY, "one", "missing"),
        (LEGACY, "two", "passed"),
        (CLOUDFLOW, "one", "passed"),
        (CLOUDFLOW, "two", "constant"),
        (CLOUDFLOW, "three", "passed"),
    ],
)
def test_it_is_told_whether_a_task_passes_its_token_on(text: str, name: str, token: str) -> None:
    assert task(text, name).token == token


@pytest.mark.parametrize(
    ("text", "name", "timeout"),
    [(LEGACY, "one", None), (LEGACY, "two", 60), (CLOUDFLOW, "two", "$Input.seconds"), (CLOUDFLOW, "three", None)],
)
def test_a_timeout_is_a_number_an_expression_or_none(text: str, name: str, timeout: Any) -> None:
    assert task(text, name).timeout == timeout


def test_a_task_says_whether_a_rule_handles_its_timeout() -> None:
    assert [task.handles_timeout for task in outlined(LEGACY).tasks] == [False, False, True, True]


def test_the_outcome_of_a_message_or_an_async_invocation_is_lost() -> None:
    assert [task.asynchronous for task in outlined(LEGACY).tasks] == [False, True, False, True]


def test_a_place_leads_to_the_task_and_its_line() -> None:
    definition = read_definition(LEGACY)
    four = task(LEGACY, "four")

    assert four.place == ("steps", 2, "steps", 0)
    assert definition.line(*four.place) == 27
    assert definition.line(*task(LEGACY, "two").timeout_place) == 17
    assert definition.line(*four.timeout_place) == 27  # it has none: the step's own line


@pytest.mark.parametrize(
    "text",
    [
        "steps: [{type: Parallel, name: [], branches: {steps: [{type: task, pattern: []}]}}]",
        "States: [{Type: [], Processor: [{States: {Type: Task, TaskMode: {}, Action: 5}}]}]",
        "steps: [1, {type: task}, {type: task, retry: 7}]",
        "States: [{Type: Task, Catch: [1]}]",
    ],
)
def test_a_definition_with_mistakes_still_has_an_outline(text: str) -> None:
    assert outlined(text).tasks[0].name == ""


@pytest.mark.parametrize(
    ("arn", "target"),
    [
        (
            "acs:fc:cn-hangzhou:1:functions/pay",
            TaskTarget(kind="function", name="pay", region="cn-hangzhou", account="1"),
        ),
        ("acs:fc:::services/s/functions/pay/LATEST", TaskTarget(kind="function", name="pay")),
        ("acs:fc:::functions/pay.2", TaskTarget(kind="function", name="pay")),
        ("acs:fnf:::flow/other", TaskTarget(kind="flow", name="other")),
        ("acs:fnf:r:1:flow/other", TaskTarget(kind="flow", name="other", region="r", account="1")),
        ("acs:mns:r:1:/queues/q/messages", TaskTarget(kind="queue", name="q", region="r", account="1")),
        ("acs:oss:r:1:bucket", None),
        (None, None),
    ],
    ids=str,
)
def test_a_resource_arn_names_a_function_a_flow_or_a_queue(arn: object, target: TaskTarget | None) -> None:
    assert parse_target(arn) == target
