"""Invokes functions as FC does: synchronously, or from a queue with retries.

An invocation is stored before it starts and until it has ended. One that was queued or running when the service was killed
is delivered again.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import secrets
import threading
import uuid
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.errors import FcCallbackError
from fc_callback.flows.definition import compact
from fc_callback.flows.targets import function_name
from fc_callback.local.store import StoreClosedError
from fc_callback.redaction import mask_secrets
from fc_callback.runtime.contexts import make_context
from fc_callback.runtime.pool import FunctionPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.local.clock import Clock
    from fc_callback.local.options import ServiceOptions
    from fc_callback.local.store import Row, ServiceStore
    from fc_callback.runtime import FunctionSpec
    from fc_callback.values.context import Credentials

MAX_KEPT_CHARACTERS = 128 * 1024
# The error type of an invocation that ended because nothing waits for it any more. The name is this project's own.
CANCELLED = "InvocationCancelled"
_MAX_RETRY_DELAY_SECONDS = 5 * 3600


@attrs.frozen(kw_only=True)
class InvocationEnd:
    """The end of an invocation. `error_name` is the error's name as a flow sees it; empty if it succeeded."""

    task: int | None
    asynchronous: bool
    body: str
    error_name: str
    error_message: str


@attrs.frozen(kw_only=True)
class _Attempt:
    """The outcome of one attempt."""

    body: str = ""
    log: str = ""
    error_type: str = ""
    error_name: str = ""
    error_message: str = ""


