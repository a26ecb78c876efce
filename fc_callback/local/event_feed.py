"""Tells a listener each event of every execution, as they happen. While nothing changes, nothing is read."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING

import attrs

from fc_callback.local.history import HistoryEvent
from fc_callback.local.store import StoreClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.local.components import Components
    from fc_callback.local.store import Row, ServiceStore

_MOST_ENDED = 1000


@attrs.frozen(kw_only=True)
class ExecutionEvent:
    """An event, and the execution it belongs to.

    Attributes:
        flow: The flow's name.
        execution: The execution's name.
        event: The event; tokens are masked.
        waits_for_report: Whether the task of the step waits for a report from this event on.
    """

    flow: str
    execution: str
    event: HistoryEvent
    waits_for_report: bool


def start_event_feed(components: Components, listener: Callable[[ExecutionEvent], None]) -> None:
    """Call `listener` with each event from now on, in a thread of its own, until the service is closed.

    The events of one execution come in their order, each after the commit of its transaction.
    """
    changed: SimpleQueue[int | None] = SimpleQueue()
    store = components.store
    with store.transaction():
        components.engine.listeners.append(changed.put)
        feed = _Feed(store)

    def tell() -> None:
        with contextlib.suppress(StoreClosedError):
            while (execution := changed.get()) is not None:
                for event in feed.new_events(execution):
                    listener(event)

    threading.Thread(target=tell, name="local-cloudflow-events", daemon=True).start()


class _Feed:
    """Reads the events of executions that have changed, each once."""

    def __init__(self, store: ServiceStore) -> None:
        self._store = store
        running = store.all("SELECT id, events FROM executions WHERE status = 'Running'")
        self._told: dict[int, int] = {row["id"]: row["events"] for row in running}
        # The change that ended an execution may be announced again after its last event was read.
        self._ended: deque[int] = deque()

    def new_events(self, execution: int) -> list[ExecutionEvent]:
        store, after = self._store, self._told.get(execution, 0)
        with store.transaction():
            row = store.one("SELECT flow_name, name, status FROM executions WHERE id = ?", execution)
            events = store.all("SELECT * FROM events WHERE execution = ? AND id > ? ORDER BY id", execution, after)
            found = [_event_of(store, event, row) for event in events] if row is not None else []
        if row is None or not events:
            return []
        self._told[execution] = events[-1]["id"]
        if row["status"] != "Running":
            self._ended.append(execution)
            if len(self._ended) > _MOST_ENDED:
                self._told.pop(self._ended.popleft(), None)
        return found


def _event_of(store: ServiceStore, event: Row, execution: Row) -> ExecutionEvent:
    waits = event["type"] == "TaskSubmitted" and store.one(
        "SELECT 1 FROM tasks WHERE execution = ? AND step = ? AND waits_for = 'report'",
        *(event["execution"], event["step"]),
    )
    return ExecutionEvent(
        flow=execution["flow_name"],
        execution=execution["name"],
        event=HistoryEvent.read(event, store),
        waits_for_report=bool(waits),
    )
