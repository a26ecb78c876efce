"""The flows' steps that wait for a callback: whether the token reaches somebody, and the wait has an end.

Sources: CloudFlow documentation, "service integration patterns", "standard and express workflows", "Task"; Serverless
Workflow documentation 122494 and 130496.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback.checking.findings import Finding
from fc_callback.flows import DefinitionError, parse_flow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fc_callback.checking.flows import Flow, Step
    from fc_callback.checking.importing import Imported
    from fc_callback.checking.project import Function, Project

_HOW = {
    "legacy": "Add `{target: taskToken, source: $context.task.token}` to its inputMappings.",
    "cloudflow": "Add `taskToken.$: $Context.Current.TaskToken` to its body or message.",
}
# What the local CloudFlow does not run is no mistake.
_NOT_RUN_LOCALLY = "not supported here"


def check(project: Project, imported: Mapping[str, Imported]) -> Iterator[Finding]:
    """Find what is wrong with the flows.

    Args:
        project: The project.
        imported: What importing each function's handler gave, by resource.
    """
    for flow in project.flows:
        yield from _definition(flow)
        yield from _names(flow)
        for step in flow.steps:
            if step.callback:
                yield from _callback(flow, step)
            if step.target is not None and step.target.kind == "function":
                yield from _function(project, flow, step)
    for resource in project.flow_resources:
        definition = resource.document.get("resources", resource.key, "props", "definition")
        if isinstance(definition, str) and definition.startswith(".") and "\n" not in definition:
            yield resource.finding(
                "definition-path",
                f"{definition} is looked for in the directory that `s` is called from, not beside {resource.document.file}.",
                f"Write ${{path('{definition}')}}.",
                "definition",
            )
    for function in project.functions:
        yield from _waits(project, function, imported.get(function.key))


def _finding(flow: Flow, rule: str, message: str, hint: str, *place: str | int) -> Finding:
    return Finding(rule=rule, file=flow.document.file, line=flow.line(*place), message=message, hint=hint)


def _definition(flow: Flow) -> Iterator[Finding]:
    document = flow.document
    if document.error is not None:
        problem, line = document.error
        yield Finding(
            rule="flow-definition",
            file=document.file,
            line=line,
            message=f"{document.file} cannot be read: {problem}.",
            hint="Mend the YAML.",
        )
        return
    if flow.language == "neither":
        hint = "Begin with `version: v1` and `type: flow`, or with `Type: StateMachine` and `SpecVersion: v1`."
        yield _finding(flow, "flow-definition", "It is a flow of neither language.", hint)
        return
    if document.lines == {}:
        return  # it stands inside of another file
    try:
        parse_flow(document.path.read_text(encoding="utf-8"))
    except DefinitionError as error:
        if _NOT_RUN_LOCALLY not in str(error):
            place = next((step.place for step in flow.steps if f"{step.name!r}" in str(error)), ())
            yield _finding(flow, "flow-definition", str(error), "CreateFlow would refuse it.", *place)


def _names(flow: Flow) -> Iterator[Finding]:
    deployed = flow.resource.text("name") if flow.resource else ""
    if flow.name and deployed and flow.name != deployed:
        yield _finding(
            flow,
            "flow-name",
            f"Its Name is {flow.name!r}, and it is deployed as {deployed!r}: CreateFlow wants them equal.",
            f"Write `Name: {deployed}`.",
            "Name",
        )


def _callback(flow: Flow, step: Step) -> Iterator[Finding]:
    how = _HOW["cloudflow" if flow.language == "cloudflow" else "legacy"]
    if step.token == "constant":  # noqa: S105 - how the token is passed, not a token
        message = (
            f"The step {step.name!r} hands on the text of the token's path, and not the token: its key lacks `.$`."
        )
        yield _finding(flow, "flow-token", message, how, *step.place)
    elif not step.token:
        message = f"The step {step.name!r} waits for a callback and hands no token on, so nobody can report it."
        yield _finding(flow, "flow-token", message, how, *step.place)
    if step.timeout is None:
        yield _finding(
            flow,
            "flow-timeout",
            f"The step {step.name!r} waits for a callback without a time-out: a lost task holds the flow for a year.",
            f"Give it {'Timeout' if flow.language == 'cloudflow' else 'timeoutSeconds'}, longer than the work may take.",
            *step.timeout_place,
        )
    if flow.resource is not None and flow.resource.props.get("executionMode") == "Express":
        yield flow.resource.finding(
            "flow-express",
            f"The step {step.name!r} waits for a callback, and Express executions know no callbacks.",
            "Write `executionMode: Standard`. The mode of a flow that exists cannot be changed: it takes a new flow.",
            "executionMode",
        )


def _function(project: Project, flow: Flow, step: Step) -> Iterator[Finding]:
    target = step.target
    if target is None or not project.functions:
        return
    function = next((one for one in project.functions if one.name == target.name), None)
    if function is None:
        names = ", ".join(one.name for one in project.functions)
        yield _finding(
            flow,
            "flow-function",
            f"The step {step.name!r} calls the function {target.name!r}, which s.yaml does not deploy.",
            f"s.yaml has {names}. Silence this if the function is deployed elsewhere.",
            *step.target_place,
        )
        return
    region = function.text("region")
    if target.region and region and target.region != region:
        yield _finding(
            flow,
            "flow-function",
            f"The step {step.name!r} calls {target.name!r} in {target.region}, and s.yaml deploys it in {region}.",
            "Make them the same.",
            *step.target_place,
        )
    account = function.text("role").removeprefix("acs:ram::").partition(":")[0]
    if target.account and account.isdecimal() and target.account != account:
        yield _finding(
            flow,
            "flow-function",
            f"The step {step.name!r} calls {target.name!r} in account {target.account}, and its role is of {account}.",
            "Make them the same.",
            *step.target_place,
        )


def _waits(project: Project, function: Function, imported: Imported | None) -> Iterator[Finding]:
    """Hold a function to the steps that wait for it."""
    told = False
    for flow, step in project.callback_steps(function):
        timeout = function.timeout_seconds
        if isinstance(step.timeout, float) and timeout is not None and timeout > step.timeout:
            yield function.finding(
                "step-timeout",
                f"The function may run for {timeout:g} s, and the step {step.name!r} of {flow.document.file} waits for "
                f"{step.timeout:g} s: a late report is refused.",
                "Give the step more time, or the function less.",
                "timeout",
            )
        if told or not step.asynchronous or step.handles_timeout or not _passes_through(function, imported):
            continue
        told = True
        yield _finding(
            flow,
            "unreported-failure",
            f"The step {step.name!r} does not see how {function.name!r} ends, and its exceptions are not reported: a "
            "failure ends in the step's time-out.",
            'Decorate it with @task_callback(on_failure="report"), or catch FnF.TaskTimeout.',
            *step.place,
        )


def _passes_through(function: Function, imported: Imported | None) -> bool:
    destinations = function.mapping("asyncInvokeConfig").get("destinationConfig")
    if isinstance(destinations, dict) and "onFailure" in destinations:
        return False
    return imported is not None and imported.on_failure == "raise"