class Invoker:
    """The functions and their invocations.

    Functions report their tasks to `endpoint`: a process finds it in its environment, a callable in its context.
    """

    def __init__(self, store: ServiceStore, clock: Clock, options: ServiceOptions, *, endpoint: str) -> None:
        self._store = store
        self._clock = clock
        self._options = options
        self._endpoint = endpoint
        self._functions: dict[str, FunctionSpec | Callable[..., Any]] = {}
        self._pools: dict[str, FunctionPool] = {}
        self._active: dict[int, threading.Event] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.log_listeners: list[Callable[[str, str], None]] = []
        # The engine sets both.
        self.on_end: Callable[[InvocationEnd], None] = lambda _end: None
        self.on_change: Callable[[], None] = lambda: None

    def add(self, name: str, function: FunctionSpec | Callable[..., Any]) -> None:
        """Add a function, or replace the function of the same name."""
        with self._lock:
            self._functions[name] = function
            old = self._pools.pop(name, None)
        if old is not None:
            old.close()

    def is_idle(self) -> bool:
        """Return whether no invocation runs or is about to; those that wait for a retry do not count."""
        rows = self._store.all(
            "SELECT function FROM invocations WHERE status != 'ended'"
            " AND id NOT IN (SELECT invocation FROM timers WHERE invocation IS NOT NULL)"
        )
        return not any(row["function"] in self._functions for row in rows)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all functions."""
        return tuple(self._functions)

    def find(self, resource_arn: str) -> str | None:
        """Return the name of the function that an ARN of FC 2 or FC 3 names; versions and aliases are ignored."""
        name = function_name(resource_arn)
        return name if name in self._functions else None

    def submit(self, *, function: str, event: str, asynchronous: bool, account: str, execution: int, task: int) -> None:
        """Store an invocation; it starts after the commit of the transaction."""
        invocation = self._store.insert(
            "invocations",
            request_id=str(uuid.uuid4()),
            function=function,
            account=account,
            execution=execution,
            task=task,
            asynchronous=asynchronous,
            event=self._store.mask_tokens(event),
            queued=self._clock.now(),
        )
        self.launch(invocation)

    def resume(self, function: str | None = None) -> None:
        """Start the unfinished invocations of a former process, of one function or of all."""
        names = self.names if function is None else (function,)
        with self._store.transaction():
            rows = self._store.all(
                "SELECT id, function FROM invocations WHERE status != 'ended'"
                " AND id NOT IN (SELECT invocation FROM timers WHERE invocation IS NOT NULL) ORDER BY id"
            )
            for row in rows:
                if row["function"] in names:
                    self.launch(row["id"])

    def launch(self, invocation: int) -> None:
        """Start an invocation after the commit of the transaction."""
        thread = threading.Thread(
            target=self._run, args=(invocation,), name=f"local-invocation-{invocation}", daemon=True
        )
        self._store.after_commit(thread.start)

    def _run(self, invocation: int) -> None:
        # If the store is closed meanwhile, the invocation stays unfinished there, and is delivered again.
        with contextlib.suppress(StoreClosedError):
            self._run_once(invocation)

    def _run_once(self, invocation: int) -> None:
        with self._store.transaction():
            row = self._store.one("SELECT * FROM invocations WHERE id = ?", invocation)
            # After a restart, the invocations of a function start when the function is added.
            if row is None or row["status"] == "ended" or row["function"] not in self._functions:
                return
            if self._closing.is_set() or invocation in self._active:
                return
            cancelled = self._active[invocation] = threading.Event()
            self._store.update("invocations", invocation, status="running")
        event = self._store.restore_tokens(row["event"])
        expires_at = self._clock.now() + self._options.credentials_seconds
        session = self._store.issuer.session(row["account"], expires_at=expires_at, serial=secrets.token_hex(16))
        attempt = self._attempt(row, event, session, cancelled)
        with self._store.transaction():
            del self._active[invocation]
            # close() ends the processes, so this is no result of the function. The event is delivered again.
            if self._closing.is_set():
                return
            log = self._finish(row, attempt, session)
        for listener in self.log_listeners if log else ():
            listener(row["function"], self._store.masked(log))

    def cancel(self, task: int) -> None:
        """End the invocations of a task, after the commit of the transaction; none of them is retried.

        FC cancels functions that still run when an execution ends. A process is ended; a callable of this process goes
        on, and its result is ignored.
        """
        for row in self._store.all("SELECT * FROM invocations WHERE task = ? AND status != 'ended'", task):
            self._store.update(
                "invocations",
                row["id"],
                status="ended",
                ended=self._clock.now(),
                error_type=CANCELLED,
                error_message="The execution no longer waits for this invocation.",
            )
            self._store.run("DELETE FROM timers WHERE kind = 'invocation' AND invocation = ?", row["id"])
            self._store.after_commit(functools.partial(self._interrupt, row["id"], row["function"]))

    def _interrupt(self, invocation: int, function: str) -> None:
        cancelled = self._active.get(invocation)
        if cancelled is None:
            return
        cancelled.set()
        with self._lock:
            pool = self._pools.get(function)
        if pool is not None:
            pool.interrupt_cancelled()

    def _attempt(self, row: Row, event: str, session: Credentials, cancelled: threading.Event) -> _Attempt:
        name = row["function"]
        function = self._functions[name]
        try:
            if callable(function):
                return _call(function, event.encode(), self._context(row, session))
            result = self._pool(name, function).invoke(
                event.encode(),
                credentials=session,
                request_id=row["request_id"],
                retry_count=row["retry_count"],
                cancelled=cancelled,
            )
        except Exception as error:  # noqa: BLE001 - an error outside the function counts as FC's own
            return _Attempt(
                error_type="InternalServerError",
                error_name="FC.InternalServerError",
                error_message=f"The function could not be run: {type(error).__name__}: {error}",
            )
        return _Attempt(
            body=result.body.decode("utf-8", "replace"),
            log=result.log,
            error_type=result.error_type or "",
            error_name=result.error_name if result.error_type else "",
            error_message=result.error_message if result.error_type else "",
        )

    def _context(self, row: Row, session: Credentials) -> Any:
        return make_context(
            request_id=row["request_id"],
            function_name=row["function"],
            region=self._options.region,
            account_id=row["account"],
            retry_count=row["retry_count"],
            credentials=session,
            cloudflow_endpoint=self._endpoint,
        )

    def _pool(self, name: str, spec: FunctionSpec) -> FunctionPool:
        with self._lock:
            if self._closing.is_set():
                raise FcCallbackError("The service is closing.")
            pool = self._pools.get(name)
            if pool is None:
                environment = {"CLOUDFLOW_ENDPOINT": self._endpoint, **spec.environment}
                spec = attrs.evolve(spec, environment=environment)
                pool = self._pools[name] = FunctionPool(spec, max_instances=self._options.instances)
            return pool

    def _finish(self, row: Row, attempt: _Attempt, session: Credentials) -> str:
        """Store the outcome of an attempt, and schedule a retry or notify the engine; return the log as it is stored."""
        options = self._options
        is_retried = bool(attempt.error_type) and row["asynchronous"] and row["retry_count"] < options.async_retries

        def stored(text: str) -> str:
            return _without_secrets(self._store.mask_tokens(_bounded(text)), session)

        self._store.after_commit(self.on_change)
        log = stored(attempt.log)
        current = self._store.one("SELECT status FROM invocations WHERE id = ?", row["id"])
        if current is None or current["status"] == "ended":  # it was cancelled
            self._store.update("invocations", row["id"], log=row["log"] + log)
            return log
        self._store.update(
            "invocations",
            row["id"],
            status="queued" if is_retried else "ended",
            ended=self._clock.now(),
            retry_count=row["retry_count"] + int(is_retried),
            error_type=attempt.error_type,
            error_name=stored(attempt.error_name),
            error_message=stored(attempt.error_message),
            result=stored(attempt.body),
            log=row["log"] + log,
        )
        if is_retried:
            delay = min(options.async_retry_delay_seconds * 2 ** row["retry_count"], _MAX_RETRY_DELAY_SECONDS)
            self._store.insert("timers", due=self._clock.now() + delay, kind="invocation", invocation=row["id"])
            return log
        end = InvocationEnd(
            task=row["task"],
            asynchronous=bool(row["asynchronous"]),
            body=attempt.body,
            error_name=_without_secrets(_bounded(attempt.error_name), session),
            error_message=_without_secrets(_bounded(attempt.error_message), session),
        )
        # In the same transaction: the result and the step that follows are stored together.
        self.on_end(end)
        return log

    def close(self) -> None:
        """End every process. The next service on the same file delivers the unfinished invocations again."""
        with self._store.transaction():
            self._closing.set()
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.interrupt()  # all of them first: a process that ignores SIGTERM takes some seconds to end
        for pool in pools:
            pool.close()


def _bounded(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= MAX_KEPT_CHARACTERS else text[:MAX_KEPT_CHARACTERS] + "\n[cut]"


def _without_secrets(text: str, session: Credentials) -> str:
    return mask_secrets(text, also=(session.access_key_secret, session.security_token or ""))


def _call(function: Callable[..., Any], event: bytes, context: Any) -> _Attempt:
    """Call a function of this process with the event, and with a context if it takes two arguments."""
    try:
        value = function(event, context) if _takes_two(function) else function(event)
        body = value.decode() if isinstance(value, bytes) else value if isinstance(value, str) else compact(value)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the function's own exception is its outcome
        return _Attempt(
            body=compact({"errorMessage": str(error), "errorType": type(error).__name__}),
            error_type="UnhandledInvocationError",
            error_name=type(error).__name__,
            error_message=str(error),
        )
    return _Attempt(body=body)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        # The signature of the function itself: what a decorator has wrapped may take something else.
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = [parameter.kind for parameter in parameters]
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return sum(kind in positional for kind in kinds) >= 2 or inspect.Parameter.VAR_POSITIONAL in kinds  # noqa: PLR2004
