"""The first page of the console with very many executions, and what its lists ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.local.raw_client import CALLBACK_FLOW

if TYPE_CHECKING:
    from fc_callback.local import LocalCloudFlow
    from fc_callback.local.store import ServiceStore
    from tests.local.raw_client import Inbox

COPIES = 10_000


def copy_execution(store: ServiceStore, *, name: str) -> None:
    """Make copies of an execution and of the task that it waits for, as they would be if all had been started."""
    with store.transaction():
        execution = dict(store.one("SELECT * FROM executions WHERE name = ?", name) or {})
        [task] = [dict(row) for row in store.all("SELECT * FROM tasks")]
        timers = [dict(row) for row in store.all("SELECT * FROM timers WHERE kind = 'task'")]
        original = execution.pop("id")
        del task["id"]
        for number in range(COPIES):
            copy = store.insert("executions", **{**execution, "name": f"{name}-{number}"})
            assert copy > original
            copied_task = store.insert("tasks", **{**task, "execution": copy, "digest": str(number)})
            for timer in timers:
                store.insert("timers", **{**timer, "id": None, "execution": copy, "task": copied_task})


def steps_of(service: LocalCloudFlow, path: str) -> int:
    """Return how many instructions SQLite executes for a page."""
    ticks: list[int] = []
    connection = service._components.store._connection
    connection.set_progress_handler(lambda: ticks.append(100), 100)
    answer = requests.get(service.endpoint + path, timeout=60)
    connection.set_progress_handler(None, 0)
    assert answer.status_code == 200
    assert "10,001" in answer.text
    return sum(ticks)


@pytest.mark.parametrize("waits", [False, True], ids=["ended", "waiting"])
def test_ten_thousand_executions_are_listed_by_reading_a_page_of_them(
    service: LocalCloudFlow, inbox: Inbox, *, waits: bool
) -> None:
    service.create_flow("approve", CALLBACK_FLOW.replace("pattern:", "timeoutSeconds: 600\n    pattern:"))
    service.start("approve", {}, execution_name="ask")
    task = service.run_until_waiting("approve", "ask")
    if not waits:
        task.succeed({})
        service.wait("approve", "ask")
    copy_execution(service._components.store, name="ask")
    # The counts read every row of an index. To read or to sort the rows themselves takes several times more.
    assert steps_of(service, "/console/") < 50 * COPIES
