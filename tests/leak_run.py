"""A run of everything, at DEBUG and with faults, that shows its secrets to whatever might write them down.

    python -m tests.leak_run <directory>

It logs to stdout as a function does, and leaves in the directory: `secrets.json`, what must not be seen anywhere;
`records.txt`, the messages of all records as any other handler would get them; `errors.txt`, every exception's text and
traceback; `spans.txt`, OpenTelemetry's spans; and the databases.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import attrs
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fc_callback import CloudFlowClient, Credentials, FcContext, Task, TaskFailed, task_callback
from fc_callback.cli import main as command_line
from fc_callback.idempotency import idempotent, once
from fc_callback.idempotency.sqlite import SqliteStore
from fc_callback.logs.logger import Logger
from fc_callback.middleware import after, before, layers
from fc_callback.middleware import invocation as whole_invocation
from fc_callback.otel import instrument
from fc_callback.parser import event_parser, parse
from fc_callback.runtime import FunctionSpec
from fc_callback.testing import Fault, TaskCloudFlow, events, make_context
from fc_callback.values.context import Deadline

log = Logger("hunt", level="DEBUG")
FAULTS = ("error-before", "error-after", "throttle", "reset", "close", "garbage", "html", "empty")
OWN = ("fc_callback", "urllib3", "requests", "asyncio", "uvicorn", "http", "concurrent")

# A function in a process of its own, as FC runs it.
CODE = """
import json, logging, os
from fc_callback import task_callback
from fc_callback.logs.logger import Logger

log = Logger("function", level="DEBUG")

@task_callback(on_failure="report")
def handler(event, context):
    with open(os.environ["SEEN"], "a") as seen:
        for secret in (json.loads(event)["taskToken"], context.credentials.access_key_secret, context.credentials.security_token):
            print(secret, file=seen)
    log.debug("event %s with %s", event, vars(context.credentials))
    logging.getLogger("library").debug("the same again: %r", {"event": event})
    print("printed")
    raise ValueError("failed with " + event.decode() + context.credentials.security_token)
"""


@attrs.frozen
class Order:
    id: int


class Raw(logging.Handler):
    """Keeps what records of this package and of its libraries say, unmasked."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(OWN):
            text = record.getMessage() + repr(record.args)
            self.texts.append(text + (logging.Formatter().formatException(record.exc_info) if record.exc_info else ""))


def show_call(call: Any) -> None:
    """Log and bind all that there is."""
    log.bind(
        event=call.event,
        context=vars(call.context.raw) if call.context.raw else {},
        credentials=call.context.credentials,
    )
    log.debug("%s %r", call.event, call.context, extra={"nested": [{"deep": call.event}]})


SHOW_EVERYTHING = (before(show_call), after(lambda call, result: log.debug("result %s", result)))


