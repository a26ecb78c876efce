"""Spans for OpenTelemetry: one for each invocation, one for each report.

    from fc_callback.otel import instrument

    instrument()        # once, beside your own set-up of OpenTelemetry

It needs the extra `otel` (`pip install 'fc-callback[otel]'`), and spans go where the tracer provider sends them. The trace
continues the one that the event carries (`traceparent`, wherever the trigger has put it), or the one of FC's own headers.
Names of attributes follow OpenTelemetry's semantic conventions for FaaS; those of tasks begin with `cloudflow.`.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from contextlib import contextmanager, suppress
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer, TracerProvider

    from fc_callback.metrics import TaskRecord
    from fc_callback.values.context import Deadline
    from fc_callback.values.invocation import Invocation

_CARRIED = ("traceparent", "tracestate", "baggage")
_LOOKED_AT = 200  # values of an event
_LAYERS = 10
# `trace id : span id : parent span id : flags`, as Jaeger's clients write it and FC's context has it.
_JAEGER = re.compile(r"([0-9a-f]{1,32}):([0-9a-f]{1,16}):[0-9a-f]*:([0-9a-f]{1,2})", re.IGNORECASE)
_RETURN_SECONDS = 0.2  # what sending spans leaves of an invocation's time
_redactor = Redactor()

logger = logging.getLogger("fc_callback")


def instrument(
    tracer_provider: TracerProvider | None = None, *, flush_milliseconds: int | None = 2000
) -> Callable[[], None]:
    """Make spans from now on; return what stops that.

    Args:
        tracer_provider: Who takes them; OpenTelemetry's global one by default.
        flush_milliseconds: How long the end of an invocation waits for spans to be sent, within its deadline: FC freezes
            the instance afterwards. None does not wait.

    Raises:
        SettingsError: An argument cannot be used.
    """
    if tracer_provider is not None:
        validators.instance_of(
            "tracer_provider", tracer_provider, trace.TracerProvider, "Give a TracerProvider of OpenTelemetry."
        )
    if flush_milliseconds is not None:
        validators.whole_number("flush_milliseconds", flush_milliseconds, least=0)
    tracer = trace.get_tracer("fc_callback", tracer_provider=tracer_provider)

    def invocation_span(invocation: Invocation) -> AbstractContextManager[None]:
        return _invocation(tracer, invocation, tracer_provider, flush_milliseconds)

    def report_span(record: TaskRecord) -> AbstractContextManager[None]:
        return _report(tracer, record)

    stops = observe("invocation", invocation_span), observe("report", report_span)

    def stop() -> None:
        for one in stops:
            one()

    return stop


@contextmanager
def _invocation(
    tracer: Tracer, invocation: Invocation, provider: TracerProvider | None, flush_milliseconds: int | None
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
            record_exception=False,  # it would carry texts unmasked
            set_status_on_exception=False,
        ) as span:
            try:
                with _errors_told(span):
                    yield
            finally:
                if len(invocation.tasks) == 1:
                    _tell_task(span, invocation.tasks[0])
    finally:
        flush = getattr(provider or trace.get_tracer_provider(), "force_flush", None)
        if flush is not None and flush_milliseconds is not None:
            _flush(flush, flush_milliseconds / 1000, context.deadline)


def _flush(flush: Callable[[int], object], seconds: float, deadline: Deadline | None) -> None:
    """Send the spans, within the time there is: FC ends an invocation at its deadline, and delivers its event again.

    In a thread, because the SDK's batches take no notice of a timeout: a collector that is silent holds them for long.
    """
    if deadline is not None:
        seconds = min(seconds, deadline.remaining_seconds() - _RETURN_SECONDS)
    if seconds <= 0:
        return
    thread = threading.Thread(target=_flushed, args=(flush, seconds), name="fc_callback-spans", daemon=True)
    with suppress(RuntimeError):  # no thread is available
        thread.start()
        thread.join(seconds)


def _flushed(flush: Callable[[int], object], seconds: float) -> None:
    try:
        flush(int(seconds * 1000))
    except Exception as error:  # noqa: BLE001 - spans that are not sent cost nothing else
        logger.warning("Spans could not be sent: %s", type(error).__name__)


@contextmanager
def _report(tracer: Tracer, record: TaskRecord) -> Iterator[None]:
    action = "ReportTaskFailed" if record.outcome == "failed" else "ReportTaskSucceeded"
    with tracer.start_as_current_span(
        action, kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
    ) as span:
        span.set_attribute("rpc.service", "fnf")
        span.set_attribute("rpc.method", action)
        with _errors_told(span):
            yield
        _tell_task(span, record)
        span.set_attribute("cloudflow.report.attempts", record.report_attempts)
        span.set_attribute("cloudflow.report.throttled", record.throttled)
        span.set_attribute("cloudflow.report.already_completed", record.already_completed)


@contextmanager
def _errors_told(span: Span) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        words = _redactor.text(str(error))
        span.add_event("exception", {"exception.type": type(error).__qualname__, "exception.message": words})
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__qualname__}: {words}"))
        raise


def _tell_task(span: Span, record: TaskRecord) -> None:
    span.set_attribute("cloudflow.outcome", record.outcome)
    if record.error:
        span.set_attribute("cloudflow.error", record.error)
        if record.outcome != "raised":  # then the exception is told already
            span.set_status(Status(StatusCode.ERROR, record.error))
    if record.task is not None:
        token = record.task.token
        span.set_attribute("cloudflow.task", token.fingerprint)
        if token.flow is not None and token.execution is not None:
            span.set_attribute("cloudflow.flow", token.flow)
            span.set_attribute("cloudflow.execution", token.execution)


def parent_of(invocation: Invocation) -> Context | None:
    """Return the trace context that an invocation continues: the event's, else that of FC's headers; None for none."""
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
    """Return the trace context that an event carries: the first object, from the outside in, with a `traceparent`.

    It may stand in the payload, in HTTP headers, in an EventBridge event's extensions or in a message's attributes.
    """
    try:
        root = read_json(event) if isinstance(event, (bytes, bytearray, str)) else event
    except NotJson:
        return {}
    waiting = deque([(root, 0)])
    for _ in range(_LOOKED_AT):
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
