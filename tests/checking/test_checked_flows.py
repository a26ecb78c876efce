"""Flows after published patterns: the check finds what their comments tell, at that line, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from fc_callback.checking import check_project
from fc_callback.flows import UnsupportedDefinition, outline_flow, parse_flow, read_definition
from fc_callback.flows.definition import Body
from fc_callback.scaffolding import render_template

FLOWS = sorted((Path(__file__).parent / "flows").glob("*.yaml"))
EXAMPLES = sorted((Path(__file__).parents[1] / "local" / "data" / "flows").glob("*.yaml"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target: Path = tmp_path_factory.mktemp("made") / "project"
    render_template("event-callback", target, {"accountId": "1234567890123456"})
    shutil.rmtree(target / "flows")
    (target / "s.flow.yaml").unlink()
    return target


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    target = tmp_path / "project"
    shutil.copytree(made, target)
    (target / "flows").mkdir()
    return target


def found(project: Path) -> set[tuple[str, int]]:
    findings = check_project(project, imports=False, environ={}, ignore=["flow-function", "sample-value"])
    return {(one.rule, one.line) for one in findings}


def told(text: str) -> set[tuple[str, int]]:
    """Read the comments `# finds RULE, RULE`."""
    lines = enumerate(text.splitlines(), start=1)
    return {
        (rule, number)
        for number, line in lines
        if (comment := re.search(r"# finds ([a-z, -]+)$", line))
        for rule in comment[1].split(", ")
    }


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_a_published_pattern_has_no_findings_but_the_right_ones(path: Path, project: Path) -> None:
    text = path.read_text(encoding="utf-8")
    (project / "flows" / "flow.yaml").write_text(text, encoding="utf-8")

    assert found(project) == told(text)


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_a_definition_in_a_manifest_is_checked_at_the_lines_of_the_manifest(path: Path, project: Path) -> None:
    text = path.read_text(encoding="utf-8")
    head = (
        "edition: 3.0.0\nname: app\naccess: default\nresources:\n  flow:\n    component: flow\n    props:\n"
        "      region: cn-hangzhou\n      name: flow\n      definition:\n"
    )
    manifest = head + "".join(f"        {line}\n" for line in text.splitlines())
    (project / "s.flow.yaml").write_text(manifest, encoding="utf-8")

    assert {one for one in found(project) if one[0] != "flow-name"} == told(manifest)


def tasks_of(body: Body) -> list[tuple[str, bool]]:
    tasks = []
    for step in body.steps.values():
        tasks += [(step.name, step.callback)] if step.kind == "task" else []
        tasks += [task for inner in step.bodies for task in tasks_of(inner)]
    return tasks


@pytest.mark.parametrize("path", [*FLOWS, *EXAMPLES], ids=lambda path: path.stem)
def test_the_check_looks_at_the_tasks_that_the_local_service_runs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    outline = outline_flow(read_definition(text).data)
    assert outline is not None
    try:
        flow = parse_flow(text)
    except UnsupportedDefinition:
        assert path.stem == "distributed-map"
        return

    assert [(task.name, task.callback) for task in outline.tasks] == tasks_of(flow.body)


def test_a_map_that_lacks_its_items_is_refused_at_its_line(project: Path) -> None:
    text = (Path(__file__).parent / "flows" / "map-scalars.yaml").read_text(encoding="utf-8")
    text = text.replace("    ItemsPath: $Input.Body\n", "")
    (project / "flows" / "flow.yaml").write_text(text, encoding="utf-8")

    (finding,) = check_project(project, imports=False, environ={}, ignore=["flow-function", "sample-value"])

    assert (finding.rule, finding.line) == ("flow-definition", text.splitlines().index("  - Type: Map") + 1)
    assert finding.message == "State 'Each': 'ItemsPath' must be text: it is missing."


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("legacy-foreach-choice", "$.position < 100", "$.position < "),
        ("legacy-child-flows", "{target: taskToken, source: $context.task.token}", "{source: $context.task.token}"),
        ("parallel-catch", "limit.$: $Input.limit", "limit.$: $Input..limit"),
        ("map-scalars", "id.$: uuid()", "id.$: uuid("),
        ("http-choice", "$Input.code >= 500", "$Input.code => 500"),
        ("child-flows", "Next: Forgotten", "Next: Forgoten"),
    ],
)
def test_a_mistake_inside_branches_is_found_at_the_line_of_its_step(
    project: Path, name: str, old: str, new: str
) -> None:
    text = (Path(__file__).parent / "flows" / f"{name}.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    broken = text.replace(old, new)
    (project / "flows" / "flow.yaml").write_text(broken, encoding="utf-8")

    line = next(line for rule, line in found(project) if rule == "flow-definition")

    wrong = next(number for number, text in enumerate(broken.splitlines(), start=1) if new in text)
    begins = max(
        number
        for number, text in enumerate(broken.splitlines()[:wrong], start=1)
        if re.search(r"- (\{)?[Tt]ype:", text)
    )
    assert begins <= line <= wrong


GONE = "acs:fc:cn-hangzhou:1234567890123456:functions/gone"
LOOP = """
Type: StateMachine
SpecVersion: v1
Name: loop
StartAt: Both
States:
  - Type: Parallel
    Name: Both
    Branches:
      - StartAt: Each
        States:
          - Type: Map
            Name: Each
            ItemsPath: $Input.items
            Processor:
              StartAt: Charge
              States:
                - Type: Task
                  Name: Charge
                  Action: FC:InvokeFunction
                  TaskMode: WaitForCustomCallback
                  Timeout: 10
                  Parameters:
                    resourceArn: acs:fc:cn-hangzhou:1234567890123456:functions/order-callback
                    invocationType: Async
                    body: {taskToken.$: $Context.Current.TaskToken, order.$: $Input.order}
                  Next: Gone
                - Type: Task
                  Name: Gone
                  Action: FC:InvokeFunction
                  Parameters:
                    resourceArn: acs:fc:cn-hangzhou:1234567890123456:functions/gone
                  End: true
            End: true
    End: true
