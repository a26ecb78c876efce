"""A local CloudFlow in a process of its own, to be killed: `serve.py DIRECTORY RETRY_DELAY_SECONDS`."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from fc_callback.local import LocalCloudFlow

directory = Path(sys.argv[1])


def append(name: str, text: str) -> None:
    with (directory / name).open("a") as file:
        file.write(text + "\n")


def notify(event: bytes) -> None:
    append("events", event.decode())


def hang(event: bytes) -> None:
    append("hung", event.decode())
    while not (directory / "go").exists():
        time.sleep(0.01)


def broken(event: bytes, context: Any) -> None:
    append("broken", str(context.retry_count))
    raise RuntimeError("on purpose")


def act(parameters: dict[str, Any], *, task_token: Any) -> dict[str, Any]:
    append("acted", json.dumps({**parameters, "token": task_token and task_token.reveal()}))
    while not (directory / "go").exists():
        time.sleep(0.01)
    return {"acted": True}


service = LocalCloudFlow(database=directory / "cloudflow.db", async_retry_delay_seconds=float(sys.argv[2]))
service.start_service()
for function in (notify, hang, broken):
    service.add_function(function)
service.add_action("test:Act", act)
service.subscribe("queues/hung", "hang")
key = service.credentials
print(json.dumps({"endpoint": service.endpoint, "id": key.access_key_id, "secret": key.access_key_secret}), flush=True)
threading.Event().wait()
