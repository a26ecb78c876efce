"""Which functions are proven to run tasks: the rules for tasks apply only to them.

A function is proven to run tasks if `@task_callback` decorates its handler, or if a step of a flow that waits for a report
calls it or sends messages to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback.checking.flows import reaches
from fc_callback.checking.handlers import handler_of
from fc_callback.checking.sources import is_decorated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fc_callback.checking.flows import CheckedFlow
    from fc_callback.checking.importing import Imported
    from fc_callback.project import Function, Project


def receives_tasks(flows: Sequence[CheckedFlow], function: Function) -> bool:
    """Whether a step that waits for a report calls the function, or sends messages to it."""
    return any(step.callback and reaches(step, function) for flow in flows for step in flow.tasks)


def task_functions(
    project: Project, flows: Sequence[CheckedFlow], imported: Mapping[str, Sequence[Imported]]
) -> list[Function]:
    """Return the functions that are proven to run tasks.

    Args:
        project: The project.
        flows: Its flows.
        imported: The results of importing the handlers, by resource. The source shows the decorator of a handler that is
            not imported.
    """
    return [
        function
        for function in project.functions
        if receives_tasks(flows, function) or _is_decorated(project, function, imported.get(function.key))
    ]


def _is_decorated(project: Project, function: Function, imported: Sequence[Imported] | None) -> bool:
    if imported and not imported[0].problem:
        return bool(imported[0].on_failure)
    handler = handler_of(project, function)
    return handler is not None and is_decorated(handler.code_dir, handler.text)
