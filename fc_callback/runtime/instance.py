"""One instance of a function: a process that is kept warm, and replaced if necessary."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from fc_callback.errors import FcCallbackError
from fc_callback.runtime.function import FunctionSpec, InvocationResult
from fc_callback.runtime.process import GRACE_SECONDS, Exchange, FunctionProcess, WorkerProcess
from fc_callback.runtime.served import ServedProcess
from fc_callback.runtime.worker import CREDENTIAL_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from fc_callback.values.context import Credentials

__all__ = ["EVENT_MAX_BYTES", "FunctionInstance", "FunctionSpec", "InvocationResult", "new_request_id"]

EVENT_MAX_BYTES = 32 * 1024 * 1024
_KEPT_FROM_PARENT = ("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV", "LANG", "LC_ALL")


def new_request_id() -> str:
    """Return a new request id in the format of FC 3, like `1-64f6cd87-5d2c8e1f0a3b-9c7d4e2f1a0b`."""
    digits = uuid.uuid4().hex
    return f"1-{int(time.time()):08x}-{digits[:12]}-{digits[12:24]}"


class FunctionInstance:
    """One process of a function. It starts at the first invocation, and runs one invocation at a time.

    The next invocation replaces a process that has ended, timed out or failed to initialise. Threads that share an
    instance wait for each other.

    Args:
        spec: The function.
    """

    def __init__(self, spec: FunctionSpec) -> None:
        self.spec = spec
        self._id = f"c-{uuid.uuid4().hex[:8]}-{uuid.uuid4().hex[:12]}"
        self._lock = threading.Lock()
        self._process: FunctionProcess | None = None
        self._started = False
        self._initialized = False
        self._closed = False
        self._cancelled: threading.Event | None = None
        self._cancelling = threading.Lock()
        self._last_credentials = ("", "", "")

    @property
    def pid(self) -> int | None:
        """The process id; None if there is no process."""
        process = self._process
        return None if process is None else process.pid

    def invoke(
        self,
        event: bytes,
        *,
        credentials: Credentials | None,
        request_id: str | None = None,
        retry_count: int = 0,
        cancelled: threading.Event | None = None,
        on_log: Callable[[str], None] | None = None,
    ) -> InvocationResult:
        """Run the function once.

        Args:
            event: The event; at most 32 MB.
            credentials: The credentials of this invocation; None for a function without a role.
            request_id: A new one if None.
            retry_count: The number of earlier deliveries of the event.
            cancelled: Set it and call `interrupt_cancelled` to end the process that runs the function.
            on_log: Called with whole lines of the log as the function writes them; secrets are not masked.

        Raises:
            SettingsError: The code directory or the interpreter does not exist.
            FcCallbackError: The process could not be started, or the instance is closed.
        """
        request_id = request_id or new_request_id()
        if len(event) > EVENT_MAX_BYTES:
            message = f"The event is {len(event)} bytes and the limit is {EVENT_MAX_BYTES}."
            return InvocationResult(request_id=request_id, body=_error_body(message), error_type="InvalidArgument")
        with self._lock:
            if self._closed:
                raise FcCallbackError(f"This instance of function {self.spec.name!r} is closed.")
            self._cancelled = cancelled
            began = time.monotonic()
            self._last_credentials = _as_strings(credentials)
            call = {"request_id": request_id, "retry_count": retry_count, "credentials": self._last_credentials}
            try:
                process = self._living_process()
                process.log.tell(on_log)
                failure = self._start(process) or self._initialize(process, call)
                body, error_type, exit_code = failure or self._call(process, "invoke", call, event)
                self._end_if_cancelled()
            except BaseException:  # such as Ctrl-C: a late response must not be taken for that of the next request
                self._cancelled = None
                if self._process is not None:
                    self._end(self._process, ask=False)
                raise
            return InvocationResult(
                request_id=request_id,
                body=body,
                error_type=error_type,
                exit_code=exit_code,
                log=process.log.take(),
                duration_seconds=time.monotonic() - began,
            )

    def _living_process(self) -> FunctionProcess:
        if self._process is not None and self._process.has_ended():
            self._end(self._process)
        if self._process is None:
            kind = ServedProcess if self.spec.runtime == "custom" else WorkerProcess
            self._process = kind(self.spec, self._environment())
            self._started = self._initialized = False
        return self._process

    def _start(self, process: FunctionProcess) -> tuple[bytes, str, int] | None:
        """Wait until a new process is ready. An import before the first request has the function's time limit."""
        if self._started:
            return None
        if self._is_interrupted:
            process.stop()
        exchange = process.start(seconds=self.spec.timeout_seconds)
        if exchange is None and not self._is_interrupted:
            exit_code = self._end(process, ask=False)
            raise FcCallbackError(
                f"The process of function {self.spec.name!r} did not start (exit code {exit_code}): "
                f"{process.log.take()[-2000:]}"
            )
        if exchange is None or exchange.response is None:
            during = f" while {self.spec.handler.rpartition('.')[0]} was being imported"
            return self._cut_off(process, exchange or Exchange(), "Function", self.spec.timeout_seconds, during)
        self._started = True
        return None

    def _initialize(self, process: FunctionProcess, call: dict[str, Any]) -> tuple[bytes, str, int] | None:
        if self._initialized or self.spec.initializer is None:
            return None
        body, error_type, exit_code = self._call(process, "initialize", call, b"")
        self._initialized = error_type is None
        if error_type is None:
            return None
        # The next request gets a new instance (FC documentation, "Lifecycle hooks").
        return body, "InitializationError", self._end(process) if exit_code is None else exit_code

    def _call(
        self,
        process: FunctionProcess,
        kind: Literal["invoke", "initialize", "pre_stop"],
        call: dict[str, Any],
        event: bytes,
    ) -> tuple[bytes, str | None, int | None]:
        what, handler, seconds = {
            "invoke": ("Function", self.spec.handler, self.spec.timeout_seconds),
            "initialize": ("Initializer", self.spec.initializer, self.spec.initializer_timeout_seconds),
            "pre_stop": ("PreStop", self.spec.pre_stop, self.spec.pre_stop_timeout_seconds),
        }[kind]
        if self._is_interrupted and kind != "pre_stop":
            process.stop()
        # The time limit of the first call includes the import, even if that has happened before.
        left, process.import_seconds = max(0.0, seconds - process.import_seconds), 0.0
        exchange = process.exchange({**call, "kind": kind, "handler": handler}, event, seconds=left)
        if exchange.response is not None:
            header, body = exchange.response
            return body, None if header["succeeded"] else "UnhandledInvocationError", None
        return self._cut_off(process, exchange, what, seconds)

    def _cut_off(
        self, process: FunctionProcess, exchange: Exchange, what: str, seconds: float, during: str = ""
    ) -> tuple[bytes, str, int]:
        """End a process that has not responded; return the error document, the error type and the exit code."""
        exit_code = self._end(process, ask=False)
        if exchange.timed_out:
            return _error_body(f"{what} timed out after {seconds:g} seconds{during}"), "FunctionTimeout", exit_code
        message = f"Process exited unexpectedly before completing request{during} (exit code: {exit_code})"
        return _error_body(message), "UnhandledInvocationError", exit_code

    def _end(self, process: FunctionProcess, *, ask: bool = True, seconds: float = GRACE_SECONDS) -> int:
        self._process = None
        return process.end(ask=ask, seconds=seconds)

    def _environment(self) -> dict[str, str]:
        spec = self.spec
        version = "FC_VER_ID" if spec.runtime == "python3.10" else "FC_FUNCTION_VERSION"
        return {
            "LANG": "C.UTF-8",
            **{name: os.environ[name] for name in _KEPT_FROM_PARENT if name in os.environ},
            "TZ": "UTC",
            # As on FC.
            "PYTHONIOENCODING": "utf-8:surrogateescape",
            # No files are written into the code directory, and an edit within the same second has an effect.
            "PYTHONDONTWRITEBYTECODE": "1",
            **spec.environment,
            "FC_FUNC_CODE_PATH": str(spec.code_dir),
            "FC_ACCOUNT_ID": spec.account_id,
            "FC_FUNCTION_HANDLER": spec.handler,
            "FC_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
            "FC_FUNCTION_NAME": spec.name,
            "FC_REGION": spec.region,
            "FC_INSTANCE_ID": self._id,
            version: "LATEST",
            **dict(zip(CREDENTIAL_VARIABLES, self._last_credentials, strict=True)),
        }

    @property
    def _is_interrupted(self) -> bool:
        return self._closed or (self._cancelled is not None and self._cancelled.is_set())

    def interrupt_cancelled(self) -> None:
        """Interrupt the running invocation if its `cancelled` is set. It returns as if its process had ended."""
        with self._cancelling:
            running = self._process
            if running is not None and self._cancelled is not None and self._cancelled.is_set():
                running.stop()

    def _end_if_cancelled(self) -> None:
        """End the process of a cancelled invocation also if it has responded: it may be stopped for the next request."""
        with self._cancelling:
            cancelled, self._cancelled = self._cancelled, None
        if cancelled is not None and cancelled.is_set() and self._process is not None:
            self._end(self._process, ask=False)

    def interrupt(self) -> None:
        """Interrupt a running invocation, and refuse further ones. It returns as if its process had ended. Call `close` next."""
        self._closed = True
        running = self._process
        if running is not None and self._lock.locked():
            running.stop()

    def close(self) -> None:
        """End the process: first by the PreStop hook if it is idle, then by closing its pipe, SIGTERM and SIGKILL.

        A running invocation is interrupted and returns as if its process had ended. A second call does nothing.
        """
        self.interrupt()
        with self._lock:
            if self._process is None:
                return
            process = self._process
            try:
                if self.spec.pre_stop is not None and self._started and not process.has_ended():
                    call = {"request_id": new_request_id(), "retry_count": 0, "credentials": self._last_credentials}
                    self._call(process, "pre_stop", call, b"")
            finally:  # also after Ctrl-C in the hook
                if self._process is not None:
                    self._end(process, seconds=1.0)

    def __enter__(self) -> FunctionInstance:
        """Return the instance."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the instance."""
        self.close()


def _as_strings(credentials: Credentials | None) -> tuple[str, str, str]:
    # A function without a role gets three empty texts.
    if credentials is None:
        return ("", "", "")
    return (credentials.access_key_id, credentials.access_key_secret, credentials.security_token or "")


def _error_body(message: str) -> bytes:
    return json.dumps({"errorMessage": message}).encode()
