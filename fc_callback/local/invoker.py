"""Calling functions as FC does: synchronously, or from a queue with retries.

An invocation stands in the store before it starts and until it has ended, so that one which was queued or running when
the service was killed is delivered again.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import secrets
import threading
import uuid
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.errors import FcCallbackError
from fc_callback.flows.definition import compact
from fc_callback.local.store import StoreClosedError
from fc_callback.redaction import mask_secrets
from fc_callback.runtime.contexts import make_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.local.clock import Clock
    from fc_callback.local.store import Row, Store
    from fc_callback.runtime import FunctionPool, FunctionSpec
    from fc_callback.values.context import Credentials

_FUNCTION = re.compile(r"acs:fc:[^:]*:[^:]*:(?:services/[^/]+/)?functions/([^/.]+)(?:\.[^/]+)?(?:/[^/]+)?")
MAX_KEPT_CHARACTERS = 128 * 1024
_MAX_RETRY_DELAY_SECONDS = 5 * 3600


@attrs.frozen(kw_only=True)
class Ended:
    """How an invocation ended; `error_name` is what a flow sees, empty where it went well."""

    task: int | None
    asynchronous: bool
    body: str
    error_name: str
    error_message: str


@attrs.frozen(kw_only=True)
class Result:
    """What one try gave."""

    body: str = ""
    log: str = ""
    error_type: str = ""
    error_name: str = ""
    error_message: str = ""


@attrs.frozen(kw_only=True)
class Retries:
    """How FC repeats an asynchronous invocation that failed.

    Args:
        count: 0 to 8; FC's default is 3.
        delay_seconds: Before the first retry; each further one waits twice as long.
        credentials_seconds: How long the credentials of one try live.
    """

    count: int = 3
    delay_seconds: float = 1.0
    credentials_seconds: float = 36 * 3600


class Invoker:
    """The functions, and their invocations.

    Args:
        store: Where invocations are kept.
        clock: The time.
        retries: For asynchronous ones.
        endpoint: Where every function reports its tasks: in the environment of a process, in the context of a callable.
        instances: How many processes one function may have.
        region: For the context of functions in this process.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        retries: Retries,
        endpoint: str,
        instances: int,
        region: str,
    ) -> None:
        self._store = store
        self._clock = clock
        self._retries = retries
        self._endpoint = endpoint
        self._instances = instances
        self._region = region
        self._functions: dict[str, FunctionSpec | Callable[..., Any]] = {}
        self._pools: dict[str, FunctionPool] = {}
        self._active: set[int] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        # The engine puts itself into both: it is told of each end, and of each new time to look at.
        self.when_ended: Callable[[Ended], None] = lambda _ended: None
        self.when_postponed: Callable[[], None] = lambda: None

    def add(self, name: str, function: FunctionSpec | Callable[..., Any]) -> None:
        """Add a function, or put another one in its place."""
        with self._lock:
            self._functions[name] = function
            old = self._pools.pop(name, None)
        if old is not None:
            old.close()

    @property
    def names(self) -> tuple[str, ...]:
        """The functions there are."""
        return tuple(self._functions)

    def knows(self, resource_arn: str) -> str | None:
        """Return the name of the function that an ARN of FC 2 or FC 3 leads to; versions and aliases are ignored."""
        match = _FUNCTION.fullmatch(resource_arn)
        name = match[1] if match else ""
        return name if name in self._functions else None

    def submit(self, *, function: str, event: str, asynchronous: bool, account: str, execution: int, task: int) -> None:
        """Put an invocation into the store; it starts when the transaction is committed."""
        invocation = self._store.run(
            "INSERT INTO invocations (request_id, function, account, execution, task, asynchronous, event, queued)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(str(uuid.uuid4()), function, account, execution, task, asynchronous),
            *(self._store.mask_tokens(event), self._clock.now()),
        )
        self.launch(invocation)

    def take_up(self, function: str | None = None) -> None:
        """Start what was queued or running when the last process ended, for one function or for all there are."""
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
        """Start an invocation when the transaction is committed."""
        self._store.afterwards(
            lambda: threading.Thread(
                target=self._run, args=(invocation,), name=f"local-invocation-{invocation}", daemon=True
            ).start()
        )

    def _run(self, invocation: int) -> None:
        # Closed in the meantime: the invocation stands in the store as unfinished, and is delivered again.
        with contextlib.suppress(StoreClosedError):
            self._run_once(invocation)

    def _run_once(self, invocation: int) -> None:
        with self._store.transaction():
            row = self._store.one("SELECT * FROM invocations WHERE id = ?", invocation)
            # A function that is not there yet, after a restart, takes up its invocations when it is added.
            if row is None or row["status"] == "ended" or row["function"] not in self._functions:
                return
            if self._closing.is_set() or invocation in self._active:
                return
            self._active.add(invocation)
            self._store.run("UPDATE invocations SET status = 'running' WHERE id = ?", invocation)
        event = self._store.restore_tokens(row["event"])
        expires_at = self._clock.now() + self._retries.credentials_seconds
        session = self._store.issuer.session(row["account"], expires_at=expires_at, serial=secrets.token_hex(16))
        result = self._try(row, event, session)
        with self._store.transaction():
            self._active.discard(invocation)
            # Processes are ended at close: what they seem to have answered is no answer, and the event comes again.
            if self._closing.is_set():
                return
            self._ended(row, result, session)

    def _try(self, row: Row, event: str, session: Credentials) -> Result:
        name = row["function"]
        function = self._functions[name]
        try:
            if callable(function):
                return _call(function, event.encode(), self._context(row, session))
            result = self._pool(name, function).invoke(
                event.encode(), credentials=session, request_id=row["request_id"], retry_count=row["retry_count"]
            )
        except Exception as error:  # noqa: BLE001 - whatever went wrong here is FC's own failure, not the function's
            return Result(
                error_type="InternalServerError",
                error_name="FC.InternalServerError",
                error_message=f"The function could not be run: {type(error).__name__}: {error}",
            )
        return Result(
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
            region=self._region,
            account_id=row["account"],
            retry_count=row["retry_count"],
            credentials=session,
            cloudflow_endpoint=self._endpoint,
        )

    def _pool(self, name: str, spec: FunctionSpec) -> FunctionPool:
        from fc_callback.runtime import FunctionPool

        with self._lock:
            if self._closing.is_set():
                raise FcCallbackError("The service is closing.")
            pool = self._pools.get(name)
            if pool is None:
                environment = {"CLOUDFLOW_ENDPOINT": self._endpoint, **spec.environment}
                pool = FunctionPool(attrs.evolve(spec, environment=environment), max_instances=self._instances)
                self._pools[name] = pool
            return pool

    def _ended(self, row: Row, result: Result, session: Credentials) -> None:
        """Keep what came of a try; put it into the queue again, or tell the engine."""
        clean = _Cleaner(self._store, session)
        again = bool(result.error_type) and row["asynchronous"] and row["retry_count"] < self._retries.count
        self._store.run(
            "UPDATE invocations SET status = ?, ended = ?, retry_count = retry_count + ?, error_type = ?, error_name = ?,"
            " error_message = ?, result = ?, log = log || ? WHERE id = ?",
            *(
                "queued" if again else "ended",
                self._clock.now(),
                int(again),
                result.error_type,
                clean(result.error_name),
            ),
            *(clean(result.error_message), clean(result.body), clean(result.log), row["id"]),
        )
        if again:
            delay = min(self._retries.delay_seconds * 2 ** row["retry_count"], _MAX_RETRY_DELAY_SECONDS)
            due = self._clock.now() + delay
            self._store.run("INSERT INTO timers (due, kind, invocation) VALUES (?, 'invocation', ?)", due, row["id"])
            self._store.afterwards(self.when_postponed)
            return
        ended = Ended(
            task=row["task"],
            asynchronous=bool(row["asynchronous"]),
            body=result.body,
            error_name=clean(result.error_name, seal=False),
            error_message=clean(result.error_message, seal=False),
        )
        # In the same transaction: a result is not noted without the step that goes on by it.
        self.when_ended(ended)

    def close(self) -> None:
        """End every process. What still runs is delivered again by the next service on the same file."""
        with self._store.transaction():
            self._closing.set()
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.interrupt()  # all of them first: a process that ignores SIGTERM takes some seconds to end
        for pool in pools:
            pool.close()


