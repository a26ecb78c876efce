"""One delivery in a process of its own: python deliver.py '{"url": ..., "folder": ..., "token": ..., "stop_at": ...}'.

It says each step it has taken on stdout, stops for good after the step `stop_at`, and waits for a line on stdin first where
`start` asks for it. What the work does is a line in `effects`; a report is a line in `reports`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from fc_callback.errors import FcCallbackError
from fc_callback.idempotency import once
from fc_callback.values.context import Deadline
from fc_callback.values.token import TaskToken

OPTIONS = json.loads(sys.argv[1])


def write_line(name: str, text: str) -> None:
    with (Path(OPTIONS["folder"]) / name).open("a") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def step(name: str) -> None:
    print(name, flush=True)
    if name == OPTIONS.get("stop_at"):
        sys.stdin.read()
        sys.exit("nobody killed this process")


def main() -> None:
    token = TaskToken(OPTIONS["token"])
    options = once("order", store=OPTIONS["url"], duplicate=OPTIONS.get("duplicate", "wait"))
    step("ready")
    if OPTIONS.get("start"):
        sys.stdin.readline()
    payload = {"order": 7, "taskToken": token.reveal()}
    work = options.enter(payload, scope="shop.handler", deadline=Deadline.after(60), token=token)
    if work.stored is None:
        step("entered")
        write_line("effects", str(os.getpid()))
        step("worked")
        output = json.dumps({"by": os.getpid()})
        work.done(output)
        step("done")
    else:
        output = str(work.stored.output)
    write_line("reports", f"{token.fingerprint} {output}")
    step("sent")
    work.reported()
    step("reported")


try:
    main()
except FcCallbackError as error:
    print(type(error).__name__, flush=True)
