"""Deliveries in processes of their own: python deliver.py SOCKET forks one for each connection.

A fork takes a hundredth of the time that a new interpreter takes, and can be killed as well. Each connection sends one line
of JSON, and gets each step that the delivery has taken as a line; the first is the process's id. The delivery stops for good
after the step `stop_at`, and waits for another line before it begins where `start` asks for it. What the work does is a line
in the file `effects`; a report is a line in `reports`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

from fc_callback.errors import FcCallbackError
from fc_callback.idempotency import once, redis, sqlite  # the drivers, too, before the first fork
from fc_callback.values.context import Deadline
from fc_callback.values.token import TaskToken

DRIVERS = redis, sqlite


class Delivery:
    def __init__(self, options: dict[str, Any], test: TextIO) -> None:
        self.options = options
        self.test = test

    def step(self, name: str) -> None:
        self.test.write(f"{name}\n")
        self.test.flush()
        if name == self.options.get("stop_at"):
            self.test.readline()
            os._exit(1)  # the test has ended, and has not killed this process

    def write_line(self, name: str, text: str) -> None:
        with (Path(self.options["folder"]) / name).open("a") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())

    def run(self) -> None:
        token = TaskToken(self.options["token"])
        options = once("order", store=self.options["url"], duplicate=self.options.get("duplicate", "wait"))
        self.step("ready")
        if self.options.get("start"):
            self.test.readline()
        payload = {"order": 7, "taskToken": token.reveal()}
        work = options.enter(payload, scope="shop.handler", deadline=Deadline.after(60), token=token)
        if work.stored is None:
            self.step("entered")
            self.write_line("effects", str(os.getpid()))
            self.step("worked")
            output = json.dumps({"by": os.getpid()})
            work.done(output)
            self.step("done")
        else:
            output = str(work.stored.output)
        self.write_line("reports", f"{token.fingerprint} {output}")
        self.step("sent")
        work.reported()
        self.step("reported")

    def write_results(self) -> None:
        """Do one piece of work after the other, until the process is killed."""
        options = once(("round", "number"), store=self.options["url"])
        for number in range(1_000_000):
            payload = {"round": self.options["round"], "number": number}
            options.enter(payload, scope="shop.handler").done(f'{{"number": {number}}}')
            self.step(str(number))


def serve(connection: socket.socket) -> None:
    with connection, connection.makefile("rw", encoding="utf-8") as test:
        options = json.loads(test.readline())
        delivery = Delivery(options, test)
        delivery.step(str(os.getpid()))
        try:
            delivery.write_results() if "round" in options else delivery.run()
        except FcCallbackError as error:
            delivery.step(type(error).__name__)


def main(path: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system forgets children that have ended
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        print("listening", flush=True)
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                try:
                    serve(connection)
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(0)
            connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
