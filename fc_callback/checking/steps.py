"""Check the flows: CloudFlow accepts and reads what they have, and steps that wait for a callback get one or time out.

Sources: CloudFlow documentation, "service integration patterns", "standard and express workflows", "Task"; Serverless
Workflow documentation 122494 and 130496.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback.checking.findings import Finding, finding_at
from fc_callback.checking.flows import reaches
from fc_callback.checking.leftovers import SAMPLE_ACCOUNT
from fc_callback.flows import DefinitionError, UnsupportedDefinition, parse_flow
from fc_callback.flows.express import check_express
from fc_callback.flows.targets import REPLACING_TAGS, replaced_before_create

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fc_callback.checking.flows import CheckedFlow
    from fc_callback.checking.importing import Imported
    from fc_callback.flows import FlowWarning, TaskOutline
    from fc_callback.project import Function, Project, Resource

_HOW = {
    "legacy": "Add `{target: taskToken, source: $context.task.token}` to its inputMappings.",
    "cloudflow": "Add `taskToken.$: $Context.Current.TaskToken` to its body, message or input.",
}


def check(project: Project, flows: Sequence[CheckedFlow], imported: Mapping[str, Imported]) -> Iterator[Finding]:
    """Find what is wrong with the flows.

    Args:
        project: The project.
        flows: Its flows.
        imported: The result of importing each function's handler, by resource.
    """
    for flow in flows:
        yield from _definition(flow)
        yield from _name(flow)
        for step in flow.tasks:
            if step.callback:
                yield from _callback(flow, step)
            yield from _function(project, flow, step)
        yield from _express(flow)
    for resource in project.flow_resources:
        yield from _path(resource)
    for function in project.functions:
        yield from _waits(flows, function, imported.get(function.key))


def _finding(flow: CheckedFlow, rule: str, message: str, hint: str, *place: str | int) -> Finding:
    file, line = flow.locate(*place)
    return Finding(rule=rule, file=file, line=line, message=message, hint=hint)


def _definition(flow: CheckedFlow) -> Iterator[Finding]:
    if flow.error is not None:
        problem, line = flow.error
        file, tag = flow.source.document.file, next((tag for tag in REPLACING_TAGS if f" {tag} " in problem), None)
        hint = replaced_before_create(tag) if tag else "Fix the YAML syntax."
        message = f"The flow's definition cannot be read: {problem}"
        yield Finding(rule="flow-definition", file=file, line=line, message=message, hint=hint)
    elif flow.outline is None:
        problem = "It is not a flow of either language."
        hint = "Begin with `version: v1` and `type: flow`, or with `Type: StateMachine` and `SpecVersion: v1`."
        yield _finding(flow, "flow-definition", problem, hint)
    elif flow.definition is not None:
        try:
            parsed = parse_flow(flow.definition.text)
        except UnsupportedDefinition:
            pass  # CloudFlow itself accepts more than the local CloudFlow runs
        except DefinitionError as error:
            yield _finding(flow, "flow-definition", str(error), "Correct it: CreateFlow would refuse it.", *error.place)
        else:
            yield from _unread(flow, parsed.warnings)


def _unread(flow: CheckedFlow, warnings: Iterable[FlowWarning]) -> Iterator[Finding]:
    tokens = {step.token_place for step in flow.tasks if step.callback}  # the rule flow-token tells more about these
    for warning in warnings:
        if warning.place not in tokens:
            yield _finding(flow, "flow-unread", warning.message, "Correct it, or remove it.", *warning.place)


def _path(resource: Resource) -> Iterator[Finding]:
    """Find definitions that the flow component reads as the path of another file, or from the current directory."""
    place = ("resources", resource.key, "props", "definition")
    written, included = resource.document.get(*place), resource.included("definition")
    if included is not None and isinstance(resource.props.get("definition"), str):
        problem = f"`${{file()}}` gives the text of {included.file}, and the flow component takes a text for a path."
        hint = "Write ${yaml(file('...'))}, or ${path('...')}."
    elif isinstance(written, str) and not written.startswith("/") and not {"\n", "$"} & set(written):
        problem = f"`s` reads {written} from its current directory, which need not be that of {resource.document.file}."
        hint = f"Write ${{path('{written}')}}."
    else:
        return
    file, line = resource.document.file, resource.document.line(*place)
    yield Finding(rule="definition-path", file=file, line=line, message=problem, hint=hint)


def _name(flow: CheckedFlow) -> Iterator[Finding]:
    resource = flow.source.resource
    deployed = resource.text("name") if resource else ""
    name = flow.outline.name if flow.outline else ""
    if name and deployed and name != deployed:
        yield _finding(
            flow,
            "flow-name",
            f"Its Name is {name!r}, and s.yaml deploys it as {deployed!r}: CreateFlow demands that they are equal.",
            f"Write `Name: {deployed}`.",
            "Name",
        )


def _callback(flow: CheckedFlow, step: TaskOutline) -> Iterator[Finding]:
    language = flow.outline.language if flow.outline else "legacy"
    how = _HOW[language]
    if step.token == "constant":  # noqa: S105 - how the token is passed, not a token
        message = f"The step {step.name!r} passes the token's path as a text, not the token: its key lacks `.$`."
        yield _finding(flow, "flow-token", message, how, *step.token_place)
    elif step.token == "missing" and flow.is_known(*step.place):  # noqa: S105 - the same
        message = f"The step {step.name!r} waits for a callback and does not pass the token on: it cannot be reported."
        yield _finding(flow, "flow-token", message, how, *step.place)
    if step.timeout is None:
        timeout = "Timeout" if language == "cloudflow" else "timeoutSeconds"
        yield _finding(
            flow,
            "flow-timeout",
            f"The step {step.name!r} waits for a callback without a timeout: a lost task blocks the flow for a year.",
            f"Set {timeout} to more seconds than the work may take.",
            *step.timeout_place,
        )


def _express(flow: CheckedFlow) -> Iterator[Finding]:
    resource = flow.source.resource
    if resource is None or resource.props.get("executionMode") != "Express":
        return
    problem = _express_problem(flow)
    if problem:
        yield finding_at(
            resource,
            "flow-express",
            problem,
            "Write `executionMode: Standard`. The mode of an existing flow cannot be changed: create a new flow.",
            "executionMode",
        )


def _express_problem(flow: CheckedFlow) -> str:
    """Return what Express executions do not support in a flow; empty if there is nothing."""
    try:
        parsed = None if flow.definition is None else parse_flow(flow.definition.text)
    except DefinitionError:
        parsed = None
    if parsed is None:  # the outline of a flow that is not known whole, or that the local CloudFlow does not run
        step = next((step for step in flow.tasks if step.callback), None)
        return f"The step {step.name!r} waits for a callback, which Express executions do not support." if step else ""
    try:
        check_express(parsed)
    except DefinitionError as error:
        return str(error)
    return ""


def _function(project: Project, flow: CheckedFlow, step: TaskOutline) -> Iterator[Finding]:
    target = step.target
    if target is None or target.kind != "function" or not project.functions:
        return
    calls, place = f"The step {step.name!r} calls", step.target_place
    functions = [one for one in project.functions if one.name == target.name]
    unknown = any("functionName" in one.props and not one.text("functionName") for one in project.functions)
    if not functions:
        if unknown:
            return
        names = ", ".join(one.name for one in project.functions)
        message = f"{calls} the function {target.name!r}, which s.yaml does not deploy."
        hint = f"s.yaml deploys {names}. Silence this rule if the function is deployed elsewhere."
        yield _finding(flow, "flow-function", message, hint, *place)
        return
    hint = "Make them the same."
    regions = list(dict.fromkeys(one.text("region") for one in functions))  # several manifests may deploy it
    if target.region and all(regions) and target.region not in regions:
        message = f"{calls} {target.name!r} in {target.region}, and s.yaml deploys it in {' and '.join(regions)}."
        yield _finding(flow, "flow-function", message, hint, *place)
    accounts = [one.text("role").removeprefix("acs:ram::").partition(":")[0] for one in functions]
    account = accounts[0]
    if SAMPLE_ACCOUNT in {target.account, *accounts}:
        return  # the rule sample-value tells it
    if target.account and all(map(str.isdecimal, accounts)) and target.account not in accounts:
        message = f"{calls} {target.name!r} in account {target.account}, and its role is of account {account}."
        yield _finding(flow, "flow-function", message, hint, *place)


def _waits(flows: Sequence[CheckedFlow], function: Function, imported: Imported | None) -> Iterator[Finding]:
    """Compare a function with the steps that wait for its report."""
    waiting = [(flow, step) for flow in flows for step in flow.tasks if step.callback and reaches(step, function)]
    for flow, step in waiting:
        timeout, file = function.timeout_seconds, flow.source.document.file
        if isinstance(step.timeout, float) and timeout is not None and timeout > step.timeout:
            yield finding_at(
                function,
                "step-timeout",
                f"The function may run for {timeout:g} s, and the step {step.name!r} of {file} waits for "
                f"{step.timeout:g} s: CloudFlow refuses a report that comes later.",
                "Give the step more time, or the function less.",
                "timeout",
            )
    if not _passes_through(function, imported):
        return
    for flow, step in waiting:
        if step.asynchronous and not step.handles_timeout:
            yield _finding(
                flow,
                "unreported-failure",
                f"The step {step.name!r} does not see how {function.name!r} ends, and the function does not report its "
                "exceptions: after a failure the step waits for its timeout.",
                'Decorate it with @task_callback(on_failure="report"), or catch FnF.TaskTimeout.',
                *step.place,
            )
            return


def _passes_through(function: Function, imported: Imported | None) -> bool:
    """Whether an exception of the function leaves it and is reported neither by it nor by a destination."""
    if "onFailure" in function.mapping("asyncInvokeConfig", "destinationConfig"):
        return False
    return imported is not None and imported.on_failure == "raise"
