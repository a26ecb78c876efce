"""What a task needs of other services: the policies of its role in RAM, and a flow that calls it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fc_callback.checking.flows import reaches, read_flows
from fc_callback.checking.roles import REPORT_ACTIONS
from fc_callback.project.documents import Document, value_at
from fc_callback.project.policies import statements_of
from fc_callback.project.yaml_nodes import node_at, read_nodes
from fc_callback.project.yaml_reader import DocumentError, parse_yaml
from fc_callback.scaffolding.add_plan import MESSAGE_TRIGGERS
from fc_callback.scaffolding.errors import NotPlaced
from fc_callback.scaffolding.task_flow import flow_text, step_of
from fc_callback.scaffolding.task_texts import POLICY, TRUST
from fc_callback.scaffolding.yaml_edits import YamlFragment, with_element

if TYPE_CHECKING:
    from pathlib import Path

    from fc_callback.flows.layout import Language
    from fc_callback.scaffolding.add_plan import AddPlan

_STATEMENTS = ("Statement",)


def add_policies(plan: AddPlan) -> None:
    """Write the policy and the trust of the function's role; add the two report actions to an existing policy."""
    root = plan.project.root
    for file in (POLICY, TRUST):
        if not plan.files.exists(root / file):
            text = plan.texts.file(file)
            plan.files.write(root / file, _with_report_actions_only(text) if file == POLICY else text)
    plan.edit(
        root / POLICY,
        partial(_with_report_actions, plan.texts.file(POLICY), root / POLICY),
        what=f"Allow {' and '.join(REPORT_ACTIONS)} on *.",
    )


def _report_statement(text: str) -> int:
    """Return the index of the statement that allows reports, in the template's policy."""
    statements = parse_yaml(text)["Statement"]
    return next(index for index, one in enumerate(statements) if REPORT_ACTIONS[0] in one["Action"])


def _with_report_actions_only(text: str) -> str:
    """Drop the other statements of the template's policy: they are for the template's own function."""
    kept = _report_statement(text)
    node = node_at(read_nodes(text), *_STATEMENTS)
    items = node.items if node else ()
    return text[: items[0].start] + text[items[kept].start : items[kept].end] + text[items[-1].end :]


def _with_report_actions(template: str, path: Path, text: str) -> str:
    try:
        data = parse_yaml(text)
    except DocumentError as error:
        raise NotPlaced(f"the file cannot be read: {error}") from None
    statements = statements_of(Document(path=path, file=path.name, text=text, data=data))
    allowing = [one for one in statements if one.effect == "Allow" and "*" in one.resources]
    if all(any(one.covers(action) for one in allowing) for action in REPORT_ACTIONS):
        return text
    if not isinstance(value_at(data, *_STATEMENTS), list):
        raise NotPlaced("it has no list of statements")
    statement = value_at(parse_yaml(template), *_STATEMENTS, _report_statement(template))
    return with_element(text, _STATEMENTS, YamlFragment(lines=(), value=statement))


def add_flow(plan: AddPlan) -> None:
    """Write a flow that calls the function and waits for its report, if the project has none that reaches it."""
    function = plan.function
    flows = read_flows(plan.project)
    steps = [(flow, step) for flow in flows for step in flow.tasks if reaches(step, function)]
    if any(step.callback for _, step in steps):
        return
    if plan.trigger_types & MESSAGE_TRIGGERS and not steps:
        plan.decisions.append(
            "The function gets messages. The step that sends them has to put the token into the message "
            "(`taskToken.$: $Context.Current.TaskToken`); the template mns-callback shows such a flow."
        )
        return
    languages = {flow.outline.language for flow in flows if flow.outline}
    language: Language = "legacy" if languages == {"legacy"} else "cloudflow"
    name = plan.texts.values["functionName"]
    text = flow_text(plan.texts, language, step=name, function_seconds=function.timeout_seconds)
    path = plan.project.root / "flows" / f"{name}.yaml"
    if steps:
        flow, step = steps[0]
        reason = "the flow is yours, and what follows the step may need the result of the call"
        what = f"Let the step {step.name!r} wait for the report of the function."
        plan.leave(flow.source.document.path, what, reason, step_of(text, language))
    elif plan.files.exists(path):
        plan.leave(path, "Call the function with this step.", "the file exists already", step_of(text, language))
    else:
        plan.files.write(path, text)
        for prop in ("region", "functionName"):
            value = plan.texts.values[prop]
            if function.text(prop) != value:
                file = plan.files.name(path)
                plan.decisions.append(f"{file} has the {prop} {value!r}, which s.yaml does not show. Correct it there.")