"""


def test_a_function_is_compared_with_the_steps_inside_branches_that_call_it(project: Path) -> None:
    (project / "flows" / "flow.yaml").write_text(LOOP, encoding="utf-8")
    manifest = (project / "s.yaml").read_text(encoding="utf-8").splitlines()

    findings = check_project(project, imports=False, environ={})

    assert {(one.rule, one.file, one.line) for one in findings} == {
        ("flow-function", "flows/flow.yaml", LOOP.splitlines().index(f"{' ' * 20}resourceArn: {GONE}") + 1),
        ("step-timeout", "s.yaml", manifest.index("      timeout: 60") + 1),
    }


def test_a_function_that_raises_is_found_at_the_step_inside_a_branch_that_waits_for_it(project: Path) -> None:
    (project / "flows" / "flow.yaml").write_text(LOOP.replace("Timeout: 10", "Timeout: 100"), encoding="utf-8")
    code = project / "code" / "index.py"
    text = code.read_text(encoding="utf-8")
    code.write_text(text.replace('on_failure="report", ', ""), encoding="utf-8")
    assert code.read_text(encoding="utf-8") != text

    findings = check_project(project, environ={}, ignore=["flow-function", "sample-value"])

    (at,) = ((one.rule, one.line) for one in findings)
    assert at == ("unreported-failure", LOOP.splitlines().index(f"{' ' * 16}- Type: Task") + 1)


@pytest.mark.parametrize("arn", ["!Ref ask", "!GetAtt ask.Arn", "!Sub 'acs:fc:::functions/${ask}'", "${ask.Arn}"])
def test_what_another_tool_replaces_before_the_deployment_is_named(project: Path, arn: str) -> None:
    text = "version: v1\ntype: flow\nsteps:\n  - type: task\n    name: ask\n    resourceArn: " + arn + "\n"
    (project / "flows" / "flow.yaml").write_text(text, encoding="utf-8")

    (finding,) = check_project(project, imports=False, environ={}, ignore=["flow-function", "sample-value"])

    assert finding.rule == "flow-definition"
    name = arn.partition(" ")[0]
    assert f"Fun or ROS replaces {name} before CreateFlow" in f"{finding.message} {finding.hint}"


@pytest.mark.parametrize("condition", ["later($Input.a) == 1", "$Input.a + 1 > 2"])
def test_what_only_the_real_service_may_know_is_no_finding(project: Path, condition: str) -> None:
    text = (Path(__file__).parent / "flows" / "http-choice.yaml").read_text(encoding="utf-8")
    text = text.replace("$Input.code >= 500", condition)
    (project / "flows" / "flow.yaml").write_text(text, encoding="utf-8")

    assert "flow-definition" not in {rule for rule, _ in found(project)}


def test_one_mistake_made_a_thousand_times_is_a_readable_number_of_findings(project: Path) -> None:
    flow = yaml.safe_load((Path(__file__).parent / "flows" / "actions.yaml").read_text(encoding="utf-8"))
    flow["States"][0] |= {f"Field{number}": 1 for number in range(1000)}
    (project / "flows" / "flow.json").write_text(json.dumps(flow), encoding="utf-8")

    findings = check_project(project, imports=False, environ={}, ignore=["flow-function", "sample-value"])

    assert {one.rule for one in findings} == {"flow-unread"}
    assert len(findings) == 100


CALL = "Action: FC:InvokeFunction, Parameters: {resourceArn: 'acs:fc:cn-hangzhou:1234567890123456:functions/work'}"
IN_A_BRANCH = (
    "{Type: Parallel, Name: P, End: true, Branches: [{StartAt: A, States: "
    "[{Type: Wait, Name: A, Seconds: 30, End: true}]}]}"
)
UNKNOWN_FUNCTION = (
    "{Type: Task, Name: U, Action: 'x:Y', TaskMode: WaitForCustomCallback, Timeout: 9, Parameters: {t.$: nope($Input)},"
    " End: true}"
)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (f"{{Type: Task, Name: A, {CALL}, TaskMode: WaitForSystemCallback, Timeout: 9, End: true}}", "RequestComplete"),
        ("{Type: Wait, Name: A, Seconds: 21, End: true}", "20 seconds"),
        (
            IN_A_BRANCH,
            "20 seconds",
        ),
        (UNKNOWN_FUNCTION, "waits for a callback"),
        (f"{{Type: Task, Name: A, {CALL}, Timeout: 9, End: true}}", None),
        ("{Type: Wait, Name: A, Seconds: 20, End: true}", None),
    ],
    ids=["sync task", "long wait", "long wait in a branch", "callback in a flow that cannot run here", "call", "wait"],
)
def test_what_express_executions_do_not_support_is_found_in_an_express_flow(
    state: str, says: str | None, project: Path
) -> None:
    name = re.search(r"Name: (\w+)", state)
    assert name is not None
    text = f"Type: StateMachine\nSpecVersion: v1\nName: quick\nStartAt: {name[1]}\nStates:\n  - {state}\n"
    (project / "flows" / "flow.yaml").write_text(text, encoding="utf-8")
    (project / "s.flow.yaml").write_text(EXPRESS, encoding="utf-8")

    findings = check_project(project, imports=False, environ={})
    messages = [one.message for one in findings if one.rule == "flow-express"]
    assert len(messages) == (says is not None)
    assert all(says in message for message in messages if says)


EXPRESS = """
edition: 3.0.0
name: quick
access: default
resources:
  quick:
    component: flow
    props:
      region: cn-hangzhou
      name: quick
      definition: ${path('./flows/flow.yaml')}
      type: FDL
      executionMode: Express
"""
