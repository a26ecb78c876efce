"""What a task needs in s.yaml: a role, time, the pre-deploy action, the initializer, PYTHONPATH."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fc_callback.checking.actions import Built, built_before_deploy
from fc_callback.project.wheels import DEPENDENCIES_IN_CLOUD
from fc_callback.scaffolding.task_texts import ACTIONS, INITIALIZER, PROPS, PYTHONPATH
from fc_callback.scaffolding.yaml_edits import YamlFragment, with_element, with_entry, with_suffix

if TYPE_CHECKING:
    from fc_callback.project.documents import Place
    from fc_callback.scaffolding.add_plan import AddPlan

# New properties come behind the last of these, so that the diff is where people look.
_BASICS = ("region", "functionName", "runtime", "handler", "code")
_AFTER = {
    "role": _BASICS,
    "timeout": (*_BASICS, "role"),
    "instanceLifecycleConfig": (*_BASICS, "role", "timeout", "cpu", "memorySize", "diskSize"),
}


def add_to_manifest(plan: AddPlan, *, role: str | None, initializer: str | None) -> None:
    """Add what is missing in s.yaml.

    Args:
        plan: The plan.
        role: The ARN of the function's role; None for one that the person sets later.
        initializer: The handler of FC's initializer; None if the function gets none.
    """
    function, texts = plan.function, plan.texts
    _add_role(plan, role)
    if function.props.get("timeout") is None:
        _add_property(plan, ("timeout",), texts.prop("timeout"))
    if plan.is_container:
        return
    if built_before_deploy(function) is not Built.REQUIREMENTS:
        _add_build(plan)
    if initializer is not None and not function.mapping(*INITIALIZER).get("handler"):
        _add_property(plan, INITIALIZER, texts.initializer(initializer))
    _add_pythonpath(plan)


def _resource(plan: AddPlan) -> Place:
    return ("resources", plan.function.key)


def _add_property(plan: AddPlan, place: tuple[str, ...], fragment: YamlFragment) -> None:
    shown, around = fragment, place[0] if place[1:] and plan.function.props.get(place[0]) else PROPS
    if place[1:] and around == PROPS:
        shown = shown.under(place[0], {place[1]: shown.value})
    plan.edit(
        plan.function.document.path,
        partial(with_entry, place=(*_resource(plan), PROPS, *place), fragment=fragment, after=_AFTER.get(place[0], ())),
        what=f"Add {place[-1]} to the {around} of {plan.function.key}.",
        lines=shown.lines,
    )


def _add_role(plan: AddPlan, role: str | None) -> None:
    present = plan.function.props.get("role")
    fragment = plan.texts.prop("role")
    if role is not None:
        fragment = YamlFragment(lines=(*fragment.lines[:-1], f"role: {role}"), value=role)
    if not present:
        _add_property(plan, ("role",), fragment)
    elif role is not None and role != present:
        what = f"Replace the role of {plan.function.key}."
        plan.leave(plan.function.document.path, what, "it has a role already", fragment.lines)


def _add_build(plan: AddPlan) -> None:
    action = plan.texts.build_action
    plan.edit(
        plan.function.document.path,
        partial(with_element, place=(*_resource(plan), *ACTIONS), fragment=action, after=("component",)),
        what=f"Add an action to {plan.function.key}, which builds the package before a deployment.",
        lines=(f"{ACTIONS[0]}:", f"  {ACTIONS[1]}:", *(f"    {line}" for line in action.lines)),
    )


def _add_pythonpath(plan: AddPlan) -> None:
    present = plan.function.mapping(PYTHONPATH[0]).get(PYTHONPATH[1])
    if not present:
        _add_property(plan, PYTHONPATH, plan.texts.prop(*PYTHONPATH))
        return
    if not isinstance(present, str) or DEPENDENCIES_IN_CLOUD in [part.rstrip("/") for part in present.split(":")]:
        return
    plan.edit(
        plan.function.document.path,
        partial(with_suffix, place=(*_resource(plan), PROPS, *PYTHONPATH), suffix=f":{DEPENDENCIES_IN_CLOUD}"),
        what=f"Add :{DEPENDENCIES_IN_CLOUD} to the {PYTHONPATH[1]} of {plan.function.key}.",
    )
