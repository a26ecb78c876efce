"""Invokes functions as FC does, synchronously or from a queue with retries, and calls actions.

An invocation is stored before it starts and until it has ended. One that was queued or running when the service was killed
is delivered again.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import secrets
import sqlite3
import threading
import uuid
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.errors import FcCallbackError
from fc_callback.flows.targets import function_name
from fc_callback.local.actions import Actions, is_called
from fc_callback.local.attempts import (
    Attempt,
    InvocationEnd,
    call_action,
    call_function,
    finished_attempt,
    secrets_of,
    unrun_attempt,
    without_secrets,
)
from fc_callback.local.cancelled import end_after_error, end_invocations, was_cancelled
from fc_callback.local.store import StoreClosedError
from fc_callback.local.trigger_events import MnsMessage
from fc_callback.runtime.contexts import make_context
from fc_callback.runtime.pool import FunctionPool
from fc_callback.values.token import TaskToken

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.local.actions import Action
    from fc_callback.local.clock import Clock
    from fc_callback.local.log_feed import LogFeed
    from fc_callback.local.options import ServiceOptions
    from fc_callback.local.store import Row, ServiceStore
    from fc_callback.runtime import FunctionSpec
    from fc_callback.values.context import Credentials

_LOG = logging.getLogger("fc_callback.local")
_MAX_RETRY_DELAY_SECONDS = 5 * 3600


class Invoker:
    """The functions and actions, and their invocations.

    Functions report their tasks to `endpoint`: a process finds it in its environment, a callable in its context.
    """

    def __init__(self, store: ServiceStore, clock: Clock, options: ServiceOptions, *, endpoint: str) -> None:
        self._store = store
        self._clock = clock
        self._options = options
        self._endpoint = endpoint
        self._functions: dict[str, FunctionSpec | Callable[..., Any]] = {}
        self.actions = Actions()
        self._pools: dict[str, FunctionPool] = {}
        self._active: dict[int, threading.Event] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.log_feeds: list[LogFeed] = []
        # The engine sets them.
        self.on_end: Callable[[InvocationEnd], None] = lambda _end: None
        self.on_error: Callable[[int | None, Exception], None] = lambda _execution, _error: None
        self.on_change: Callable[[], None] = lambda: None

    def add(self, name: str, function: FunctionSpec | Callable[..., Any]) -> None:
        """Add a function, or replace the function of the same name. Invocations that run end with the old one."""
        if not callable(function):
            function = attrs.evolve(
                function, environment={"CLOUDFLOW_ENDPOINT": self._endpoint, **function.environment}
            )
        with self._lock:
            self._functions[name] = function
            pool = self._pools.get(name)
        if pool is not None:
            pool.renew(pool.spec if callable(function) else function)

    def is_idle(self) -> bool:
        """Return whether no invocation runs or is about to; those that wait for a retry do not count."""
        rows = self._store.all(
            "SELECT kind, function FROM invocations WHERE status != 'ended'"
            " AND id NOT IN (SELECT invocation FROM timers WHERE invocation IS NOT NULL)"
        )
        return all(self._called(row) is None for row in rows)

    def _called(self, row: Row) -> FunctionSpec | Callable[..., Any] | Action | None:
        """Return the function or the action of an invocation; None if this process has not added it."""
        if row["kind"] == "action":
            return self.actions.find(row["function"])
        return self._functions.get(row["function"])

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all functions."""
        return tuple(self._functions)

    def find(self, resource_arn: str) -> str | None:
        """Return the name of the function that an ARN of FC 2 or FC 3 names; versions and aliases are ignored."""
        name = function_name(resource_arn)
        return name if name in self._functions else None

    def submit(
        self,
        *,
        kind: str = "function",
        function: str,
        event: str,
        asynchronous: bool,
        account: str,
        execution: int | None = None,
        task: int | None = None,
        delay_seconds: float = 0,
    ) -> None:
        """Store an invocation; it starts after the commit of the transaction.

        Args:
            kind: `function`; `action`, whose parameters are the event; or `message`, an `MnsMessage` for a function.
            function: The name of the function or the action.
            event: The event, as text.
            asynchronous: Whether FC queues the event, and retries it.
            account: The account that it runs in.
            execution: The execution that it belongs to.
            task: The task that learns of its end.
            delay_seconds: The time before it starts.
        """
        invocation = self._store.insert(
            "invocations",
            request_id=str(uuid.uuid4()),
            kind=kind,
            function=function,
            account=account,
            execution=execution,
            task=task,
            asynchronous=asynchronous,
            event=self._store.mask_tokens(event),
            queued=self._clock.now(),
        )
        if delay_seconds:
            self._launch_later(invocation, delay_seconds)
        else:
            self.launch(invocation)

    def resume(self, name: str | None = None) -> None:
        """Start the unfinished invocations of a former process: those of one function or action, or all."""
        with self._store.transaction():
            rows = self._store.all(
                "SELECT id, kind, function FROM invocations WHERE status != 'ended'"
                " AND id NOT IN (SELECT invocation FROM timers WHERE invocation IS NOT NULL) ORDER BY id"
            )
            for row in rows:
                is_meant = name is None or is_called(name, row["function"])
                if is_meant and self._called(row) is not None:
                    self.launch(row["id"])

    def launch(self, invocation: int) -> None:
        """Start an invocation after the commit of the transaction."""
        thread = threading.Thread(
            target=self._run, args=(invocation,), name=f"local-invocation-{invocation}", daemon=True
        )
        self._store.after_commit(thread.start)

    def _launch_later(self, invocation: int, seconds: float) -> None:
        self._store.insert("timers", due=self._clock.now() + seconds, kind="invocation", invocation=invocation)
        self._store.after_commit(self.on_change)

    def _run(self, invocation: int) -> None:
        # If the store is closed meanwhile, the invocation stays unfinished there, and is delivered again.
        with contextlib.suppress(StoreClosedError):
            self._run_once(invocation)

    def _run_once(self, invocation: int) -> None:
        with self._store.transaction():
            row = self._store.one("SELECT * FROM invocations WHERE id = ?", invocation)
            if row is None or row["status"] == "ended":
                return
            # After a restart, the invocations of a function start when the function is added.
            called = self._called(row)
            if called is None or self._closing.is_set() or invocation in self._active:
                return
            cancelled = self._active[invocation] = threading.Event()
            self._store.update("invocations", invocation, status="running")
        event = self._store.restore_tokens(row["event"])
        expires_at = self._clock.now() + self._options.credentials_seconds
        session = self._store.issuer.session(row["account"], expires_at=expires_at, serial=secrets.token_hex(16))
        try:
            attempt = self._attempt(row, called, event, session, cancelled)
            log = self._store_end(row, attempt, session)
        except StoreClosedError:
            raise
        except Exception as error:  # noqa: BLE001 - the execution must learn of it, or it waits for ever
            self._give_up(row, error)
            return
        if log and row["kind"] == "action":
            _LOG.error("The action %s failed:\n%s", row["function"], self._store.masked(log))
            self._tell(row, session, log)

    def _store_end(self, row: Row, attempt: Attempt, session: Credentials) -> str:
        """Store the end of an attempt, again and again while the disk is full; return its log."""
        while True:
            try:
                with self._store.transaction():
                    # close() ends the processes, so this is no result of the function. The event is delivered again.
                    log = "" if self._closing.is_set() else self._finish(row, attempt, session)
                    self._active.pop(row["id"], None)
                    return log
            except sqlite3.OperationalError:  # noqa: PERF203 - it waits a second
                _LOG.exception("The end of a call of %s could not be stored; it is tried again.", row["function"])
                self._closing.wait(1)

    def _give_up(self, row: Row, error: Exception) -> None:
        """End an invocation whose end could not be stored because of an internal error; its execution fails."""
        with self._store.transaction():
            self._active.pop(row["id"], None)
            end_after_error(self._store, self._clock, row["id"], error)
            self._store.after_commit(self.on_change)
            self.on_error(row["execution"], error)

    def cancel(self, task: int) -> None:
        """End the invocations of a task after the commit. A callable of this process goes on; its result is ignored."""
        for row in end_invocations(self._store, self._clock, task):
            self._store.after_commit(functools.partial(self._interrupt, row["id"], row["function"]))

    def _interrupt(self, invocation: int, function: str) -> None:
        cancelled, pool = self._active.get(invocation), self._pools.get(function)
        if cancelled is not None:
            cancelled.set()
            if pool is not None:
                pool.interrupt_cancelled()

    def _attempt(self, row: Row, called: Any, event: str, session: Credentials, cancelled: threading.Event) -> Attempt:
        name = row["function"]
        if row["kind"] == "action":
            return call_action(called, event, self._callback_token(row))
        if row["kind"] == "message":
            event = MnsMessage(**json.loads(event)).event()
        try:
            if callable(called):
                return call_function(called, event.encode(), self._context(row, session))
            result = self._pool(name, called).invoke(
                event.encode(),
                credentials=session,
                request_id=row["request_id"],
                retry_count=row["retry_count"],
                cancelled=cancelled,
                on_log=functools.partial(self._tell, row, session) if self.log_feeds else None,
            )
        except Exception as error:  # noqa: BLE001 - an error outside the function counts as FC's own
            return unrun_attempt(error)
        return finished_attempt(result)

    def _stored(self, secrets: tuple[str, ...], text: str) -> str:
        return without_secrets(self._store.mask_tokens(text), secrets)

    def _tell(self, row: Row, session: Credentials, log: str) -> None:
        shown = self._store.masked(self._stored(secrets_of(self._store, row["event"], session), log))
        for feed in self.log_feeds:
            feed.tell(row["function"], shown)

    def _callback_token(self, row: Row) -> TaskToken | None:
        """Return the token of an action's task, if the task waits for a report."""
        task = self._store.one("SELECT waits_for FROM tasks WHERE id = ?", row["task"])
        is_callback = task is not None and task["waits_for"] == "report"
        return TaskToken(self._store.task_token(row["task"])) if is_callback else None

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
            if name not in self._pools:
                self._pools[name] = FunctionPool(spec, max_instances=self._options.instances)
            return self._pools[name]

    def _finish(self, row: Row, attempt: Attempt, session: Credentials) -> str:
        """Store the outcome of an attempt, and schedule a retry or notify the engine; return the log as it is stored."""
        options = self._options
        is_retried = bool(attempt.error_type) and row["asynchronous"] and row["retry_count"] < options.async_retries

        given = secrets_of(self._store, row["event"], session)
        stored = functools.partial(self._stored, given)
        log = stored(attempt.log)
        self._store.after_commit(self.on_change)
        if was_cancelled(self._store, row["id"]):
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
            self._launch_later(row["id"], delay)
            return log
        end = InvocationEnd(
            task=row["task"],
            asynchronous=bool(row["asynchronous"]),
            body=attempt.body,
            result=attempt.result,
            error_name=without_secrets(attempt.error_name, given),
            error_message=without_secrets(attempt.error_message, given),
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
        for feed in self.log_feeds:
            feed.close()
