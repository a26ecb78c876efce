"""Random histories of waiting tasks: whatever happens to them, in whatever order, nothing is left over and nothing ends twice."""

from __future__ import annotations

import json
from base64 import b64decode
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fc_callback.local import ApiError, LocalCloudFlow
from tests.flows.flow_strategies import waiting_flows
from tests.flows.history_rules import check_history, count
from tests.flows.random_flows import ERRORS, FUNCTION, RandomFlow
from tests.flows.reference import AnswersBySite
from tests.profiles import by_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fc_callback.local import HistoryEvent
    from fc_callback.local.waiting_tasks import WaitingTask

EXECUTIONS_OF_ONE_SERVICE = 300  # a service keeps all that it ran
HAPPENINGS = ["succeed"] * 5 + ["fail"] * 3 + ["twice", "late", "late", "advance", "advance", "stop"]
happenings = st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 50)), min_size=8, max_size=20)


class Services:
    """A local CloudFlow that is closed and opened again on the same database, and now and then on a new one."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._number = 0
        self._service: LocalCloudFlow | None = None
        self._tokens: list[str] = []

    def now(self) -> LocalCloudFlow:
        if self._service is None:
            part = self._number // EXECUTIONS_OF_ONE_SERVICE
            self._service = LocalCloudFlow(database=None if self._folder is None else self._folder / f"db{part}")
            self._service.start_service()
            self._service.add_function(self._work, name=FUNCTION)
        return self._service

    def close(self) -> None:
        if self._service is not None:
            self._service.close()
            self._service = None

    def _work(self, event: bytes) -> None:
        self._tokens.append(json.loads(event)["taskToken"])

    def tokens(self, flow: str) -> list[str]:
        """Return the tokens of a flow that the function has received by now; a restart may deliver one again."""
        return [token for token in self._tokens if f"#{flow}#" in b64decode(token).decode()]

    def new_flow(self, flow: RandomFlow) -> str:
        """Create the flow, start its execution `e`, and return the flow's name."""
        self._number += 1
        if self._number % EXECUTIONS_OF_ONE_SERVICE == 0:
            self.close()
        name = f"f{self._number}"
        self._tokens = []
        self.now().create_flow(name, flow.definition)
        self.now().start(name, flow.given, execution_name="e")
        return name


class History:
    """One execution, and what happens to it."""

    def __init__(self, services: Services, flow: RandomFlow) -> None:
        self.services = services
        self.flow = services.new_flow(flow)
        self.seen: list[WaitingTask] = []
        self.accepted = 0

    def waiting(self) -> list[WaitingTask]:
        found = self.services.now().waiting(self.flow, "e")
        self.seen += found
        return found

    def history(self) -> list[HistoryEvent]:
        return self.services.now().history(self.flow, "e")

    def status(self) -> str:
        return self.services.now().describe(self.flow, "e").status

    def report(self, task: WaitingTask, error: str = "") -> bool:
        """Report a task; return whether it was accepted."""
        output = {"a": 1, "b": {"p": "x"}}
        return self._is_accepted(partial(task.fail, error, "why") if error else partial(task.succeed, output))

    def report_token(self, token: str) -> bool:
        """Report the task that a token belongs to; return whether it was accepted."""
        perform = self.services.now()._components.perform
        return self._is_accepted(partial(perform, "ReportTaskSucceeded", TaskToken=token, Output="{}"))

    def _is_accepted(self, report: Callable[[], Any]) -> bool:
        try:
            report()
        except ApiError as refused:
            if refused.code != "TaskAlreadyCompleted":
                raise
            return False
        self.accepted += 1
        return True

    def happen(self, kind: str, number: int) -> None:
        service, waiting = self.services.now(), self.waiting()
        if kind == "stop":
            if self.status() == "Running":
                service.stop(self.flow, "e", error="Enough")
        elif kind == "advance":
            service.advance(number % 10)
        elif kind == "restart":
            self.services.close()
            self.seen = []
        elif kind == "late":
            tokens = self.services.tokens(self.flow)
            if self.seen and number % 2:
                self.report(self.seen[number % len(self.seen)], error=ERRORS[0])
            elif tokens:
                self.report_token(tokens[number % len(tokens)])
        elif waiting:
            task = waiting[number % len(waiting)]
            assert self.report(task, error=ERRORS[number % 2] if kind == "fail" else "")
            if kind == "twice":
                assert not self.report(task)

    def end(self) -> None:
        """Report what waits and move the clock, until the execution has ended."""
        for _ in range(200):
            if self.status() != "Running":
                break
            waiting = self.waiting()
            if waiting:
                assert self.report(waiting[0])
            else:
                before = len(self.history())
                self.services.now().advance(10)
                assert len(self.history()) > before, "it waits for nothing that has a name"
        assert self.status() != "Running"

    def check_the_end(self) -> None:
        history = self.history()
        check_history(history, ended=True)
        assert self.waiting() == []
        for task in self.seen:
            assert not self.report(task)
        for token in self.services.tokens(self.flow):
            assert not self.report_token(token)
        assert count(history, "TaskSucceeded", "TaskFailed") == self.accepted
        assert self.history() == history


