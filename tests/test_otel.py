"""Spans, as the real OpenTelemetry SDK sees them."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from fc_callback import TaskFailed, TaskTokenNotFound, metrics, task_callback
from fc_callback.otel import instrument
from fc_callback.parser import event_parser
from fc_callback.testing import Fault, events
from fc_callback.values.invocation import current_invocation, observe, observers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from fc_callback.testing import TaskCloudFlow

    Contexts = Callable[..., Any]

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


class Spans:
    def __init__(self, exporter: InMemorySpanExporter, provider: TracerProvider) -> None:
        self.exporter = exporter
        self.provider = provider

    def __getitem__(self, name: str) -> ReadableSpan:
        return next(span for span in self.exporter.get_finished_spans() if span.name == name)

    def attributes(self, name: str) -> dict[str, Any]:
        return dict(self[name].attributes or {})


@pytest.fixture
def spans() -> Iterator[Spans]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    stop = instrument(provider)
    yield Spans(exporter, provider)
    stop()
    provider.shutdown()


@task_callback
def pay(order: dict[str, Any], context: object) -> dict[str, Any]:
    if not order.get("id"):
        raise TaskFailed("EmptyOrder", cause="no id")
    return {"id": order["id"]}


def test_an_invocation_and_its_report_are_spans_one_inside_of_the_other(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, spans: Spans
) -> None:
    task = local_cloudflow.new_task({"id": 1})
    local_cloudflow.inject(Fault("error-before"))

    pay(task.event, fc_context(function_name="pay", request_id="r-1"))

    outer, report = spans["pay"], spans["ReportTaskSucceeded"]
    assert report.parent is not None
    assert report.parent.span_id == outer.context.span_id
    assert (outer.kind, report.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    attributes = spans.attributes("pay")
    assert attributes["faas.invocation_id"] == "r-1"
    assert attributes["cloudflow.flow"] == task.flow
    assert attributes["cloudflow.execution"] == task.execution
    assert attributes["cloudflow.task"] == task.token.fingerprint
    assert attributes["cloudflow.outcome"] == "succeeded"
    assert spans.attributes("ReportTaskSucceeded")["cloudflow.report.attempts"] == 2


def test_the_person_s_own_spans_stand_inside_of_the_invocation_s(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, spans: Spans
) -> None:
    @task_callback
    def handler(event: bytes, context: object) -> None:
        with trace.get_tracer("mine", tracer_provider=spans.provider).start_as_current_span("charge"):
            pass

    handler(local_cloudflow.new_task().event, fc_context(function_name="pay"))

    parent = spans["charge"].parent
    assert parent is not None
    assert parent.span_id == spans["pay"].context.span_id


@pytest.mark.parametrize(
    "event_of",
    [
        lambda task: json.dumps({**json.loads(task.event), "traceparent": PARENT}).encode(),
        lambda task: task.event_as(events.http, headers={"Traceparent": PARENT}),
        lambda task: task.event_as(events.mns_topic, form="json", attributes={"traceparent": PARENT}),
        lambda task: task.event_as(events.mns_topic, attributes={"traceparent": PARENT}),
        lambda task: events.mns_queue({"id": 1, "traceparent": PARENT}, token=task.token, base64=True),
        lambda task: json.dumps({**json.loads(task.event_as(events.eventbridge)), "traceparent": PARENT}).encode(),
    ],
    ids=["payload", "http header", "mns attribute", "mns stream attribute", "inside base64", "eventbridge extension"],
)
def test_the_trace_that_the_event_carries_goes_on(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, spans: Spans, event_of: Callable[[Any], bytes]
) -> None:
    pay(event_of(local_cloudflow.new_task({"id": 1})), fc_context(function_name="pay"))

    parent = spans["pay"].parent
    assert parent is not None
    assert (f"{parent.trace_id:032x}", f"{parent.span_id:016x}") == (TRACE, SPAN)


def test_the_trace_of_fc_s_own_headers_goes_on(fc_context: Contexts, spans: Spans) -> None:
    @event_parser
    def handler(event: bytes) -> None: ...

    context = fc_context("custom", function_name="plain")
    context.tracing.span_context = f"{TRACE}:{SPAN}:0:1"
    handler(b"{}", context)

    parent = spans["plain"].parent
    assert parent is not None
    assert (f"{parent.trace_id:032x}", f"{parent.span_id:016x}") == (TRACE, SPAN)


@pytest.mark.parametrize("event", [b"{}", b"no json", b'{"traceparent": "nonsense"}', b'{"traceparent": 1}'])
def test_without_a_trace_a_new_one_begins(fc_context: Contexts, spans: Spans, event: bytes) -> None:
    @event_parser
    def handler(event: bytes) -> None: ...

    handler(event, fc_context(function_name="plain"))

    assert spans["plain"].parent is None


def test_a_task_that_fails_makes_an_error_span(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, spans: Spans
) -> None:
    pay(local_cloudflow.new_task().event, fc_context(function_name="pay"))

    assert spans["pay"].status.status_code is StatusCode.ERROR
    assert spans.attributes("pay")["cloudflow.error"] == "EmptyOrder"
    assert spans["ReportTaskFailed"].status.description == "EmptyOrder"


def test_an_exception_is_told_on_the_span_with_secrets_masked(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, spans: Spans
) -> None:
    @task_callback
    def broken(event: bytes, context: object) -> None:
        raise KeyError(event.decode())

    task = local_cloudflow.new_task()
    with pytest.raises(KeyError):
        broken(task.event, fc_context(function_name="pay"))

    span = spans["pay"]
    assert span.status.status_code is StatusCode.ERROR
    assert span.events[0].name == "exception"
    assert spans.attributes("pay")["cloudflow.outcome"] == "raised"
    assert task.token.reveal() not in span.to_json()


def test_spans_are_sent_before_the_instance_is_frozen(local_cloudflow: TaskCloudFlow, fc_context: Contexts) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=3_600_000))
    stop = instrument(provider)

    pay(local_cloudflow.new_task({"id": 1}).event, fc_context(function_name="pay"))

    assert {span.name for span in exporter.get_finished_spans()} == {"pay", "ReportTaskSucceeded"}
    stop()
    stop()
    provider.shutdown()


def test_without_the_extra_the_import_says_what_to_install() -> None:
    code = "import sys; sys.modules['opentelemetry'] = None; import fc_callback.otel"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.strip().endswith("pip install 'fc-callback[otel]'.")


# One registry for all observers


def test_spans_listeners_and_log_lines_are_observers_in_one_registry(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts
) -> None:
    before = {part: list(of_part) for part, of_part in observers.items()}
    records: list[metrics.TaskRecord] = []
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    stops = [instrument(provider), metrics.listen(records.append)]
    added = {part: len(of_part) - len(before[part]) for part, of_part in observers.items()}
    assert added == {"invocation": 1, "find": 0, "run": 0, "encode": 0, "report": 1, "task": 1}
    metrics.log_records()
    assert metrics._write_record in observers["task"]

    pay(local_cloudflow.new_task({"id": "o-1"}).event, fc_context())
    assert (len(records), len(exporter.get_finished_spans())) == (1, 2)

    for stop in stops:
        stop()
        stop()
    metrics.log_records(on=False)
    assert observers == {**before, "task": [one for one in before["task"] if one is not metrics._write_record]}
    pay(local_cloudflow.new_task({"id": "o-2"}).event, fc_context())
    assert (len(records), len(exporter.get_finished_spans())) == (1, 2)


def test_two_instruments_make_nested_spans_and_stop_one_by_one(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, spans: Spans
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    stop = instrument(provider)
    pay(local_cloudflow.new_task({"id": "o-1"}).event, fc_context())
    stop()
    pay(local_cloudflow.new_task({"id": "o-2"}).event, fc_context())

    assert len(exporter.get_finished_spans()) == 2
    assert len(spans.exporter.get_finished_spans()) == 4


def test_an_observer_that_cannot_begin_costs_neither_the_invocation_nor_its_spans(
    fc_context: Contexts, spans: Spans
) -> None:
    def broken(invocation: object) -> None:
        raise RuntimeError("broken")

    stop = observe("invocation", broken)
    assert event_parser(lambda event: "served")(b"{}", fc_context()) == "served"
    stop()

    assert len(spans.exporter.get_finished_spans()) == 1
    assert current_invocation() is None


class Failing(SpanProcessor):
    """A processor of somebody's own, which raises in one of its methods."""

    def __init__(self, method: str) -> None:
        self.method = method

    def _fail_in(self, method: str) -> None:
        if method == self.method:
            raise OSError("the collector is gone")

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self._fail_in("on_start")

    def on_end(self, span: Any) -> None:
        self._fail_in("on_end")

    def force_flush(self, timeout_millis: int = 0) -> bool:
        self._fail_in("force_flush")
        return True


