"""The parent's side of a function's process: pipes, time limit, end.

The process ends with its parent. It holds one end of a pipe, the lifeline; the other end closes when the parent ends for
any reason (`worker.end_with_parent`).
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.errors import SettingsError
from fc_callback.runtime import worker
from fc_callback.runtime.function_log import FunctionLog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.runtime.function import FunctionSpec

START_SECONDS = 60.0
GRACE_SECONDS = 3.0
# For interpreters without an installed fc_callback.
PACKAGE_HOME = str(Path(__file__).resolve().parents[2])
# A process is polled while its pipe is silent, because a child of the function may keep the pipe open.
_POLL_SECONDS = 0.05
_CHUNK = 1 << 16


@attrs.frozen(kw_only=True)
class Exchange:
    """The outcome of one request to the process.

    Attributes:
        response: The header and body of the response; None without a response.
        timed_out: Whether the time limit came first. Without this and a response, the process has ended.
    """

    response: tuple[dict[str, Any], bytes] | None = None
    timed_out: bool = False


class FunctionProcess:
    """One process of a function; call `start` first. Only `stop` may be called from other threads.

    Args:
        spec: The function.
        command: The command; the lifeline's descriptor is added as its last argument.
        environment: The whole environment of the process.
        request_fd: The descriptor that requests are written to.
        response_fd: The descriptor that responses are read from.
        inherited: The other ends, which the process inherits; closed here.

    Raises:
        SettingsError: The code directory or the interpreter does not exist.
    """

    # Whether the process ends when request_fd is closed. Otherwise it gets SIGTERM.
    ends_when_closed = True
    # The duration of the import of the function's module before the first request. The instance subtracts it.
    import_seconds = 0.0

    def __init__(
        self,
        spec: FunctionSpec,
        *,
        command: list[str],
        environment: Mapping[str, str],
        request_fd: int,
        response_fd: int,
        inherited: tuple[int, ...],
    ) -> None:
        self._request_fd, self._response_fd = request_fd, response_fd
        self.spec = spec
        self._log_fd, child_logs = os.pipe()
        child_lifeline, self._lifeline_fd = os.pipe()
        inherited += (child_lifeline,)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user's own interpreter and our own code
                [*command, str(child_lifeline)],
                cwd=spec.code_dir,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=child_logs,
                stderr=child_logs,
                pass_fds=inherited,
                start_new_session=True,  # Ctrl-C goes to the parent only, and the group can be killed as a whole
            )
        except OSError as error:
            for fd in (self._request_fd, self._response_fd, self._log_fd, self._lifeline_fd):
                os.close(fd)
            if not spec.code_dir.is_dir():
                where = f"The code directory of function {spec.name!r} does not exist: {spec.code_dir}."
                raise SettingsError(where) from error
            raise SettingsError(f"Cannot run the interpreter {spec.python!r}: {error.strerror}.") from error
        finally:
            for fd in (*inherited, child_logs):
                os.close(fd)
        self.log = FunctionLog()
        self._stopped = False
        self._selector = selectors.DefaultSelector()
        for fd in (self._request_fd, self._response_fd, self._log_fd):
            os.set_blocking(fd, False)
        self._selector.register(self._response_fd, selectors.EVENT_READ)
        self._selector.register(self._log_fd, selectors.EVENT_READ)

    def encode(self, header: dict[str, Any], body: bytes) -> bytes:
        """Return the bytes of a request to the process."""
        raise NotImplementedError

    def decode(self, data: bytearray) -> tuple[dict[str, Any], bytes] | None:
        """Return the response; None while it is incomplete."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def start(self, *, seconds: float) -> Exchange | None:
        """Wait until the process is ready for requests.

        Args:
            seconds: The time limit for the import of the function's module, if that happens before the first request.

        Returns:
            An exchange without a response if the import took longer or ended the process; None if the process ended
            before it reached the function's code.
        """
        raise NotImplementedError

    def wait_for_byte(self, fd: int, *, seconds: float) -> bool:
        """Wait until the process has written a byte to a pipe; return False if it has ended or the time is up."""
        deadline = time.monotonic() + seconds
        self._selector.register(fd, selectors.EVENT_READ)
        try:
            while not self._stopped and time.monotonic() < deadline:
                ready = [key.fd for key, _ in self._selector.select(_POLL_SECONDS)]
                if self._log_fd in ready:
                    self._read_log()
                if fd in ready:
                    return bool(_read_available(fd))
                if not ready and self.has_ended():
                    break
            return False
        finally:
            self._selector.unregister(fd)

    def exchange(self, header: dict[str, Any], body: bytes, *, seconds: float) -> Exchange:
        """Send one request, and wait for its response, the end of the process or the time limit."""
        deadline = time.monotonic() + seconds
        request = memoryview(self.encode(header, body))
        response = bytearray()
        self._selector.register(self._request_fd, selectors.EVENT_WRITE)
        sending = True
        try:
            while not self._stopped:
                if sending and not request:
                    self._selector.unregister(self._request_fd)
                    sending = False
                remaining = deadline - time.monotonic()
                ready = [key.fd for key, _ in self._selector.select(max(0.0, min(remaining, _POLL_SECONDS)))]
                if self._request_fd in ready:
                    request = self._send(request)
                if self._log_fd in ready:
                    self._read_log()
                silent = not ready and self.has_ended()
                open_still = self._receive(response) if self._response_fd in ready or silent else True
                whole = self.decode(response)
                if whole is None and not open_still:
                    self._wait_for_end(GRACE_SECONDS)  # it is about to end with its own exit code
                if whole is not None or silent or not open_still:
                    self._drain_log()
                    return Exchange(response=whole)
                if remaining <= 0:
                    return Exchange(timed_out=True)
            return Exchange()
        finally:
            if sending:
                self._selector.unregister(self._request_fd)

    def _send(self, request: memoryview) -> memoryview:
        try:
            return request[os.write(self._request_fd, request[:_CHUNK]) :]
        except BlockingIOError:
            return request
        except (BrokenPipeError, ConnectionError):  # it has ended; the other pipe shows that too
            return request[:0]

    def _receive(self, response: bytearray) -> bool:
        part = _read_available(self._response_fd)
        response += part or b""
        return part != b""

    def _read_log(self) -> bool:
        part = _read_available(self._log_fd)
        if part == b"":
            self._selector.unregister(self._log_fd)
        self.log.add(part or b"")
        return bool(part)

    def _drain_log(self) -> None:
        # Bounded, because a thread of the function may write forever; a pipe holds less than this.
        for _ in range(32):
            if self._log_fd not in self._selector.get_map() or not self._read_log():
                return

    def has_ended(self) -> bool:
        """Return whether the process has ended, without releasing its id."""
        if self._process.returncode is not None:
            return True
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._process.poll() is not None
        try:
            # The id stays in use until `end` has killed the process group too.
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return self._process.poll() is not None

    def stop(self) -> None:
        """Make a running `exchange` return; its caller then ends the process. Any thread may call this."""
        self._stopped = True

    def end(self, *, ask: bool = True, seconds: float = GRACE_SECONDS) -> int:
        """End the process and its process group; return its exit code.

        Args:
            ask: Whether it may first finish on its own after its pipe was closed.
            seconds: The time to finish on its own, and again the time after SIGTERM. SIGKILL comes last.
        """
        os.close(self._request_fd)
        ask = ask and self.ends_when_closed
        if not (ask and self._wait_for_end(seconds)) and not self.has_ended():
            os.kill(self.pid, signal.SIGTERM)
            self._wait_for_end(seconds)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        exit_code = self._process.wait()
        self._drain_log()
        self._selector.close()
        for fd in (self._response_fd, self._log_fd, self._lifeline_fd):
            os.close(fd)
        return exit_code

    def _wait_for_end(self, seconds: float) -> bool:
        with suppress(KeyError):  # a closed pipe is always ready
            self._selector.unregister(self._response_fd)
        deadline = time.monotonic() + seconds
        while not self.has_ended():
            if time.monotonic() > deadline:
                return False
            # Its log is read, so that a full pipe cannot block it.
            self._selector.select(_POLL_SECONDS / 5)
            self._drain_log()
        return True