def live(services: Services, flow: RandomFlow, events: list[tuple[str, int]]) -> None:
    history = History(services, flow)
    for kind, number in events:
        history.happen(kind, number)
    history.end()
    history.check_the_end()


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    services = Services()
    yield services
    services.close()


@pytest.fixture(scope="module")
def durable_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    services = Services(tmp_path_factory.mktemp("histories"))
    yield services
    services.close()


@pytest.mark.parametrize("part", range(by_profile(1, 20)))
@pytest.mark.timeout(300)
@settings(max_examples=by_profile(150, 500), suppress_health_check=[HealthCheck.too_slow])
@given(flow=waiting_flows, events=happenings)
def test_every_execution_ends_once_whatever_happens_to_its_waiting_tasks(
    services: Services, part: int, flow: RandomFlow, events: list[tuple[str, int]]
) -> None:
    live(services, flow, events)


@pytest.mark.parametrize("part", range(by_profile(1, 4)))
@pytest.mark.timeout(300)
@settings(max_examples=by_profile(10, 250), suppress_health_check=[HealthCheck.too_slow])
@given(flow=waiting_flows, events=happenings, restarts=st.sets(st.integers(0, 8), min_size=1, max_size=3))
def test_every_execution_ends_once_although_the_service_is_closed_in_between(
    durable_services: Services, part: int, flow: RandomFlow, events: list[tuple[str, int]], restarts: set[int]
) -> None:
    for place in sorted(restarts, reverse=True):
        events.insert(min(place, len(events)), ("restart", 0))
    live(durable_services, flow, events)


def test_a_caught_failure_leaves_nothing_of_the_lists_inside_while_the_flow_goes_on(services: Services) -> None:
    call: dict[str, Any] = {"resourceArn": f"acs:fc:::services/s/functions/{FUNCTION}", "invocationType": "Async"}
    call = {**call, "body": {"taskToken.$": "$Context.Current.TaskToken"}}
    ask = {"Type": "Task", "Action": "FC:InvokeFunction", "TaskMode": "WaitForCustomCallback", "Parameters": call}
    inner = {"StartAt": "B", "States": [{**ask, "Name": "B", "End": True}]}
    items = {"Type": "Map", "Name": "M", "ItemsPath": "$Input.items", "Processor": inner, "End": True}
    branches = [
        {"StartAt": "A", "States": [{**ask, "Name": "A", "End": True}]},
        {"StartAt": "M", "States": [items]},
    ]
    catch = [{"Errors": ["Rejected"], "Description": "c", "Next": "After"}]
    states = [
        {"Type": "Parallel", "Name": "P", "Branches": branches, "Catch": catch, "Next": "After"},
        {**ask, "Name": "After", "End": True},
    ]
    definition = {"Type": "StateMachine", "SpecVersion": "v1", "Name": "f", "StartAt": "P", "States": states}
    given: dict[str, Any] = {"items": [{}, {}]}
    flow = RandomFlow(language="cloudflow", definition=definition, given=given, answers=AnswersBySite({}))
    history = History(services, flow)
    first, *others = history.waiting()
    assert history.report(first, error="Rejected")
    assert [task.step for task in history.waiting()] == ["After"]
    assert not any(history.report(task) for task in others)
    history.end()
    history.check_the_end()