class Run:
    """The scenes, and what they leave behind."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.errors: list[str] = []
        self.secrets: set[str] = set()

    def keep(self, credentials: Credentials) -> Credentials:
        self.secrets |= {credentials.access_key_secret, *filter(None, [credentials.security_token])}
        return credentials

    def expect(self, call: Any, *arguments: Any, **named: Any) -> None:
        """Make a call that fails with an error of this package, and keep all that the error says."""
        try:
            call(*arguments, **named)
        except Exception as error:
            if type(error).__module__.startswith("fc_callback"):
                self.errors += [str(error), repr(error), "".join(traceback.format_exception(error)), repr(vars(error))]
                return
            raise
        raise AssertionError(f"{call} has not failed")

    def task(self, service: TaskCloudFlow, payload: dict[str, Any] | None = None) -> Any:
        task = service.new_task(payload or {"id": 1})
        self.secrets.add(task.token.reveal())
        return task

    def context(self, service: TaskCloudFlow, **options: Any) -> Any:
        return make_context(credentials=self.keep(service.session()), **options)


def succeed(run: Run, service: TaskCloudFlow) -> None:
    store = SqliteStore(run.directory / "once.db")

    @task_callback(once=once(key="id", store=store))
    @layers(*SHOW_EVERYTHING)
    def handler(event: bytes, context: Any) -> dict[str, Any]:
        thread = threading.Thread(target=log.debug, args=("from a bare thread: %s", event))
        thread.start()
        thread.join()
        return {"id": 1}

    @task_callback
    @layers(*SHOW_EVERYTHING)
    async def later(event: bytes, context: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        log.debug("from asyncio: %s", event)
        return {}

    for number, (trigger, options) in enumerate(
        [
            *((trigger, {}) for trigger in events.WITH_PAYLOAD),
            (events.mns_queue, {"base64": True}),
            (events.http, {"base64": True}),
        ]
    ):
        task = run.task(service, {"id": number})
        handler(task.event_as(trigger, **options), run.context(service))
        task.assert_succeeded()
        handler(task.event_as(trigger, **options), run.context(service))
        later(run.task(service).event, run.context(service))


def meet_faults(run: Run, service: TaskCloudFlow) -> None:
    @task_callback
    @layers(*SHOW_EVERYTHING)
    def handler(event: bytes, context: Any) -> dict[str, Any]:
        return {}

    for kind in FAULTS:
        service.inject(Fault(kind))
        task = run.task(service)
        handler(task.event, run.context(service))
        task.assert_succeeded()
        service.clear_faults()


def fail(run: Run, service: TaskCloudFlow) -> None:
    @task_callback(on_failure="report")
    @layers(*SHOW_EVERYTHING)
    def handler(event: bytes, context: Any) -> None:
        raise ValueError(f"{event.decode()} {context.credentials.access_key_secret}")

    @task_callback(on_failure="report")
    def named(event: bytes, context: Any) -> None:
        raise TaskFailed("Named", cause=event.decode())

    for function in (handler, named):
        task = run.task(service)
        function(task.event, run.context(service))
        run.errors.append(repr(task.failure))


def meet_errors(run: Run, service: TaskCloudFlow) -> None:
    @task_callback
    def handler(order: Order, context: FcContext, task: Task) -> object:
        log.debug("%s %s %r", order, task, vars(task))
        return object()

    @task_callback(already_completed="raise")
    def again(event: bytes, context: Any) -> None: ...

    one, other = run.task(service), run.task(service)
    run.expect(handler, json.dumps({"a": [json.loads(one.event)], "b": json.loads(other.event)}), run.context(service))
    run.expect(handler, json.dumps({"id": one.token.reveal(), "taskToken": one.token.reveal()}), run.context(service))
    run.expect(handler, one.event, run.context(service))
    run.expect(handler, b'{"data": {"ticket": "' + one.token.reveal().encode() + b'"}}', run.context(service))
    run.expect(handler, one.event, make_context())
    run.expect(parse, json.dumps({"id": one.token.reveal()}), Order)
    run.expect(event_parser(lambda event: parse(event, Order)), b"[]", run.context(service))

    again(one.event, run.context(service))
    run.expect(again, one.event, run.context(service))
    wrong = run.keep(
        Credentials(access_key_id="LTAI5tWRONGWRONGWRONG12", access_key_secret="wrongSecretWrongSecret123456")
    )
    for credentials in (
        wrong,
        run.keep(service.session()).evolve(access_key_secret="anotherWrongSecret12345678"),
    ):
        run.expect(again, other.event, make_context(credentials=run.keep(credentials)))
    token = "djEjbm8tc3VjaC1mbG93I25vLXN1Y2gtcnVuIzMjAAAAAAAAAAAAAAAAAAAA"
    run.secrets.add(token)
    run.expect(CloudFlowClient(credentials=service.credentials).report_task_succeeded, token, {})

    service.inject(Fault("dead", seconds=60))
    client = CloudFlowClient(credentials=service.credentials)
    run.expect(client.report_task_succeeded, other.token, {}, deadline=Deadline.after(1.5))
    service.clear_faults()
    gone = CloudFlowClient(endpoint="http://127.0.0.1:9", credentials=service.credentials)
    run.expect(gone.report_task_failed, other.token, "E", "c", deadline=Deadline.after(1.5))


def trace(run: Run, service: TaskCloudFlow) -> None:
    """The scenes of success and failure once more, told to OpenTelemetry."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    stop = instrument(provider)

    @task_callback
    def handler(event: bytes, context: Any) -> dict[str, Any]:
        if context.retry_count:
            raise ValueError(f"{event.decode()} {context.credentials.access_key_secret}")
        return {}

    for retry_count in range(2):
        service.inject(Fault("error-after"))
        with contextlib.suppress(ValueError):
            handler(run.task(service).event, run.context(service, retry_count=retry_count))
        service.clear_faults()
    stop()
    (run.directory / "spans.txt").write_text("\n".join(span.to_json() for span in exporter.get_finished_spans()))


