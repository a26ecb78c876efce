"""Random flows on one local CloudFlow: their functions, their third party and their clock."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.local import ApiError, LocalCloudFlow
from tests.flows.history_rules import check_history
from tests.flows.random_flows import FUNCTION, RandomFlow
from tests.flows.reference import CAUSE, TOKEN, Answers, End, key_of
from tests.flows.reference_cloudflow import interpret_cloudflow
from tests.flows.reference_legacy import interpret_legacy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fc_callback.local import Execution

EXECUTIONS_OF_ONE_SERVICE = 300  # a service keeps all that it ran, and answers more slowly with it


def interpret(flow: RandomFlow) -> End:
    """Return how the flow has to end."""
    run = interpret_legacy if flow.language == "legacy" else interpret_cloudflow
    return run(flow.definition, flow.given, flow.answers)


def definition_for(flow: RandomFlow, function: str) -> str:
    """Return the definition's text with another function's name."""
    return json.dumps(flow.definition).replace(f"functions/{FUNCTION}", f"functions/{function}")


class Work:
    """The function of one random flow. It answers as planned, reports its own task, and keeps the events."""

    def __init__(self, service: LocalCloudFlow, answers: Answers, *, seconds: float = 0) -> None:
        self.components = service._components
        self.answers = answers
        self.calls: Counter[str] = Counter()
        self.closing = False
        self.seconds = seconds
        self._lock = threading.Lock()

    def __call__(self, event: bytes) -> Any:
        value = json.loads(event)
        token = value.get("taskToken")
        if token is not None:
            value["taskToken"] = TOKEN
        key = key_of(value)
        with self._lock:
            earlier = self.calls[key]
            self.calls[key] += 1
        time.sleep(self.seconds)
        answer = self.answers.at(FUNCTION, value, earlier)
        if token is not None:
            if answer.kind == "error":
                self._report("ReportTaskFailed", TaskToken=token, Error=answer.value, Cause=CAUSE)
            elif answer.kind != "silence":
                self._report("ReportTaskSucceeded", TaskToken=token, Output=json.dumps(answer.result(value)))
            return None
        if answer.kind == "error":
            raise type(answer.value, (Exception,), {})(CAUSE)
        return answer.result(value)

    def _report(self, action: str, **parameters: str) -> None:
        try:
            self.components.perform(action, **parameters)
        except ApiError as error:
            if error.code != "TaskAlreadyCompleted":  # a branch was cancelled, or the event came again after a restart
                raise
        except Exception:
            if not self.closing:
                raise


@attrs.frozen(kw_only=True)
class Observed:
    """How an execution ended, and the events of the calls that it made."""

    execution: Execution
    calls: Counter[str]


class RandomFlowService:
    """A local CloudFlow for many executions, one after the other; with a folder, it can be closed and opened again."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._service: LocalCloudFlow | None = None
        self._runs = 0

    def close(self) -> None:
        if self._service is not None:
            self._service.close()
            self._service = None

    def service(self) -> LocalCloudFlow:
        if self._service is None:
            part = self._runs // EXECUTIONS_OF_ONE_SERVICE
            database = None if self._folder is None else self._folder / f"db{part}"
            self._service = LocalCloudFlow(database=database, async_retries=0, skip_time=True)
            self._service.start_service()
        return self._service

    def run(self, flow: RandomFlow, *, restart_after: Sequence[float] = ()) -> Observed:
        """Run a flow to its end, and check its history; `restart_after` has the seconds between restarts on the way."""
        self._runs += 1
        if self._runs % EXECUTIONS_OF_ONE_SERVICE == 0:
            self.close()
        service = self.service()
        name = f"f{self._runs}"
        work = Work(service, flow.answers, seconds=0.003 if restart_after else 0)
        service.add_function(work, name=name)
        service.create_flow(name, definition_for(flow, name))
        service.start(name, flow.given, execution_name="e")
        for pause in restart_after:
            time.sleep(pause)
            work.closing = True
            self.close()
            service = self.service()
            work.components = service._components
            work.closing = False
            service.add_function(work, name=name)
        execution = service.wait(name, "e", timeout=20)
        check_history(service.history(name, "e"), ended=True)
        return Observed(execution=execution, calls=Counter(work.calls))
