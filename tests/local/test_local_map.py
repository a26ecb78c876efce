"""A Map and a foreach of 200 waiting tasks, reported by many threads while the service is killed and started again."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.local.raw_client import error_of, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.local.processes import Process

ELEMENTS = 200
REPORTERS = 20
LEGACY = """
version: v1
type: flow
steps:
  - type: foreach
    name: all
    iterationMapping: {collection: $.orders, item: order, index: place}
    steps:
      - type: task
        name: ask
        resourceArn: acs:fc:::services/s/functions/notify
        pattern: waitForCallback
        serviceParams: {InvocationType: Async}
        inputMappings:
          - {target: taskToken, source: $context.task.token}
          - {target: n, source: $input.order.n}
    outputMappings:
      - {target: results, source: "$local[*].n"}
"""
CLOUDFLOW = """
Type: StateMachine
SpecVersion: v1
Name: f
StartAt: All
States:
  - Type: Map
    Name: All
    ItemsPath: $Input.orders
    Processor:
      StartAt: Ask
      States:
        - Type: Task
          Name: Ask
          Action: FC:InvokeFunction
          TaskMode: WaitForCustomCallback
          Parameters:
            resourceArn: acs:fc:::services/s.LATEST/functions/notify
            invocationType: Async
            body: {taskToken.$: $Context.Current.TaskToken, n.$: $Input.n}
          End: true
    OutputConstructor: {results.$: "$Output.Items[*].n"}
    End: true
"""


class Service:
    """A service in a process of its own, which is killed and started again, and the tokens that its function received."""

    def __init__(self, serve: Callable[..., Process], directory: Path) -> None:
        self.serve = serve
        self.directory = directory
        self.process = serve()
        self.tokens: dict[str, int] = {}
        self.read = 0
        self.lock = threading.Lock()

    def kill_and_start(self) -> None:
        self.process.kill()
        self.process = self.serve()

    def waiting(self) -> dict[str, int]:
        """Return the tokens that the function has received, with the numbers of their elements."""
        path = self.directory / "events"
        if path.exists():
            with self.lock, path.open() as file:
                file.seek(self.read)
                for line in iter(file.readline, ""):
                    if not line.endswith("\n"):
                        break  # it is being written
                    self.read += len(line)  # the events are ASCII
                    event = json.loads(line)
                    self.tokens[event["taskToken"]] = event["n"]
        with self.lock:
            return dict(self.tokens)


class Reporters:
    """Threads that report each token once, in random order, and again where an answer was lost."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.accepted: Counter[int] = Counter()
        self.uncertain: set[int] = set()
        self.done: set[str] = set()
        self.taken: set[str] = set()
        self.failures: list[BaseException] = []
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(seed,)) for seed in range(REPORTERS)]
        for thread in self.threads:
            thread.start()

    def work(self, seed: int) -> None:
        chance = random.Random(seed)
        try:
            while not self.over.is_set():
                self.report_one(chance)
        except BaseException as failure:
            self.failures.append(failure)
            raise

    def report_one(self, chance: random.Random) -> None:
        waiting = self.service.waiting()
        with self.lock:
            free = sorted(waiting.keys() - self.done - self.taken)
            if free:
                token = chance.choice(free)
                self.taken.add(token)
        if not free:
            self.over.wait(0.05)
            return
        number = waiting[token]
        try:
            answer = self.service.process.client.report(token, {"n": number})
        except requests.RequestException:
            with self.lock:
                self.uncertain.add(number)
                self.taken.discard(token)
            self.over.wait(0.05)
            return
        with self.lock:
            self.taken.discard(token)
            self.done.add(token)
            if answer.status_code == 200:
                self.accepted[number] += 1
            else:
                assert error_of(answer) == (400, "TaskAlreadyCompleted")
                assert number in self.uncertain, "it was not reported before, and no answer was lost"

    def have_done(self, count: int) -> bool:
        return len(self.done) >= count or bool(self.failures)

    def end(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(30)


@pytest.mark.parametrize("definition", [LEGACY, CLOUDFLOW], ids=["foreach", "map"])
def test_200_waiting_tasks_all_end_once_although_the_service_is_killed(
    serve: Callable[..., Process], tmp_path: Path, definition: str
) -> None:
    service = Service(serve, tmp_path)
    service.process.create("many", definition)
    orders = [{"n": number} for number in range(ELEMENTS)]
    form = {"FlowName": "many", "ExecutionName": "e", "Input": json.dumps({"orders": orders})}
    assert service.process.client.v1("StartExecution", form=form).status_code == 200
    reporters = Reporters(service)
    try:
        for share in (ELEMENTS // 4, ELEMENTS // 2):
            until(partial(reporters.have_done, share))
            service.kill_and_start()
        until(partial(reporters.have_done, ELEMENTS))
    finally:
        reporters.end()
    execution = service.process.describe("many", "e")
    events = history(service)
    assert not reporters.failures
    assert (execution["Status"], json.loads(execution["Output"])) == ("Succeeded", {"results": list(range(ELEMENTS))})
    assert Counter(event["Type"] for event in events)["TaskSucceeded"] == ELEMENTS
    assert set(reporters.accepted.values()) == {1}, "a report was accepted twice"
    assert set(range(ELEMENTS)) - set(reporters.accepted) <= reporters.uncertain
    assert [event["EventId"] for event in events] == list(range(1, len(events) + 1))


def history(service: Service) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    token = ""
    while True:
        query = {"FlowName": "many", "ExecutionName": "e", "Limit": "999", "NextToken": token}
        page = service.process.client.v1("GetExecutionHistory", query, method="GET").json()
        events += page["Events"]
        token = page.get("NextToken") or ""
        if not token:
            return events
