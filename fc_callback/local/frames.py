"""The lists of steps of a running execution: the flow's own, and one for each branch, iteration and alternative.

Each is a row of its own, so that a report loads its own list, however many others the execution has.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.flows.definition import compact

if TYPE_CHECKING:
    from fc_callback.flows.definition import Body, JsonObject, Step
    from fc_callback.local.store import Row, ServiceStore

# Leads from the flow's own list to another one: the name of a step, the index of a list inside it, and so on.
Path = tuple[str | int, ...]


@attrs.define(kw_only=True, eq=False)
class Frame:
    """One running list of steps.

    Attributes:
        id: Its row.
        parent: The row of the list around it; None for the flow's own list.
        position: Its position among the branches or iterations of its step.
        path: Where its steps are in the flow.
        body: Its steps.
        scope: The data that its steps pass on.
        step_name: The current step; None before the first one.
        following: The step that begins next; None if the list ends then.
        entered: The event StepEntered of the current step.
        last_event: The latest event of this list.
        step_input: The input of the current step.
        retries: The used retries of the current step, by the index of the retry rule.
        task: The row of the running task; None if there is none.
        goto: The step that follows a choice; set while its alternative runs.
        items: The elements of a running `map`, or one None for each branch of a running `parallel`.
        opened: How many of the items have begun.
        running: How many of the items run now.
    """

    id: int
    parent: int | None
    position: int
    path: Path
    body: Body
    scope: JsonObject
    step_name: str | None = None
    following: str | None = None
    entered: int = 0
    last_event: int = 0
    step_input: Any = attrs.field(factory=dict)
    retries: dict[str, int] = attrs.field(factory=dict)
    task: int | None = None
    goto: str | None = None
    items: list[Any] = attrs.field(factory=list)
    opened: int = 0
    running: int = 0

    @property
    def step(self) -> Step:
        """The current step."""
        assert self.step_name is not None
        step: Step = self.body.steps[self.step_name]
        return step


_STATE = (
    *("scope", "step_name", "following", "entered", "last_event", "step_input", "retries", "task", "goto", "items"),
    *("opened", "running"),
)


def create_frame(
    store: ServiceStore, execution: int, *, parent: Frame | None, position: int, path: Path, body: Body, scope: Any
) -> Frame:
    """Store a new list of steps, which begins with its first one."""
    parent_id = None if parent is None else parent.id
    row = store.insert("frames", execution=execution, parent=parent_id, position=position, path=compact(path))
    last_event = 0 if parent is None else parent.last_event
    return Frame(
        id=row,
        parent=parent_id,
        position=position,
        path=path,
        body=body,
        scope=scope,
        following=body.first,
        last_event=last_event,
    )


def load_frame(store: ServiceStore, row: Row, body: Body) -> Frame:
    """Return the list that a row holds; `body` is the flow's own list."""
    path: Path = tuple(json.loads(row["path"]))
    for name, index in zip(path[::2], path[1::2], strict=True):
        body = body.steps[str(name)].bodies[int(index)]
    state = json.loads(store.restore_tokens(row["state"]))
    return Frame(id=row["id"], parent=row["parent"], position=row["position"], path=path, body=body, **state)


def save_frame(store: ServiceStore, frame: Frame) -> None:
    """Store the state of a list."""
    state = {name: getattr(frame, name) for name in _STATE}
    store.update("frames", frame.id, state=store.mask_tokens(compact(state)))
