"""The handlers and their hooks: whether they can be imported, and are tasks where a flow expects one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.checking.findings import Finding
from fc_callback.checking.importing import TIME_LIMIT_SECONDS, Imported, import_handlers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fc_callback.checking.project import Function, Project

_SERVED = re.compile(r"fc-callback[\"',\s]+serve[\"',\s]+(?P<handler>[\w./]+\.\w+)")
_HOOKS = ("initializer", "preStop")
# Events of these triggers carry a task token; those of the others do not.
_TASK_TRIGGERS = {"mns_topic", "eventbridge"}


@attrs.frozen(kw_only=True)
class Handler:
    """Where a function's handler, or the handler of a hook, is.

    Attributes:
        kind: `handler`, `initializer` or `preStop`.
        text: `module.function`.
        code_dir: What becomes /code.
        place: Where s.yaml or the Dockerfile names it.
        file: That file.
        line: The line there.
    """

    text: str
    code_dir: Path
    file: str
    line: int
    kind: str = "handler"


def handler_of(project: Project, function: Function) -> Handler | None:
    """Find a function's handler; None where it is not Python's, or not to be seen from here."""
    if function.is_python:
        text, code_dir = function.text("handler"), function.code_dir
        if not text or code_dir is None:
            return None
        line = function.line("handler")
        return Handler(text=text, code_dir=code_dir, file=function.document.file, line=line)
    code_dir = function.code_dir or next(
        (folder for folder in (project.root / "code", project.root) if folder.is_dir()), None
    )
    for name in ("customRuntimeConfig", "customContainerConfig"):
        found = _SERVED.search(" ".join(_words(function.mapping(name))))
        if found and code_dir is not None:
            line = function.line(name)
            return Handler(text=found["handler"], code_dir=code_dir, file=function.document.file, line=line)
    dockerfile = project.root / "Dockerfile"
    if function.runtime != "custom-container" or not dockerfile.is_file() or code_dir is None:
        return None
    for number, line_text in enumerate(dockerfile.read_text("utf-8", "replace").splitlines(), 1):
        found = _SERVED.search(line_text) if line_text.lstrip().upper().startswith(("CMD", "ENTRYPOINT")) else None
        if found:
            return Handler(text=found["handler"], code_dir=code_dir, file=dockerfile.name, line=number)
    return None


def _words(config: Mapping[str, Any]) -> list[str]:
    return [str(word) for key in ("entrypoint", "command", "args") for word in config.get(key) or ()]


def hooks_of(function: Function) -> list[Handler]:
    """Find the handlers of a function's hooks, where FC itself runs them: a custom runtime gets a request instead."""
    config, code_dir = function.mapping("instanceLifecycleConfig"), function.code_dir
    if not function.is_python or code_dir is None:
        return []
    return [
        Handler(
            kind=kind,
            text=config[kind]["handler"],
            code_dir=code_dir,
            file=function.document.file,
            line=function.line("instanceLifecycleConfig", kind, "handler"),
        )
        for kind in _HOOKS
        if isinstance(config.get(kind), dict) and isinstance(config[kind].get("handler"), str)
    ]


def import_all(project: Project, *, time_limit_seconds: float = TIME_LIMIT_SECONDS) -> dict[str, list[Imported]]:
    """Import the handler of every function, and those of its hooks after it, by resource."""
    imported: dict[str, list[Imported]] = {}
    for function in project.functions:
        handler = handler_of(project, function)
        if handler is not None:
            imported[function.key] = import_handlers(
                handler.code_dir,
                [handler.text, *(hook.text for hook in hooks_of(function))],
                runtime=function.runtime if function.is_python else "python3.12",
                environment=function.environment,
                time_limit_seconds=time_limit_seconds,
            )
    return imported


def check(project: Project, imported: Mapping[str, Sequence[Imported]]) -> Iterator[Finding]:
    """Find what is wrong with the handlers, and where those are right with their hooks."""
    for function in project.functions:
        handler = handler_of(project, function)
        if handler is None or function.key not in imported:
            continue
        seen, *hooks = imported[function.key]
        if seen.problem:
            yield _not_loaded(project, handler, seen)
            continue
        for hook, of_hook in zip(hooks_of(function), hooks, strict=False):  # none after one that ends the process
            if of_hook.problem:
                yield _not_loaded(project, hook, of_hook)
        if not seen.decorated and _is_given_tasks(project, function):
            file, line = _inside(project.root, seen) or (handler.file, handler.line)
            yield Finding(
                rule="handler-decorated",
                file=file,
                line=line,
                message=f"The handler {handler.text} is given tasks and is not decorated: nobody reports them.",
                hint="Put @task_callback above it.",
            )


def _not_loaded(project: Project, handler: Handler, seen: Imported) -> Finding:
    file, line = _inside(project.root, seen) or (handler.file, handler.line)
    return Finding(
        rule="handler-import",
        file=file,
        line=line,
        message=f"The {handler.kind} {handler.text} cannot be loaded: {seen.problem}",
        hint=_hint(seen),
    )


def _inside(root: Path, seen: Imported) -> tuple[str, int] | None:
    path = Path(seen.file)
    if not seen.file or not path.is_absolute():
        return None
    try:
        return path.resolve().relative_to(root.resolve()).as_posix(), seen.line
    except ValueError:
        return None


def _hint(seen: Imported) -> str:
    if seen.module:
        return (
            f"The check imports it with this Python: if {seen.module} is among the requirements, install them here "
            "(python -m pip install -r requirements-dev.txt)."
        )
    if seen.kind == "HandlerNotFound":
        return "Name a function of that module: handler: module.function."
    if seen.kind == "FunctionTimeout":
        return "Do the long work in the function, or in FC's initializer."
    return "FC imports it within the first request, and would fail in the same way."


def _is_given_tasks(project: Project, function: Function) -> bool:
    steps = [step for flow in project.flows for step in flow.steps if function.answers(step.target)]
    if steps:
        return any(step.callback for step in steps)
    kinds = {str(trigger.get("triggerType")) for _, trigger in function.triggers}
    return bool(kinds & _TASK_TRIGGERS) or not (kinds or project.flows)
