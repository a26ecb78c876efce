"""OpenTelemetry spans: one for each invocation and one for each report.

    from fc_callback.otel import instrument

    instrument()        # once, after your own setup of OpenTelemetry

It needs the extra `otel` (`pip install 'fc-callback[otel]'`). The tracer provider decides where spans are sent. The trace
continues the trace of the event (`traceparent`, at any place where a trigger puts it), else the trace of FC's own headers.
Attribute names follow OpenTelemetry's semantic conventions for FaaS. The attributes of tasks begin with `cloudflow.`.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

try:
    from opentelemetry import propagate, trace
    from opentelemetry.trace import SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"fc_callback.otel needs {error.name}, which is not installed: pip install 'fc-callback[otel]'.",
        name=error.name,
    ) from None

from fc_callback.payload.json_layers import NotJson, looks_wrapped, read_json, unwrap
from fc_callback.redaction import Redactor
from fc_callback.values import validators
from fc_callback.values.invocation import observe
from fc_callback.values.safe_log import log_safely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer, TracerProvider

    from fc_callback.metrics import TaskRecord
    from fc_callback.values.context import Deadline
    from fc_callback.values.invocation import Invocation

_CARRIED = ("traceparent", "tracestate", "baggage")
_VALUES_SEARCHED = 200  # of one event
_LAYERS = 10  # of JSON in strings
# `trace id : span id : parent span id : flags`, the format of Jaeger's clients and of FC's context.
_JAEGER = re.compile(r"([0-9a-f]{1,32}):([0-9a-f]{1,16}):[0-9a-f]*:([0-9a-f]{1,2})", re.IGNORECASE)
_RETURN_SECONDS = 0.2  # kept free for the return to FC after the spans are sent
_redactor = Redactor()

logger = logging.getLogger("fc_callback")


def instrument(
    tracer_provider: TracerProvider | None = None, *, flush_milliseconds: int | None = 2000
) -> Callable[[], None]:
    """Create spans for all later invocations. Return a function that stops this.

    Args:
        tracer_provider: Receives the spans. The default is OpenTelemetry's global provider.
        flush_milliseconds: How long an invocation waits at its end until its spans are sent, at most until its deadline.
            FC freezes the instance after an invocation. None does not wait.

    Raises:
        SettingsError: An argument is invalid.
    """
    if tracer_provider is not None:
        validators.instance_of(
            "tracer_provider", tracer_provider, trace.TracerProvider, "Give a TracerProvider of OpenTelemetry."
        )
    if flush_milliseconds is not None:
        validators.whole_number("flush_milliseconds", flush_milliseconds, least=0)
    tracer = trace.get_tracer("fc_callback", tracer_provider=tracer_provider)

    stops = (
        observe("invocation", partial(_invocation_span, tracer, tracer_provider, flush_milliseconds)),
        observe("report", partial(_report_span, tracer)),
    )

    def stop() -> None:
        for each in stops:
            each()

    return stop


@contextmanager
def _invocation_span(
    tracer: Tracer, provider: TracerProvider | None, flush_milliseconds: int | None, invocation: Invocation
) -> Iterator[None]:
    context = invocation.context
    attributes: dict[str, Any] = {
        "cloud.provider": "alibaba_cloud",
        "cloud.platform": "alibaba_cloud_fc",
        "cloud.region": context.region,
        "cloud.account.id": context.account_id,
        "faas.name": context.function_name,
        "faas.invocation_id": context.request_id,
        "faas.coldstart": invocation.cold_start,
    }
    try:
        with tracer.start_as_current_span(
            context.function_name or "invocation",
            context=parent_of(invocation),
            kind=SpanKind.SERVER,
            attributes={name: value for name, value in attributes.items() if value not in {None, ""}},
            record_exception=False,  # it would not mask secrets
            set_status_on_exception=False,
        ) as span:
            try:
                with _errors_recorded(span):
                    yield
            finally:
                if len(invocation.tasks) == 1:
                    _set_task_attributes(span, invocation.tasks[0])
    finally:
        flush = getattr(provider or trace.get_tracer_provider(), "force_flush", None)
        if flush is not None and flush_milliseconds is not None:
            _flush(flush, flush_milliseconds / 1000, context.deadline)


def _flush(flush: Callable[[int], object], seconds: float, deadline: Deadline | None) -> None:
    """Send the spans before the deadline. At the deadline FC would end the invocation and deliver its event again.

    A thread does it, because the SDK's batch processor ignores the timeout while a collector does not answer.
    """
    if deadline is not None:
        seconds = min(seconds, deadline.remaining_seconds() - _RETURN_SECONDS)
    if seconds <= 0:
        return
    thread = threading.Thread(target=_force_flush, args=(flush, seconds), name="fc_callback-spans", daemon=True)
    with suppress(RuntimeError):  # no thread is available
        thread.start()
        thread.join(seconds)


def _force_flush(flush: Callable[[int], object], seconds: float) -> None:
    try:
        flush(int(seconds * 1000))
    except Exception as error:  # noqa: BLE001 - lost spans must not fail the invocation
        log_safely(logger, logging.WARNING, "Spans could not be sent: %s", type(error).__name__)


@contextmanager
def _report_span(tracer: Tracer, record: TaskRecord) -> Iterator[None]:
    action = "ReportTaskFailed" if record.outcome == "failed" else "ReportTaskSucceeded"
    with tracer.start_as_current_span(
        action, kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
    ) as span:
        span.set_attribute("rpc.service", "fnf")
        span.set_attribute("rpc.method", action)
        with _errors_recorded(span):
            yield
        _set_task_attributes(span, record)
        span.set_attribute("cloudflow.report.attempts", record.report_attempts)
        span.set_attribute("cloudflow.report.throttled", record.throttled)
        span.set_attribute("cloudflow.report.already_completed", record.already_completed)


@contextmanager
def _errors_recorded(span: Span) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        message = _redactor.text(str(error))
        span.add_event("exception", {"exception.type": type(error).__qualname__, "exception.message": message})
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__qualname__}: {message}"))
        raise


def _set_task_attributes(span: Span, record: TaskRecord) -> None:
    span.set_attribute("cloudflow.outcome", record.outcome)
    if record.error:
        span.set_attribute("cloudflow.error", record.error)
        if record.outcome != "raised":  # the span already has the exception
            span.set_status(Status(StatusCode.ERROR, record.error))
    if record.task is not None:
        token = record.task.token
        span.set_attribute("cloudflow.task", token.fingerprint)
        if token.flow is not None and token.execution is not None:
            span.set_attribute("cloudflow.flow", token.flow)
            span.set_attribute("cloudflow.execution", token.execution)


def parent_of(invocation: Invocation) -> Context | None:
    """Return the trace context of the event, else that of FC's headers, else None."""
    carrier = carried_in(invocation.event)
    if carrier:
        return propagate.extract(carrier)
    found = _JAEGER.fullmatch(str(getattr(getattr(invocation.context.raw, "tracing", None), "span_context", "") or ""))
    if found is None:
        return None
    trace_id, span_id, flags = int(found[1], 16), int(found[2], 16), int(found[3], 16) & 1
    parent = f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}"
    return TraceContextTextMapPropagator().extract({"traceparent": parent})


def carried_in(event: Any) -> dict[str, str]:
    """Return the trace context in an event: the fields of the outermost object with a `traceparent`.

    That object may be the payload, HTTP headers, the extensions of an EventBridge event or the attributes of a message.
    """
    try:
        root = read_json(event) if isinstance(event, (bytes, bytearray, str)) else event
    except NotJson:
        return {}
    waiting = deque([(root, 0)])
    for _ in range(_VALUES_SEARCHED):
        if not waiting:
            break
        value, layers = waiting.popleft()
        if isinstance(value, str) and layers < _LAYERS and looks_wrapped(value):
            try:
                waiting.append((unwrap(value), layers + 1))
            except NotJson:
                continue
        elif isinstance(value, dict):
            carrier = {
                key.lower(): part for key, part in value.items() if isinstance(key, str) and key.lower() in _CARRIED
            }
            if isinstance(carrier.get("traceparent"), str):
                return {key: part for key, part in carrier.items() if isinstance(part, str)}
            waiting.extend((part, layers) for part in value.values() if isinstance(part, (dict, list, str)))
        elif isinstance(value, list):
            waiting.extend((part, layers) for part in value[:_LAYERS])
    return {}
