"""A function of the chaos run: one line of JSON in for each invocation, one line out."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from fc_callback import CloudFlowClient, RetryPolicy, once, task_callback
from fc_callback.idempotency.sqlite import SqliteStore

if TYPE_CHECKING:
    from fc_callback.idempotency import Record

LEDGER = os.environ["CHAOS_LEDGER"]


def write(what: str, job: int, number: int) -> None:
    with open(LEDGER, "a", encoding="utf-8") as ledger:  # noqa: PTH123 - an append of one short line is atomic
        ledger.write(f"{what} {job} {number}\n")


class Store(SqliteStore):
    """A store that writes down which results it has acknowledged."""

    def replace(self, old: Record, new: Record, *, timeout: float = 10) -> bool:
        changed = super().replace(old, new, timeout=timeout)
        if changed and old.state == "RUNNING" and new.output is not None:
            result = json.loads(new.output)
            write("recorded", result["job"], result["number"])
        return changed


FAST = RetryPolicy(base_seconds=0.02, cap_seconds=0.2, throttled_base_seconds=0.02, throttled_cap_seconds=0.2)


@task_callback(once=once("order.job", store=Store(os.environ["CHAOS_STORE"])), client=CloudFlowClient(retry=FAST))
def handler(order: dict[str, Any]) -> dict[str, Any]:
    job = order["order"]["job"]
    number = random.getrandbits(48)
    write("ran", job, number)
    time.sleep(random.random() * 0.01)
    return {"job": job, "number": number}


def main() -> None:
    function = SimpleNamespace(name="chaos", handler="index.handler", memory=512, timeout=2)
    print("ready", flush=True)
    for line in sys.stdin:
        delivery = json.loads(line)
        context = SimpleNamespace(request_id=delivery["id"], function=function, region="cn-hangzhou")
        try:
            answer = "ok " + handler(delivery["event"].encode(), context)
        except Exception as error:
            answer = f"error {type(error).__name__}"
        print(answer.replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
