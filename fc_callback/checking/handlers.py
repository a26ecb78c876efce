"""Check the handlers and their hooks: they can be imported, and receive tasks only if they are decorated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fc_callback.checking.findings import Finding
from fc_callback.checking.flows import reaches
from fc_callback.checking.handler_strings import refusal
from fc_callback.checking.importing import Imported, import_handlers
from fc_callback.checking.load_errors import install_hint, module_of_others, why_uncertain
from fc_callback.project.documents import relative_name
from fc_callback.project.start_command import start_command

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from fc_callback.checking.flows import CheckedFlow
    from fc_callback.checking.payloads import SentPayload
    from fc_callback.project import Function, Project

_HOOKS = ("initializer", "preStop")


@attrs.frozen(kw_only=True)
class Handler:
    """A function's handler, or the handler of one of its hooks.

    Attributes:
        text: `module.function`.
        code_dir: What becomes /code.
        file: The file that names it: s.yaml or the Dockerfile.
        line: The line there.
        kind: `handler`, `initializer` or `preStop`.
    """

    text: str
    code_dir: Path
    file: str
    line: int
    kind: str = "handler"


def handler_of(project: Project, function: Function) -> Handler | None:
    """Return a function's handler; None if it is not Python, or if s.yaml and the Dockerfile do not show it."""
    file = function.document.file
    if function.is_python:
        text, code_dir = function.text("handler"), function.code_dir
        if not text or code_dir is None:
            return None
        return Handler(text=text, code_dir=code_dir, file=file, line=function.line("handler"))
    code_dir = function.code_dir or next(
        (folder for folder in (project.root / "code", project.root) if folder.is_dir()), None
    )
    if code_dir is None:
        return None
    command = start_command(function)
    if command is None or command.handler is None:
        return None
    return Handler(text=command.handler, code_dir=code_dir, file=command.file, line=command.line)


def hooks_of(function: Function) -> list[Handler]:
    """Return the handlers of the hooks that FC itself calls. A custom runtime gets a request instead, so it has none."""
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


def import_all(
    project: Project, payloads: Mapping[str, Sequence[SentPayload]], *, time_limit_seconds: float
) -> dict[str, list[Imported]]:
    """Import the handler of every function, and then those of its hooks, by resource."""
    imported: dict[str, list[Imported]] = {}
    for function in project.functions:
        handler = handler_of(project, function)
        if handler is not None:
            imported[function.key] = import_handlers(
                handler.code_dir,
                [handler.text, *(hook.text for hook in hooks_of(function))],
                runtime=function.runtime if function.is_python else "python3.12",
                environment=function.environment,
                payloads=[sent.as_arguments() for sent in payloads.get(function.key, ())],
                time_limit_seconds=time_limit_seconds,
            )
    return imported


def check(
    project: Project,
    flows: Sequence[CheckedFlow],
    imported: Mapping[str, Sequence[Imported]],
    *,
    absent: Collection[str] = (),
) -> Iterator[Finding]:
    """Find what is wrong with the handlers, and with the hooks of those that can be imported.

    Args:
        project: The project.
        flows: Its flows.
        imported: The results of importing the handlers, by resource.
        absent: Modules that have a finding already.
    """
    for function in project.functions:
        handler = handler_of(project, function)
        if handler is None:
            continue
        refused = dict(_refused(function, handler))
        yield from refused.values()
        if function.key not in imported:
            continue
        seen, *hooks = imported[function.key]
        if seen.problem:
            if handler not in refused:
                yield from _not_loaded(project, function, handler, seen, absent)
            continue
        # A hook that ends the process leaves no result of those after it.
        for hook, of_hook in zip(hooks_of(function), hooks, strict=False):
            if of_hook.problem and hook not in refused:
                yield from _not_loaded(project, function, hook, of_hook, absent)
        if not seen.on_failure and any(
            step.callback and reaches(step, function) for flow in flows for step in flow.tasks
        ):
            file, line = _inside(project.root, seen) or (handler.file, handler.line)
            yield Finding(
                rule="handler-decorated",
                file=file,
                line=line,
                message=f"The handler {handler.text} receives tasks and is not decorated, so it reports none of them.",
                hint="Decorate it with @task_callback.",
            )


def _refused(function: Function, handler: Handler) -> Iterator[tuple[Handler, Finding]]:
    for one in (handler, *hooks_of(function)) if function.is_python else ():
        problem = refusal(one.text, one.code_dir, function.runtime)
        if problem is not None:
            message, hint = problem
            message = f"FC cannot load the {one.kind}: {message}"
            yield one, Finding(rule="handler-string", file=one.file, line=one.line, message=message, hint=hint)


def _not_loaded(
    project: Project, function: Function, handler: Handler, seen: Imported, absent: Collection[str]
) -> Iterator[Finding]:
    file, line = _inside(project.root, seen) or (handler.file, handler.line)
    module = module_of_others(handler.text, handler.code_dir, seen)
    reason = why_uncertain(function, handler.text, handler.code_dir, seen)
    if module in absent:
        return  # the rules for dependencies tell more about it
    if reason:
        yield Finding(
            rule="handler-unchecked",
            file=file,
            line=line,
            message=f"The {handler.kind} {handler.text} cannot be imported here, so no rule looks at it ({reason}): "
            f"{seen.problem}",
            hint=install_hint(project, handler.code_dir, module)
            if module
            else "Silence this rule if FC can import it.",
        )
        return
    yield Finding(
        rule="handler-import",
        file=file,
        line=line,
        message=f"The {handler.kind} {handler.text} cannot be loaded: {seen.problem}",
        hint=_import_hint(seen),
    )


def _inside(root: Path, seen: Imported) -> tuple[str, int] | None:
    file = relative_name(Path(seen.file), root)
    return (file, seen.line) if Path(seen.file).is_absolute() and not Path(file).is_absolute() else None


def _import_hint(seen: Imported) -> str:
    if seen.kind == "HandlerNotFound":
        return "Name a function of that module: handler: module.function."
    if seen.kind == "FunctionTimeout":
        return "Do the long work in the function, or in FC's initializer."
    return "Fix the import: FC imports the handler in the first request, and would fail in the same way."
