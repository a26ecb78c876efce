"""The local CloudFlow as one object: construct, use, close."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.errors import FcCallbackError, SettingsError
from fc_callback.local.api_errors import ApiError, NoWaitingTask, StillRunning
from fc_callback.local.components import Components, Options, build_components
from fc_callback.local.control import control_routes
from fc_callback.local.http_api import HttpApi
from fc_callback.local.server import HOST, Server, listen
from fc_callback.local.values import Event, Execution, FunctionInvocation
from fc_callback.values.token import TaskToken

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Mapping

    from fc_callback.local.faults import Fault, RandomFaults
    from fc_callback.runtime import FunctionSpec
    from fc_callback.values.context import Credentials

DEFAULT_ACCOUNT = "1000000000000001"


@attrs.frozen(kw_only=True)
class _Opened:
    """A service that runs."""

    components: Components
    http_api: HttpApi
    server: Server
    endpoint: str


class LocalCloudFlow:
    """CloudFlow on this machine: the HTTP API, flows in both languages, functions run as FC runs them.

    A context manager; or `start_service()` and `close()`. The HTTP server runs in a thread of its own, on loopback only.

    Args:
        database: The SQLite file that keeps everything; a temporary one, removed at the end, where none is given.
        host: Nothing but 127.0.0.1.
        port: 0 lets the system choose.
        functions: What flows may call.
        quota: Whether the documented quotas of calls are held to.
        sync_report: What happens to a report that comes before a Sync invocation has returned: `accept`, or `conflict`
            for 409 TaskInvalidState. Which of them the real service does is not known.
        async_retries: How often FC repeats a failed asynchronous invocation, 0 to 8.
        async_retry_delay_seconds: Before the first repetition; each further one waits twice as long.
        credentials_seconds: How long the STS credentials of an invocation live.
        instances: How many processes one function may have at a time.
        account_id: The account that functions belong to and `credentials` are of.
        accounts: Further accounts.
        region: What functions are told.

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
    ) -> None:
        self._options = Options(
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
        )
        self._first_functions = tuple(functions)
        self._opened: _Opened | None = None

    def start_service(self) -> None:
        """Open the database, take up what it holds, and listen.

        Raises:
            SettingsError: The database or the port cannot be used.
        """
        if self._opened is not None:
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
        server = Server(http_api.application(control_routes(self)), listening, protocol=http_api.protocol)
        self._opened = _Opened(components=components, http_api=http_api, server=server, endpoint=endpoint)
        server.start()
        components.engine.start()

    def close(self) -> None:
        """Stop listening, end the functions' processes, close the database. What was running is taken up next time."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.components.engine.close()
            opened.server.stop()
            opened.components.close()

    @property
    def _open(self) -> _Opened:
        if self._opened is None:
            raise FcCallbackError(
                "The local CloudFlow is not running.", hint="Use it inside of `with LocalCloudFlow() as service:`."
            )
        return self._opened

    @property
    def _components(self) -> Components:
        return self._open.components

    def __enter__(self) -> LocalCloudFlow:
        """Start, and return the service."""
        self.start_service()
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self.close()

    @property
    def endpoint(self) -> str:
        """Where it is, like `http://127.0.0.1:8080`."""
        return self._open.endpoint

    @property
    def credentials(self) -> Credentials:
        """The long-lived key of the default account; the same for the same database."""
        return self._components.store.issuer.account_key(self._options.account_id)

    @property
    def environment(self) -> dict[str, str]:
        """What a client in another process needs: the endpoint, the region and the key."""
        key = self.credentials
        return {
            "CLOUDFLOW_ENDPOINT": self.endpoint,
            "CLOUDFLOW_REGION": self._options.region,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": key.access_key_id,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": key.access_key_secret,
        }

    def add_account(self, account_id: str) -> Credentials:
        """Let a further account in; return its key."""
        self._components.add_account(account_id)
        return self._components.store.issuer.account_key(account_id)

    def session(self, *, seconds: float = 36 * 3600, account_id: str | None = None) -> Credentials:
        """Return STS credentials, like those that FC gives a function with a role."""
        account = self._options.account_id if account_id is None else account_id
        return self._components.store.issuer.session(
            account, expires_at=self._components.clock.now() + seconds, serial=secrets.token_hex(16)
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
        """Add a function, or replace the one of its name.

        Args:
            function: What runs in processes of its own; or a callable of this process, which takes the event's bytes,
                or these and a context as FC's python3.10 makes it, and returns bytes, text or what JSON can hold. A
                decorated handler reports to this service, whatever CLOUDFLOW_ENDPOINT says.
            name: The function's name, where it is not the spec's or the callable's own.
        """
        chosen = name or getattr(function, "name", None) or getattr(function, "__name__", "")
        if not isinstance(chosen, str) or not chosen:
            raise SettingsError("The function has no name.", hint="Pass name=.")
        self._components.invoker.add(chosen, function)
        self._components.invoker.take_up(chosen)

    def create_flow(self, name: str, definition: str | Mapping[str, Any], *, replace: bool = False) -> None:
        """Create a flow in the default account.

        Args:
            name: The flow's name.
            definition: In either language: YAML or JSON text, or the mapping itself.
            replace: Whether a flow of this name is updated instead.

        Raises:
            ApiError: It is refused, as the service would; the message names the step.
        """
        text = definition if isinstance(definition, str) else json.dumps(definition)
        try:
            self._perform("CreateFlow", Name=name, Definition=text, Description="", Type="FDL")
        except ApiError as error:
            if error.code != "FlowAlreadyExists" or not replace:
                raise
            self._perform("UpdateFlow", Name=name, Definition=text)

    def start(
        self, flow: str, execution_input: Mapping[str, Any] | None = None, *, execution_name: str = ""
    ) -> Execution:
        """Start an execution in the default account; return it as it stands then.

        Raises:
            ApiError: It is refused.
        """
        text = json.dumps(dict(execution_input or {}), ensure_ascii=False)
        answer = self._perform("StartExecution", FlowName=flow, Input=text, ExecutionName=execution_name)
        return self.describe(flow, answer["Name"])

    def describe(self, flow: str, execution: str | Execution) -> Execution:
        """Return an execution as it stands.

        Raises:
            ApiError: There is none.
        """
        return Execution.read(self._row(flow, execution), self._components.store)

    def wait(self, flow: str, execution: str | Execution, *, timeout: float = 30.0) -> Execution:
        """Wait until an execution has ended, and return it.

        Raises:
            StillRunning: It has not, after `timeout` seconds (of the real clock).
            ApiError: There is none.
        """
        row = self._row(flow, execution)
        try:
            self._components.engine.when_ended(row["id"]).result(timeout)
        except FutureTimeoutError:
            state = json.loads(self._row(flow, execution)["state"])
            raise StillRunning(
                f"Execution {row['name']} of flow {flow} still runs after {timeout:g} s, at step {state.get('step')!r}."
            ) from None
        except CancelledError:
            raise FcCallbackError("The local CloudFlow was closed.") from None
        return self.describe(flow, execution)

    def history(self, flow: str, execution: str | Execution) -> list[Event]:
        """Return the whole history of an execution.

        Raises:
            ApiError: There is none.
        """
        row = self._row(flow, execution)
        events = self._components.store.all("SELECT * FROM events WHERE execution = ? ORDER BY id", row["id"])
        return [Event.read(event, self._components.store) for event in events]

    def stop(self, flow: str, execution: str | Execution, *, error: str = "", cause: str = "") -> Execution:
        """Stop an execution that is running.

        Raises:
            ApiError: There is none, or it has ended.
        """
        name = self._row(flow, execution)["name"]
        self._perform("StopExecution", FlowName=flow, ExecutionName=name, Error=error, Cause=cause)
        return self.describe(flow, name)

    def waiting_token(self, flow: str, execution: str | Execution) -> TaskToken:
        """Return the token of the task that an execution waits for.

        Raises:
            ApiError: There is no such execution.
            NoWaitingTask: It waits for no report.
        """
        row = self._row(flow, execution)
        task = self._components.store.one(
            "SELECT id FROM tasks WHERE execution = ? AND waits_for = 'report' AND status != 'ended'", row["id"]
        )
        if task is None:
            raise NoWaitingTask(f"Execution {row['name']} of flow {flow} waits for no report.")
        return TaskToken(self._components.store.task_token(task["id"]))

    def invocations(self, function: str | None = None) -> list[FunctionInvocation]:
        """Return what functions were given, returned and wrote; of one function, or of all."""
        rows = self._components.store.all(
            "SELECT * FROM invocations WHERE ? IS NULL OR function = ? ORDER BY id", function, function
        )
        return [FunctionInvocation.read(row, self._components.store) for row in rows]

    def inject(self, *faults: Fault | RandomFaults) -> None:
        """Let calls go wrong from now on."""
        self._components.faults.inject(faults)

    def clear_faults(self) -> None:
        """Let calls go well again."""
        self._components.faults.clear()

    @property
    def calls(self) -> Counter[tuple[str, str]]:
        """How often each operation ended in what: ("ReportTaskSucceeded", "ok" | an error code | "fault:<kind>")."""
        return self._open.http_api.calls

    def advance(self, seconds: float, *, skew: bool = True) -> None:
        """Move the clock forward; whatever becomes due on the way happens in its order, before this returns.

        Args:
            seconds: How far.
            skew: Whether callers' clocks are left behind, so that more than 15 minutes make their signatures too old.

        Raises:
            SettingsError: `seconds` is negative.
        """
        if not seconds >= 0:
            raise SettingsError("The clock moves forward only.")
        self._components.engine.advance(seconds, skew=skew)

    def _perform(self, action: str, **parameters: str) -> dict[str, Any]:
        return self._components.operations.perform(action, self._options.account_id, parameters)

    def _row(self, flow: str, execution: str | Execution) -> Any:
        name = execution.name if isinstance(execution, Execution) else execution
        return self._components.operations.execution_row(self._options.account_id, flow, name)