@pytest.mark.parametrize("method", ["on_start", "on_end", "force_flush"])
def test_a_span_processor_that_fails_costs_neither_the_work_nor_a_delivery_that_is_done(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    provider = TracerProvider()
    provider.add_span_processor(Failing(method))
    stop = instrument(provider)
    try:
        task = local_cloudflow.new_task({"id": 1})
        assert json.loads(pay(task.event, fc_context())) == {"id": 1}
        task.assert_succeeded()
        with pytest.raises(TaskTokenNotFound):
            pay(b"{}", fc_context())
    finally:
        stop()
    assert "failed: OSError" in caplog.text or "sent: OSError" in caplog.text


def test_a_log_filter_that_raises_costs_the_warning_of_lost_spans_and_nothing_else(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(record: logging.LogRecord) -> bool:
        return bool(vars(record)["tenant"])  # which the record does not have

    provider = TracerProvider()
    provider.add_span_processor(Failing("force_flush"))
    stop = instrument(provider)
    own_logger = logging.getLogger("fc_callback")
    own_logger.addFilter(broken)
    try:
        task = local_cloudflow.new_task({"id": 1})
        assert json.loads(pay(task.event, fc_context())) == {"id": 1}
        task.assert_succeeded()
    finally:
        own_logger.removeFilter(broken)
        stop()
    assert "A log record of fc_callback could not be written: KeyError." in capsys.readouterr().err


class Silent(SpanExporter):
    """A collector that takes spans and does not answer."""

    def __init__(self) -> None:
        self.answers = threading.Event()

    def export(self, spans: Any) -> SpanExportResult:
        self.answers.wait(20)
        return SpanExportResult.SUCCESS


def test_a_silent_collector_does_not_hold_an_invocation_beyond_its_deadline(
    local_cloudflow: TaskCloudFlow, fc_context: Contexts
) -> None:
    exporter, provider = Silent(), TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    stop = instrument(provider)
    try:
        task = local_cloudflow.new_task({"id": 1})
        deadline = time.monotonic() + 1
        pay(task.event, fc_context(timeout_seconds=1))
        assert time.monotonic() < deadline
        task.assert_succeeded()
    finally:
        stop()
        exporter.answers.set()
        provider.shutdown()
