"""A result becomes an Output once, however it is reported."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, field_serializer

from fc_callback import OutputTooLarge, task_callback
from fc_callback.idempotency import once
from tests.invoking import fc_context
from tests.waiting import WaitingTasks

WRITTEN: list[str] = []


class Receipt(BaseModel):
    text: str

    @field_serializer("text")
    def _write(self, text: str) -> str:
        WRITTEN.append(text)
        return text


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"on_failure": "report"},
        {"once": once(key="order", store="memory:")},
        {"large_output": lambda text, task: {"size": len(text)}, "output_limit_bytes": 20},
    ],
    ids=["plain", "report", "once", "large"],
)
def test_a_result_is_encoded_once_an_invocation(tasks: WaitingTasks, options: dict[str, Any]) -> None:
    WRITTEN.clear()
    task = tasks.new(order=7)

    @task_callback(**options)
    def handler(event: bytes, context: Any) -> Any:
        return Receipt(text="x" * 30)

    answer = handler(task.event, fc_context(tasks))
    assert len(WRITTEN) == 1
    assert type(answer) is str
    assert json.loads(answer) == task.output


def test_an_output_over_the_limit_is_encoded_once_before_it_is_refused(tasks: WaitingTasks) -> None:
    WRITTEN.clear()

    @task_callback(output_limit_bytes=20)
    def handler(event: bytes, context: Any) -> Any:
        return Receipt(text="x" * 30)

    with pytest.raises(OutputTooLarge):
        handler(tasks.new().event, fc_context(tasks))
    assert len(WRITTEN) == 1
