"""The local CloudFlow as one object: create it, use it, close it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback.errors import FcCallbackError, SettingsError
from fc_callback.local.components import Components, build_components
from fc_callback.local.console import console_routes
from fc_callback.local.control import control_routes
from fc_callback.local.event_feed import start_event_feed
from fc_callback.local.flow_operations import FlowOperations
from fc_callback.local.http_api import HttpApi
from fc_callback.local.log_feed import LogFeed
from fc_callback.local.options import ServiceOptions
from fc_callback.local.server import HOST, Server, listen
from fc_callback.local.values import FunctionInvocation, read_invocations

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable

    from fc_callback.local.actions import Action
    from fc_callback.local.event_feed import ExecutionEvent
    from fc_callback.local.faults import Fault, RandomFaults
    from fc_callback.runtime import FunctionSpec
    from fc_callback.values.context import Credentials

DEFAULT_ACCOUNT = "1000000000000001"


@attrs.frozen(kw_only=True)
class _RunningService:
    components: Components
    server: Server
    endpoint: str


class LocalCloudFlow(FlowOperations):
    """CloudFlow on this machine: the HTTP API, flows in both languages, functions run as FC runs them.

    Use it as a context manager, or call `start_service()` and `close()`. The HTTP server runs in its own thread, on
    loopback only.

    Args:
        database: The SQLite file that keeps everything. By default nothing is kept after the end.
        host: Only 127.0.0.1 is allowed.
        port: The port; 0 for a free one.
        functions: The functions that flows may call.
        quota: Whether the documented quotas of calls are enforced.
        sync_report: The response to a report that comes before a Sync invocation has returned: `accept`, or `conflict`
            for 409 TaskInvalidState. It is not documented which of them the real service does.
        async_retries: How often FC retries a failed asynchronous invocation, 0 to 8.
        async_retry_delay_seconds: The delay before the first retry; it doubles for each further one.
        credentials_seconds: The lifetime of an invocation's STS credentials.
        instances: The largest number of processes that one function has at a time.
        account_id: The account that owns the functions and `credentials`.
        accounts: Further accounts.
        region: The region that functions see.
        skip_time: Whether `wait` and `run_until_waiting` move the clock to the next timer while nothing runs, so that
            waits, retries and timeouts take no time. The clocks of callers move along.

    Raises:
        SettingsError: An argument cannot be used.
    """

    def __init__(
        self,
        *,
        database: Path | str | None = None,
        host: str = HOST,
        port: int = 0,
        functions: Iterable[FunctionSpec] = (),
        quota: bool = False,
        sync_report: str = "accept",
        async_retries: int = 3,
        async_retry_delay_seconds: float = 1.0,
        credentials_seconds: float = 36 * 3600,
        instances: int = 10,
        account_id: str = DEFAULT_ACCOUNT,
        accounts: Iterable[str] = (),
        region: str = "cn-hangzhou",
        skip_time: bool = False,
    ) -> None:
        self._options = ServiceOptions(
            database=None if database is None else Path(database),
            host=host,
            port=port,
            quota=quota,
            sync_report=sync_report,
            async_retries=async_retries,
            async_retry_delay_seconds=async_retry_delay_seconds,
            credentials_seconds=credentials_seconds,
            instances=instances,
            account_id=account_id,
            accounts=tuple(accounts),
            region=region,
            skip_time=skip_time,
        )
        self._first_functions = tuple(functions)
        self._running: _RunningService | None = None

    def start_service(self) -> None:
        """Open the database, continue what it holds, and listen.

        Raises:
            SettingsError: The database or the port cannot be used.
        """
        if self._running is not None:
            raise FcCallbackError("The local CloudFlow has been started already.")
        listening = listen(self._options.port)
        endpoint = f"http://{HOST}:{listening.getsockname()[1]}"
        try:
            components = build_components(self._options, endpoint=endpoint)
        except BaseException:
            listening.close()
            raise
        for function in self._first_functions:
            components.invoker.add(function.name, function)
        http_api = HttpApi(components)
        server = Server(
            http_api.application([*control_routes(components), *console_routes(components)]),
            listening,
            protocol=http_api.protocol,
        )
        self._running = _RunningService(components=components, server=server, endpoint=endpoint)
        server.start()
        components.engine.start()

    def close(self) -> None:
        """Stop listening, end the functions' processes, and close the database.

        A service that opens the same file continues what was running.
        """
        running, self._running = self._running, None
        if running is not None:
            running.components.engine.close()
            # Before the server: a function that cannot reach it any more has not failed, and is called again.
            running.components.invoker.close()
            running.server.stop()
            running.components.close()

    @property
    def _service(self) -> _RunningService:
        if self._running is None:
            raise FcCallbackError(
                "The local CloudFlow is not running.", hint="Use it inside `with LocalCloudFlow() as service:`."
            )
        return self._running

    @property
    def _components(self) -> Components:
        return self._service.components

    def __enter__(self) -> LocalCloudFlow:
        """Start the service and return it."""
        self.start_service()
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the service."""
        self.close()

    @property
    def endpoint(self) -> str:
        """The service's URL, like `http://127.0.0.1:8080`."""
        return self._service.endpoint

    @property
    def credentials(self) -> Credentials:
        """The long-lived key of the default account; the same for the same database."""
        return self._components.store.issuer.account_key(self._options.account_id)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a client in another process needs: endpoint, region and key."""
        key = self.credentials
        return {
            "CLOUDFLOW_ENDPOINT": self.endpoint,
            "CLOUDFLOW_REGION": self._options.region,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": key.access_key_id,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": key.access_key_secret,
        }

    def add_account(self, account_id: str) -> Credentials:
        """Allow a further account to call the service; return its key."""
        self._components.add_account(account_id)
        return self._components.store.issuer.account_key(account_id)

    def session(self, *, seconds: float = 36 * 3600, account_id: str | None = None) -> Credentials:
        """Return STS credentials, like those that FC gives a function with a role."""
        account = self._options.account_id if account_id is None else account_id
        return self._components.store.issuer.session(
            account, expires_at=self.now + seconds, serial=secrets.token_hex(16)
        )

    @property
    def account_id(self) -> str:
        """The default account."""
        return self._options.account_id

    @property
    def now(self) -> float:
        """The service's time, in seconds since the epoch."""
        return self._components.clock.now()

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of the functions that flows may call."""
        return self._components.invoker.names

    def add_function(self, function: FunctionSpec | Callable[..., Any], *, name: str | None = None) -> None:
        """Add a function, or replace the function of the same name. Invocations that run end with the old one.

        Args:
            function: A `FunctionSpec`, which runs in its own processes; or a callable of this process. The callable
                takes the event's bytes, or these and a context of FC's python3.10, and returns bytes, text or a JSON
                value. A decorated handler reports to this service, whatever CLOUDFLOW_ENDPOINT says.
            name: The function's name, if it is not the spec's or the callable's own.
        """
        chosen = name or _own_name(function)
        self._components.invoker.add(chosen, function)
        self._components.invoker.resume(chosen)

    def add_action(self, name: str, action: Action) -> None:
        """Add an action that is not a function, or replace the action of the same name.

        The action is called in a thread of its own as `action(parameters, task_token=...)`. `parameters` is a dict of the
        task's evaluated parameters: `Parameters` in CloudFlow's language, serviceParams in that of Serverless Workflow,
        whose ARN is added to them as `resourceArn`. `task_token` is a TaskToken if the step waits for a callback, and None
        otherwise. The result, a JSON object, is that of the step; while the step waits for a callback it is ignored.
        TaskFailed fails the step by its name, and any other exception by the name of its class, with a traceback in the log.

        A call is stored until it has ended. If the service is killed, the call is made again when the action is added.

        Args:
            name: What a task calls, as the flow writes it, like `HTTP:Request` or `ocr:RecognizeCharacter`. A name that ends
                in a colon, like `ocr:` or `acs:mns:`, stands for all names that begin with it; the parameter `Action`
                then has the rest of the name, unless the name is an ARN.
            action: The action.

        Raises:
            SettingsError: The name or the action cannot be used.
        """
        self._components.invoker.actions.add(name, action)
        self._components.invoker.resume(name)

    def subscribe(
        self,
        topic_or_queue: str,
        function: str | FunctionSpec | Callable[..., Any],
        *,
        form: Literal["stream", "json"] = "stream",
        base64: bool = False,
    ) -> None:
        """Deliver the messages of an MNS topic or queue to a function, as an MNS trigger of FC does.

        The messages are those that flows send: by `MNS:SendMessage`, or in the language of Serverless Workflow to the ARN
        of the topic or queue. Each function of a topic gets each message; without one the message is lost, which a warning
        says. The functions of a queue take turns, and without one its messages wait. Every delivery is an asynchronous
        invocation, with FC's retries.

        Args:
            topic_or_queue: Like `topics/orders`, `queues/orders` or `acs:mns:::/topics/orders/messages`.
            function: The name of a function, which may be added later; or the function itself, as for `add_function`.
            form: The format of a topic's trigger. FC's default is `stream`.
            base64: Whether the message is base64 in the event, as MNS SDKs send it by default.

        Raises:
            SettingsError: An argument cannot be used.
        """
        name = function if isinstance(function, str) else _own_name(function)
        self._components.messages.subscribe(topic_or_queue, name, form=form, base64=base64)
        if not isinstance(function, str):
            self.add_function(function, name=name)

    def invocations(self, function: str | None = None) -> list[FunctionInvocation]:
        """Return the invocations, with events, results and logs, of one function or of all."""
        return read_invocations(self._components.store, function)

    def add_log_listener(self, listener: Callable[[str, str], None]) -> None:
        """Call `listener` with a function's name and whole lines of its log, while the function writes them.

        The call happens in a thread of the service. Of a function of this process nothing is logged; of an action, its
        traceback is.
        """
        self._components.invoker.log_feeds.append(LogFeed(listener))

    def add_event_listener(self, listener: Callable[[ExecutionEvent], None]) -> None:
        """Call `listener` with each event of every execution from now on.

        The call happens in a thread of the service, after the commit of the event, in the order of the execution.
        """
        start_event_feed(self._components, listener)

    def inject(self, *faults: Fault | RandomFaults) -> None:
        """Inject faults into subsequent calls."""
        self._components.faults.inject(faults)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._components.faults.clear()

    @property
    def calls(self) -> Counter[tuple[str, str]]:
        """How often each operation had each outcome: ("ReportTaskSucceeded", "ok" | an error code | "fault:<kind>")."""
        return self._components.calls

    def advance(self, seconds: float, *, skew: bool = True) -> None:
        """Move the clock forward. Everything that becomes due happens in its order, before this returns.

        Args:
            seconds: How far.
            skew: Whether the callers' clocks stay behind, so that more than 15 minutes make their signatures too old.

        Raises:
            SettingsError: `seconds` is not a number, is negative, or leads beyond the year 9998.
        """
        self._components.engine.advance(seconds, skew=skew)


def _own_name(function: FunctionSpec | Callable[..., Any]) -> str:
    name = getattr(function, "name", None) or getattr(function, "__name__", "")
    if not isinstance(name, str) or not name:
        raise SettingsError("The function has no name.", hint="Pass name=.")
    return name
