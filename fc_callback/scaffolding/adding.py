"""Make a function of an existing project a task: plan what it needs, show it, write it.

    addition = plan_addition(Path("orders"), function="charge")
    addition.write()

What exists already stays, so a second run changes nothing. What cannot be placed with certainty is a step for a person.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from fc_callback.checking.handlers import handler_of
from fc_callback.checking.leftovers import SAMPLE_ACCOUNT
from fc_callback.project.policies import role_problem
from fc_callback.project.reader import read_project
from fc_callback.scaffolding.add_plan import CONTAINER, AddPlan, ManualStep
from fc_callback.scaffolding.errors import AddError
from fc_callback.scaffolding.file_changes import FileChange, ProjectFiles, backup_of, write_changes
from fc_callback.scaffolding.handler_addition import add_to_handler
from fc_callback.scaffolding.ignore_addition import add_ignore_file
from fc_callback.scaffolding.manifest_additions import add_to_manifest
from fc_callback.scaffolding.requirement_addition import add_requirement
from fc_callback.scaffolding.service_additions import add_flow, add_policies
from fc_callback.scaffolding.task_texts import TaskTexts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fc_callback.project import Function, Project

_ACCOUNT = re.compile(r"acs:ram::(\d{16}):")
_PYTHON_COMMAND = re.compile(r"python|fc[-_]callback|gunicorn|uvicorn|waitress|flask|uwsgi")
_REGION = re.compile(r"[a-z]{2}-[a-z]+(-[0-9]+)?")  # CloudFlow is in regions with such names only
_DEFAULT_REGION = "cn-hangzhou"
_LONGEST_ROLE = 59  # RAM allows 64 characters; "-role" follows


@attrs.frozen(kw_only=True)
class Addition:
    """What is added for one function.

    Attributes:
        function: The function's name.
        changes: The files to create or to change.
        backups: The copies of changed manifests, as they are now.
        steps: What a person has to do, because it cannot be placed with certainty.
        decisions: What a person has to decide.
    """

    function: str
    changes: tuple[FileChange, ...]
    backups: tuple[FileChange, ...]
    steps: tuple[ManualStep, ...]
    decisions: tuple[str, ...]

    def write(self) -> None:
        """Write the files. After a kill each file is old or new, and the next run adds the rest.

        Raises:
            AddError: A file has changed since it was read, or cannot be written.
        """
        write_changes((*self.backups, *self.changes))


def task_candidates(root: Path) -> list[Function]:
    """Return the functions of a project that can become tasks.

    Raises:
        AddError: There is none, or the project cannot be read.
    """
    return _candidates(read_project(root))


def plan_addition(
    root: Path, *, function: str | None = None, role: str | None = None, fc_callback: str | None = None
) -> Addition:
    """Plan what makes a function a task. Nothing is written.

    Args:
        root: The directory of s.yaml.
        function: The function's key in s.yaml, or its name; may be left out if there is one function.
        role: The ARN of the function's role.
        fc_callback: A wheel, a source tree or a URL for the requirement, instead of the released package.

    Raises:
        AddError: The project cannot be read or has no such function, the function cannot be a task, or a file of it leads
            out of the project.
        SettingsError: There is nothing at the path of `fc_callback`.
    """
    if role is not None and (problem := role_problem(role)):
        raise AddError(problem[0], hint=problem[1])
    project = read_project(root.resolve())
    chosen = _chosen(_candidates(project), function)
    _require_usable(chosen)
    files = ProjectFiles(project.root)
    account = _account(project, role)
    texts = TaskTexts(values=_values(chosen, account))
    plan = AddPlan(project=project, function=chosen, texts=texts, files=files)
    add_requirement(plan, source=fc_callback)
    if not plan.is_container:
        add_ignore_file(plan)
    add_policies(plan)
    add_flow(plan)
    add_to_manifest(plan, role=role, initializer=add_to_handler(plan))
    if others := [one.key for one in project.functions if one is not chosen and _same_handler(one, chosen)]:
        plan.decisions.append(
            f"{', '.join(others)} has the same handler. Run the command for it as well, or give it a handler of its own."
        )
    changes = files.changes()
    manifest = chosen.document.path.resolve()
    if account == SAMPLE_ACCOUNT and any(SAMPLE_ACCOUNT in change.after.decode() for change in changes):
        plan.decisions.append(
            f"The account {SAMPLE_ACCOUNT} is a sample. With --role ARN the files get the account and the role of your ARN."
        )
    return Addition(
        function=chosen.name,
        changes=changes,
        backups=tuple(backup_of(change) for change in changes if change.path == manifest),
        steps=tuple(plan.steps),
        decisions=tuple(plan.decisions),
    )


def _candidates(project: Project) -> list[Function]:
    if not project.manifests:
        problem = next((one.message for one in project.problems), f"There is no s.yaml in {project.root.absolute()}.")
        raise AddError(problem, hint="Name the directory of a project with an s.yaml that can be read.")
    found = [one for one in project.functions if _runs_python(project, one)]
    if found:
        return found
    older = any("services" in one.data or str(one.data.get("edition")) == "1.0.0" for one in project.manifests)
    problem = next((one.message for one in project.problems), "s.yaml has no Python function of the component fc3.")
    raise AddError(
        "This is a project of fc 2.0." if older else problem,
        hint="Translate it first: `s cli fc3 s2tos3`." if older else "`fc-callback check` says more.",
    )


def _runs_python(project: Project, function: Function) -> bool:
    if function.is_python or not function.runtime.startswith("custom"):
        return function.is_python
    if handler_of(project, function) is not None:
        return True
    configs = [function.mapping(name) for name in ("customRuntimeConfig", "customContainerConfig")]
    words = " ".join(str(config.get(name)) for config in configs for name in ("entrypoint", "command", "args"))
    return bool(_PYTHON_COMMAND.search(words))


def _chosen(functions: Sequence[Function], name: str | None) -> Function:
    if name is None and len(functions) == 1:
        return functions[0]
    named = [one for one in functions if name in {one.key, one.name}]
    if len(named) == 1:
        return named[0]
    known = ", ".join(one.key for one in functions)
    problem = "The project has several functions." if name is None else f"The project has no single function {name!r}."
    raise AddError(problem, hint=f"Add --function with one of these names: {known}.")


def _require_usable(function: Function) -> None:
    runtime = function.fc_runtime
    if runtime is None or not runtime.runs_fc_callback:
        raise AddError(
            f"{function.key} has the runtime {function.runtime}, and fc_callback needs Python 3.10 or later.",
            hint="Change the runtime to python3.10 or python3.12 first, and test the function with it.",
        )
    if function.code_dir is None and function.runtime != CONTAINER:
        raise AddError(
            f"The code of {function.key} is not a directory of this project.",
            hint="Write its directory as `code:` in s.yaml.",
        )
    own = function.document.data.get("resources")
    if not isinstance(own, dict) or not isinstance(own.get(function.key), dict):
        raise AddError(
            f"{function.key} is in a file that {function.document.file} extends.",
            hint="Write the resource into this file, or add the parts by hand.",
        )


def _same_handler(one: Function, other: Function) -> bool:
    return (one.code_dir, one.text("handler")) == (other.code_dir, other.text("handler")) and one.is_python


def _account(project: Project, role: str | None) -> str:
    """Return the account's number, as far as a role of the project shows it."""
    roles = [role, *(one.text("role") for one in project.functions)]
    found = [match[1] for text in roles if (match := _ACCOUNT.match(text or ""))]
    return next((number for number in found if number != SAMPLE_ACCOUNT), SAMPLE_ACCOUNT)


def _values(function: Function, account: str) -> dict[str, str]:
    name = function.text("functionName") or re.sub(r"\W", "_", function.key)  # a name that only a deployment knows
    region = function.text("region")
    role = re.sub(r"[^a-z0-9.-]", "-", name.lower())[:_LONGEST_ROLE]
    return {
        "region": region if _REGION.fullmatch(region) else _DEFAULT_REGION,
        "accountId": account,
        "functionName": name,
        "functionRole": f"{role}-role",
        "flowName": f"{name}-flow",
    }