class _Cleaner:
    """Makes a function's own text fit to be kept: valid UTF-8, not endless, without secrets."""

    def __init__(self, store: Store, session: Credentials) -> None:
        self._store = store
        self._secrets = (session.access_key_secret, session.security_token or "")

    def __call__(self, text: str, *, seal: bool = True) -> str:
        text = text.encode("utf-8", "replace").decode()
        if len(text) > MAX_KEPT_CHARACTERS:
            text = text[:MAX_KEPT_CHARACTERS] + "\n[cut]"
        for secret in self._secrets:
            text = text.replace(secret, "<secret>")
        return mask_secrets(self._store.mask_tokens(text) if seal else text)


def _call(function: Callable[..., Any], event: bytes, context: Any) -> Result:
    """Call a function of this process, with the event alone or with a context too, as it takes them."""
    try:
        value = function(event, context) if _takes_two(function) else function(event)
        body = value.decode() if isinstance(value, bytes) else value if isinstance(value, str) else compact(value)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the function's own exception is a result
        return Result(
            body=compact({"errorMessage": str(error), "errorType": type(error).__name__}),
            error_type="UnhandledInvocationError",
            error_name=type(error).__name__,
            error_message=str(error),
        )
    return Result(body=body)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        # Of the function itself: what a decorator has wrapped may take something else.
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = [parameter.kind for parameter in parameters]
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return sum(kind in positional for kind in kinds) >= 2 or inspect.Parameter.VAR_POSITIONAL in kinds  # noqa: PLR2004
