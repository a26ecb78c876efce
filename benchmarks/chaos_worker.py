"""A function of the chaos run: one line of JSON in for each invocation, one line out."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from types import SimpleNamespace
from typing import Any

from fc_callback import CloudFlowClient, RetryPolicy, once, task_callback

LEDGER = os.environ["CHAOS_LEDGER"]
FAST = RetryPolicy(base_seconds=0.02, cap_seconds=0.2, throttled_base_seconds=0.02, throttled_cap_seconds=0.2)


@task_callback(
    once=once("order.job", store=f"sqlite:///{os.environ['CHAOS_STORE']}"), client=CloudFlowClient(retry=FAST)
)
def handler(order: dict[str, Any]) -> dict[str, Any]:
    job = order["order"]["job"]
    number = random.getrandbits(48)
    time.sleep(random.random() * 0.01)
    with open(LEDGER, "a", encoding="utf-8") as ledger:  # noqa: PTH123 - appends of one short line are whole
        ledger.write(f"{job} {number}\n")
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