def _read_available(fd: int) -> bytes | None:
    try:
        return os.read(fd, _CHUNK)
    except BlockingIOError:
        return None
    except ConnectionError:  # it has ended
        return b""


class WorkerProcess(FunctionProcess):
    """A process that runs the function as FC's built-in Python runtimes do; see `worker.py`."""

    def __init__(self, spec: FunctionSpec, environment: Mapping[str, str]) -> None:
        child_reads, request_fd = os.pipe()
        response_fd, child_writes = os.pipe()
        script = str(Path(worker.__file__).resolve())
        super().__init__(
            spec,
            command=[spec.python, "-W", "ignore", *_debugger(spec), script, str(child_reads), str(child_writes)],
            environment=environment,
            request_fd=request_fd,
            response_fd=response_fd,
            inherited=(child_reads, child_writes),
        )

    def start(self, *, seconds: float) -> Exchange | None:
        """Send the configuration, and wait for the response."""
        seconds = START_SECONDS if self.spec.debug_port is None else self.spec.timeout_seconds
        ready = self.exchange(self._configuration(), b"", seconds=seconds)
        return None if ready.response is None else ready

    def _configuration(self) -> dict[str, Any]:
        spec = self.spec
        return {
            "name": spec.name,
            "runtime": spec.runtime,
            "code_dir": str(spec.code_dir),
            "package_home": PACKAGE_HOME,
            "memory": spec.memory_mb,
            "memory_limit": spec.memory_mb * 1024 * 1024 if spec.limit_memory else None,
            "timeout": max(1, round(spec.timeout_seconds)),
            "region": spec.region,
            "account_id": spec.account_id,
        }

    def encode(self, header: dict[str, Any], body: bytes) -> bytes:
        """Return the frame of a request."""
        return worker.encode_frame(header, body)

    def decode(self, data: bytearray) -> tuple[dict[str, Any], bytes] | None:
        """Read the frame of a response."""
        if len(data) < worker.LENGTHS:
            return None
        head, body = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
        start = worker.LENGTHS + head
        if len(data) < start + body:
            return None
        return json.loads(data[worker.LENGTHS : start]), bytes(data[start : start + body])


def _debugger(spec: FunctionSpec) -> list[str]:
    """Return the arguments of the interpreter that let a script wait for a debugger."""
    if spec.debug_port is None:
        return []
    listen = f"127.0.0.1:{spec.debug_port}"
    return ["-X", "frozen_modules=off", "-m", "debugpy", "--listen", listen, "--wait-for-client"]