def do_without_a_task(run: Run, service: TaskCloudFlow) -> None:
    """The helpers on a plain handler; the secrets are in what it logs, and in an event that it is given by mistake."""
    store = SqliteStore(run.directory / "once.db")

    @idempotent(once(key="id", store=store))
    @layers(whole_invocation, *SHOW_EVERYTHING)
    @event_parser
    def handler(event: bytes, context: Any) -> dict[str, Any]:
        log.debug("plain %s %r", event, context)
        return {}

    for number in (100, 100, 101):
        handler(run.task(service, {"id": number}).event, run.context(service))


def run_a_process(run: Run, service: TaskCloudFlow) -> None:
    """A function as a flow calls it, in a process of its own; its log comes to stdout here."""
    code = run.directory / "code"
    code.mkdir()
    (code / "index.py").write_text(CODE)
    seen = code / "seen"
    service.add_function(FunctionSpec(name="process", code_dir=code, environment={"SEEN": str(seen)}))
    definition = """
version: v1
type: flow
steps:
  - type: task
    name: ask
    resourceArn: acs:fc:::services/s/functions/process
    pattern: waitForCallback
    serviceParams: {InvocationType: Async}
    inputMappings:
      - {target: taskToken, source: $context.task.token}
"""
    service.create_flow("process", definition)
    service.inject(Fault("error-after"), Fault("reset"))
    ended = service.wait("process", service.start("process", {}))
    print(ended, service.history("process", ended), sep="\n")
    ends_at = time.monotonic() + 20
    while any(one.status != "ended" for one in service.invocations("process")):  # it returns after its report
        assert time.monotonic() < ends_at
        time.sleep(0.02)
    run.secrets |= set(seen.read_text().split())
    for invocation in service.invocations("process"):
        assert "the same again" in invocation.log, invocation
        print(invocation.log)


def run_commands(run: Run, service: TaskCloudFlow) -> None:
    """The commands for flows, on executions whose inputs, errors and histories hold tokens."""
    task = run.task(service, {"id": 1, "again": run.task(service).token.reveal()})
    failed = run.task(service)
    CloudFlowClient().report_task_failed(failed.token, "Named", f"with {failed.token.reveal()} in it")
    names = [f"{one.flow}/{one.execution}" for one in (task, failed)]
    lists = (
        ["list"],
        ["waiting"],
        ["fail", names[1], "--error", "x"],
        ["stop", names[0], "--cause", task.token.reveal()],
    )
    each = [[command, name] for name in names for command in ("describe", "history", "graph", "rerun")]
    for command in (*each, *lists):
        for more in ([], ["--json"]):
            sys.argv = ["fc-callback", "flow", *command, *more]
            with contextlib.suppress(SystemExit):
                command_line()


def main(directory: Path) -> None:
    run, raw = Run(directory), Raw()
    logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
    logging.getLogger().addHandler(raw)
    http.client.HTTPConnection.debuglevel = 1  # as people do who look for what is sent
    Logger("hunt", level="DEBUG")  # on the handlers that are there now
    with TaskCloudFlow(database=directory / "service.db") as service:
        os.environ.update(service.environment)
        run.keep(service.credentials)
        for scene in (succeed, meet_faults, fail, meet_errors, trace, do_without_a_task, run_a_process, run_commands):
            scene(run, service)
        print(service.invocations(), service.calls, service)
    (directory / "records.txt").write_text("\n".join(raw.texts))
    (directory / "errors.txt").write_text("\n".join(run.errors))
    (directory / "secrets.json").write_text(json.dumps(sorted(run.secrets)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
