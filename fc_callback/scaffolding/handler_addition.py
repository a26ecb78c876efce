"""The handler of a task: decorated in its own module, with a function for FC's initializer beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fc_callback.checking.handlers import handler_of
from fc_callback.scaffolding.add_plan import MESSAGE_TRIGGERS
from fc_callback.scaffolding.errors import NotPlaced
from fc_callback.scaffolding.handler_module import INITIALIZER, HandlerModule, read_handler_module
from fc_callback.scaffolding.line_edits import BYTE_ORDER_MARK
from fc_callback.scaffolding.task_texts import INITIALIZER as INITIALIZER_PROPERTY

if TYPE_CHECKING:
    from pathlib import Path

    from fc_callback.scaffolding.add_plan import AddPlan


def add_to_handler(plan: AddPlan) -> str | None:
    """Decorate the handler, and give its module a function for FC's initializer; return the initializer's handler.

    It returns None if the module has none, or if the function has another one already.
    """
    function = plan.function
    handler = handler_of(plan.project, function)
    module_name, _, name = handler.text.rpartition(".") if handler else ("", "", "")
    if not module_name:
        _leave_unknown_handler(plan)
        return None
    path = _module_path(plan.code_dir, module_name)
    wanted = f"{module_name}.{INITIALIZER}"
    present = function.mapping(*INITIALIZER_PROPERTY).get("handler")
    if not function.is_python or present not in {None, "", wanted}:
        wanted = ""
    decorator = _decorator(plan)
    try:
        module = _read_module(plan, path, name)
    except NotPlaced as error:
        _leave_handler(plan, path, str(error), decorator, name, initializer=bool(wanted))
        return None
    if wanted and module.has_other_initializer:
        what = f"Call the initializer of fc_callback in your {INITIALIZER}(), and name that as FC's initializer."
        plan.leave(path, what, f"the module uses the name {INITIALIZER}", ["fc_callback.initializer(context)"])
        wanted = ""
    return wanted if _edit_module(plan, path, module, decorator, initializer=bool(wanted)) and wanted else None


def _read_module(plan: AddPlan, path: Path, handler: str) -> HandlerModule:
    text = plan.files.text(path)
    if text is None:
        raise NotPlaced("there is no such file")
    return read_handler_module(text.removeprefix(BYTE_ORDER_MARK), handler)


def _edit_module(plan: AddPlan, path: Path, module: HandlerModule, decorator: str, *, initializer: bool) -> bool:
    """Change the handler's module. Return whether it has a function for FC's initializer then."""
    adds = initializer and not module.has_initializer
    reason = "" if module.is_task else _other_callers(plan) or module.why_unsafe()
    if reason:
        _leave_handler(plan, path, reason, decorator, module.handler, initializer=False)
    wanted = None if reason or module.is_task else decorator
    try:
        changed = module.with_task(wanted, initializer=adds)
    except NotPlaced as error:
        _leave_handler(plan, path, str(error), wanted, module.handler, initializer=adds)
        return False
    if changed != module.text:
        bom = BYTE_ORDER_MARK if (plan.files.text(path) or "").startswith(BYTE_ORDER_MARK) else ""
        plan.files.write(path, bom + changed)
    return True


def _leave_handler(
    plan: AddPlan, path: Path, reason: str, decorator: str | None, name: str, *, initializer: bool
) -> None:
    lines = ["from fc_callback import initializer", "", f"{INITIALIZER} = initializer"] if initializer else []
    what = "Add the function for FC's initializer, and name it in s.yaml."
    if decorator is not None:
        what = f"Decorate the handler {name}."
        imported = "initializer, task_callback" if initializer else "task_callback"
        lines = [
            f"from fc_callback import {imported}",
            *lines[1:],
            "",
            "",
            decorator,
            f"def {name}(event, context): ...",
        ]
    if lines:
        plan.leave(path, what, reason, lines)


def _decorator(plan: AddPlan) -> str:
    """Return the decorator's line. Failures are reported: an asynchronous step would not see them."""
    # The events of other triggers have no task, and are served as before.
    others = ', missing_token="ignore"' if plan.trigger_types - MESSAGE_TRIGGERS else ""
    return f'@task_callback(on_failure="report"{others})'


def _other_callers(plan: AddPlan) -> str:
    """Return why the function's other callers would notice the decorator; empty if they would not."""
    is_http = "http" in plan.trigger_types
    return "its HTTP trigger expects an HTTP response, and a task returns its Output" if is_http else ""


def _leave_unknown_handler(plan: AddPlan) -> None:
    function = plan.function
    if function.is_python:
        what = f"Decorate the handler of {function.key} with @task_callback."
        plan.leave(function.document.path, what, "the file does not show which function the handler is")
        return
    what = f"Decorate the function that does the work of {function.key}, and start it with `fc-callback serve`."
    file = plan.project.root / "Dockerfile" if plan.is_container else function.document.path
    words = ["python3", "-m", "fc_callback", "serve", "index.handler"]
    line = f"CMD {json.dumps(words)}" if plan.is_container else f"command: [{', '.join(words)}]"
    plan.leave(file, what, "only you know what the start command does", [line])


def _module_path(code_dir: Path, module: str) -> Path:
    path = code_dir / module.replace(".", "/")
    package = path / "__init__.py"
    return package if package.is_file() else path.parent / f"{path.name}.py"
