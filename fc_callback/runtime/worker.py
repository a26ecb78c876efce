"""Runs one function in its own process, as FC's built-in Python runtimes do: the child's side.

`fc_callback.runtime.process` runs it as `python -W ignore worker.py <request fd> <response fd> <lifeline fd>`. It uses the
standard library only, and loads little before the user's module, so that a function's own imports can be measured. stdout
and stderr are the function's log. The parent sends requests over two pipes, in frames: two lengths of four bytes each, a
JSON header, the raw body. The lifeline carries no data: it closes when the parent ends.

Sources: FC documentation, "Context", "Error handling", "Environment variables", "Lifecycle hooks". Behaviour that is not
documented is marked as observed.
"""

from __future__ import annotations

import _thread
import importlib
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from importlib.machinery import PathFinder

TYPE_CHECKING = False  # without typing, which would count as an import of the function
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType
    from typing import Any

# Observed: every other variable that begins with FC_ or _FC_ is deleted before the user's module loads.
KEPT_VARIABLES = frozenset(
    {
        "FC_FUNC_CODE_PATH",
        "FC_FUNCTION_MEMORY_SIZE",
        "FC_RUNTIME_VERSION",
        "FC_ACCOUNT_ID",
        "FC_FUNCTION_HANDLER",
        "FC_FUNCTION_NAME",
        "FC_SERVICE_NAME",
        "FC_VER_ID",
        "FC_FUNCTION_VERSION",  # in place of FC_VER_ID from Debian 11 (python3.12) on
        "FC_QUALIFIER",
        "FC_REGION",
        "FC_INSTANCE_ID",
        "FC_SNAPSHOT_FLAG",
    }
)
CREDENTIAL_VARIABLES = (
    "ALIBABA_CLOUD_ACCESS_KEY_ID",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "ALIBABA_CLOUD_SECURITY_TOKEN",
)
LENGTHS = 8  # bytes before a frame: the header's length, the body's length
LOG_RECORD_CHARACTERS = 128 * 1024  # observed: longer records are cut
TIMEOUT_EXIT_CODE = 143
_PHASES = {"invoke": "Invoke", "initialize": "Initialize", "pre_stop": "PreStop"}


class LoadError(Exception):
    """The handler cannot be loaded. `kind` is FC's errorType, `frames` the flat form of its stackTrace."""

    def __init__(self, kind: str, message: str, frames: list[str]) -> None:
        super().__init__(message)
        self.kind = kind
        self.frames = frames


class ContextCredentials:
    """`context.credentials` up to Python 3.10; empty strings for a function without a role."""

    def __init__(self, access_key_id: str, access_key_secret: str, security_token: str) -> None:
        self.access_key_id = access_key_id
        self.access_key_secret = access_key_secret
        self.security_token = security_token

    @property
    def accessKeyId(self) -> str:  # noqa: N802 - FC's name
        """The same as `access_key_id`."""
        return self.access_key_id

    @property
    def accessKeySecret(self) -> str:  # noqa: N802 - FC's name
        """The same as `access_key_secret`."""
        return self.access_key_secret

    @property
    def securityToken(self) -> str:  # noqa: N802 - FC's name
        """The same as `security_token`."""
        return self.security_token


class ContextPart:
    """A part of the context: `function`, `service` or `tracing`."""

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)


class FCContext:
    """The attributes that the context has in every runtime."""

    def __init__(self, config: dict[str, Any], call: dict[str, Any]) -> None:
        self.request_id: str = call["request_id"]
        self.region: str = config["region"]
        self.account_id: str = config["account_id"]
        self.function = ContextPart(
            name=config["name"], handler=call["handler"], memory=config["memory"], timeout=config["timeout"]
        )
        # Up to Python 3.10 it stays None; on 3.12 getLogger() sets it (FC documentation, "Context").
        self.logger: logging.Logger | None = None

    def getLogger(self) -> logging.Logger:  # noqa: N802 - FC's name
        """Return the root logger."""
        return logging.getLogger()


class FCContext310(FCContext):
    """The context up to Python 3.10."""

    def __init__(self, config: dict[str, Any], call: dict[str, Any]) -> None:
        super().__init__(config, call)
        self.credentials = ContextCredentials(*call["credentials"])
        self.service = ContextPart(name="", log_project="", log_store="", qualifier="LATEST", version_id="")
        self.tracing = ContextPart(span_context="", span_baggages={}, jaeger_endpoint="")
        self.retry_count: int = call["retry_count"]

    @property
    def requestId(self) -> str:  # noqa: N802 - FC's name
        """The same as `request_id`."""
        return self.request_id

    def to_json(self) -> str:
        """Return the context as JSON text. As on FC, it contains the secrets."""
        fields = {name: value for name, value in vars(self).items() if name != "logger"}
        return json.dumps(fields, default=vars)


class FCContext312(FCContext):
    """The context of Python 3.12: no `credentials`, no `service`."""

    def __init__(self, config: dict[str, Any], call: dict[str, Any]) -> None:
        super().__init__(config, call)
        self.function.__dict__.update(version_id="", qualifier="LATEST")
        self.log_project = ""
        self.log_store = ""

    def getLogger(self) -> logging.Logger:  # noqa: N802 - FC's name
        """Return the root logger, and set `logger` to it."""
        self.logger = super().getLogger()
        return self.logger


class RequestLogHandler(logging.Handler):
    """The root logger's handler: writes each record with the id of the current request.

    FC's own also puts each record into a binary frame for its log agent. This one writes plain text.
    """

    request_id = ""

    def id_for(self, _record: logging.LogRecord) -> str:
        """Return the request id of a record."""
        return self.request_id

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record to stdout."""
        try:
            record.request_id = self.id_for(record)
            stream = sys.__stdout__
            assert stream is not None
            stream.write(f"{self.format(record)[:LOG_RECORD_CHARACTERS]}\n")
            stream.flush()
        except Exception:  # noqa: BLE001 - as logging requires of a handler
            self.handleError(record)


class Worker:
    """Runs one request at a time, with the instance's configuration."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.log = RequestLogHandler()
        self._loaded: dict[str, Callable[..., Any]] = {}
        self._busy = False

    def prepare(self) -> None:
        """Set up the environment, sys.path, logging and SIGTERM as on FC."""
        for name in list(os.environ):
            if name.startswith(("FC_", "_FC_")) and name not in KEPT_VARIABLES:
                del os.environ[name]
        # The first entry is this file's directory; the code directory replaces it.
        sys.path[0] = self.config["code_dir"]
        if self.config["package_home"] not in sys.path:
            sys.path.append(self.config["package_home"])
        logging.Formatter.converter = time.gmtime  # observed: for every formatter, not only this one
        form = "%(asctime)s.%(msecs)03dZ %(request_id)s [%(levelname)s] %(message)s"
        self.log.setFormatter(logging.Formatter(form, "%Y-%m-%dT%H:%M:%S"))
        logging.getLogger().addHandler(self.log)
        logging.getLogger().setLevel(logging.INFO)
        signal.signal(signal.SIGTERM, self._terminate)
        if self.config["memory_limit"]:
            import resource

            with suppress(ValueError):  # some systems refuse every limit
                resource.setrlimit(resource.RLIMIT_AS, (self.config["memory_limit"], self.config["memory_limit"]))

    def run(self, call: dict[str, Any], event: bytes) -> tuple[bool, bytes]:
        """Run the handler or a hook once.

        Only `Exception` is caught, as on FC: SystemExit ends the process.

        Returns:
            Whether it succeeded, and the encoded result or the error document.
        """
        self.log.request_id = call["request_id"]
        if self.config["runtime"] == "python3.12":
            # It is not documented when FC renews them on a warm instance. Here each request has new ones.
            os.environ.update(zip(CREDENTIAL_VARIABLES, call["credentials"], strict=True))

        def run() -> bytes:
            function = self._load(call["handler"])
            context_class = FCContext312 if self.config["runtime"] == "python3.12" else FCContext310
            context = context_class(self.config, call)
            return encode_result(function(event, context) if call["kind"] == "invoke" else function(context))

        self._busy = True
        try:
            return run_phase(_PHASES[call["kind"]], call["request_id"], run, caught=Exception)
        finally:
            self._busy = False

    def _load(self, handler: str) -> Callable[..., Any]:
        if handler not in self._loaded:
            self._loaded[handler] = load_handler(handler, self.config["runtime"])
        return self._loaded[handler]

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        if self._busy:
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            lines = ["Dumping stack trace after function timeout\n"]
            for ident, frame in sys._current_frames().items():  # noqa: SLF001 - there is no other way to see every thread
                lines += [f"Thread {names.get(ident, ident)}:\n", *traceback.format_stack(frame)]
            # The interrupted code may be inside sys.stdout, which is not reentrant.
            with suppress(OSError):  # the parent may have ended, and the log with it
                os.write(2, "".join(lines).encode(errors="backslashreplace"))
        sys.exit(TIMEOUT_EXIT_CODE)


def run_phase(
    phase: str, request_id: str, run: Callable[[], bytes], *, caught: type[BaseException]
) -> tuple[bool, bytes]:
    """Call `run` between FC's own log lines; return whether it succeeded, and its result or the error document."""
    write_log_line(f"FC {phase} Start RequestId: {request_id}")
    try:
        succeeded, body, ending = True, run(), ""
    except caught as error:
        text = json.dumps(error_document(error))
        logging.getLogger().error(text)
        succeeded, body, ending = False, text.encode(), ", Error: Unhandled function error"
    write_log_line(f"FC {phase} End RequestId: {request_id}{ending}")
    return succeeded, body


def load_handler(handler: str, runtime: str) -> Callable[..., Any]:
    """Import the module of `module.function` or `dir/module.function` and return the function.

    A failed import is not remembered: the next request tries again.

    Raises:
        LoadError: InvalidHandleName, ImportModuleError, UserCodeSyntaxError, UserCodeError or HandlerNotFound.
    """
    path, _, name = handler.rpartition(".")
    if not path or not name:
        raise LoadError("InvalidHandleName", f"Invalid handler '{handler}'; expected 'module.function'", [])
    try:
        module = _import_module(path, runtime)
    except ImportError as error:
        raise LoadError(
            "ImportModuleError", f"Unable to import module '{path}': {error}", _flat_trace(error)
        ) from error
    except SyntaxError as error:
        frames = [f'File "{error.filename}", line {error.lineno}', (error.text or "").rstrip()]
        raise LoadError("UserCodeSyntaxError", f"Syntax error in module '{path}': {error}", frames) from error
    except Exception as error:
        message = f"{type(error).__name__} while importing module '{path}': {_error_text(error)}"
        raise LoadError("UserCodeError", message, _flat_trace(error)) from error
    function = getattr(module, name, None)
    if function is None:
        raise LoadError("HandlerNotFound", f"Handler '{name}' is missing on module '{path}'", [])
    found: Callable[..., Any] = function
    return found


def _import_module(path: str, runtime: str) -> ModuleType:
    """Import a module as the runtime does.

    The built-in runtimes up to python3.10 (observed) split the path at its dots, and each part may hold slashes:
    `dir/module` is one part, and the module's name, so the module has no package and its relative imports fail. They have
    no namespace packages, and do not import parent packages. python3.12 (observed) replaces the slashes by dots.
    """
    if not runtime.startswith("python") or runtime == "python3.12":
        return importlib.import_module(path.replace("/", "."))
    if path in sys.modules:
        return sys.modules[path]
    *parents, last = path.split(".")
    folders: list[str] = sys.path
    for parent in parents:
        folders = list(_find_module(parent, folders, path).submodule_search_locations or ())
    found = _find_module(last, folders, path)
    if path == last and "/" not in path:
        return importlib.import_module(path)
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(path, found.origin, submodule_search_locations=found.submodule_search_locations)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[path] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(path, None)
        raise
    return module


def _find_module(part: str, folders: list[str], path: str) -> ModuleSpec:
    # A part that begins with a slash is an absolute path.
    spec = PathFinder.find_spec(
        os.path.basename(part),  # noqa: PTH119 - no pathlib
        [os.path.dirname(os.path.join(folder, part)) for folder in folders],  # noqa: PTH118, PTH120 - no pathlib
    )
    if spec is None or spec.loader is None or spec.origin is None:  # a folder without __init__.py has no loader
        raise ModuleNotFoundError(f"No module named '{path}'", name=path)
    return spec


def encode_result(result: object) -> bytes:
    """Encode what a handler returned, as FC does (observed).

    Raises:
        TypeError: FC cannot encode it: a set, a bytearray, a generator, a coroutine, keys of mixed types.
        UnicodeEncodeError: A str holds a lone surrogate.
    """
    if isinstance(result, bytes):
        return result
    if isinstance(result, str):
        return result.encode()
    return json.dumps(result, indent=4, sort_keys=True, default=_encode_value).encode()


def _encode_value(value: Any) -> object:
    # If a module is not loaded, the value is not of one of its classes.
    decimal, datetime = sys.modules.get("decimal"), sys.modules.get("datetime")
    if decimal is not None and isinstance(value, decimal.Decimal):
        return float(value)
    if datetime is not None and isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if hasattr(value, "to_json"):
        return value.to_json()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def error_document(error: BaseException) -> dict[str, object]:
    """Return FC's error document: errorMessage, errorType and, unless empty, stackTrace.

    A frame of the user's code is a list of four strings; a LoadError has flat strings instead. Causes and contexts of
    the exception are left out.
    """
    kind = error.kind if isinstance(error, LoadError) else type(error).__name__
    document: dict[str, object] = {"errorMessage": _error_text(error), "errorType": kind}
    trace: list[Any]
    if isinstance(error, LoadError):
        trace = error.frames
    else:
        trace = [
            [f'File "{frame.filename}"', f"line {frame.lineno}", f"in {frame.name}", frame.line or ""]
            for frame in _frames(error)
        ]
    return {**document, "stackTrace": trace} if trace else document


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    frames = list(traceback.extract_tb(error.__traceback__))
    own = (os.path.join(os.path.dirname(__file__), ""), importlib.__file__, "<frozen imp")  # noqa: PTH118, PTH120 - no pathlib
    foreign = [frame for frame in frames if not frame.filename.startswith(own)]
    return foreign or frames


def _flat_trace(error: BaseException) -> list[str]:
    return [line.rstrip("\n") for line in traceback.format_list(_frames(error))]


def write_log_line(line: str) -> None:
    """Write one of FC's own lines to the log."""
    # The handler's own output comes first. The handler may have replaced or closed the streams.
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    with suppress(Exception):
        stream = sys.__stdout__
        assert stream is not None
        stream.write(f"{line}\n")  # one call: threads may share the stream
        stream.flush()


def _error_text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not hide the error itself
        return f"<{type(error).__name__} without text>"


def read_frame(fd: int) -> tuple[dict[str, Any], bytes] | None:
    """Read one frame; None if the other side has closed the pipe."""
    lengths = _read_exactly(fd, LENGTHS)
    if lengths is None:
        return None
    header = _read_exactly(fd, int.from_bytes(lengths[:4], "big"))
    body = _read_exactly(fd, int.from_bytes(lengths[4:], "big"))
    return None if header is None or body is None else (json.loads(header), body)


def _read_exactly(fd: int, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = os.read(fd, min(size - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)


def encode_frame(header: dict[str, Any], body: bytes = b"") -> bytes:
    """Return the bytes of one frame."""
    head = json.dumps(header).encode()
    return len(head).to_bytes(4, "big") + len(body).to_bytes(4, "big") + head + body


def write_frame(fd: int, header: dict[str, Any], body: bytes = b"") -> None:
    """Write one whole frame."""
    rest = memoryview(encode_frame(header, body))
    while rest:
        rest = rest[os.write(fd, rest) :]


def end_with_parent(lifeline_fd: int) -> None:
    """Let this process and its process group be killed when the parent ends, for any reason.

    The process must lead its group. On Linux the kernel kills it, even while code never returns to Python, and without a
    thread in the function's process. Elsewhere a thread waits.

    Args:
        lifeline_fd: The read end of a pipe. Only the parent holds the write end, and it never writes.
    """
    import fcntl  # here, because other programs import this module too, also on Windows

    os.set_inheritable(lifeline_fd, False)  # noqa: FBT003 - a positional-only argument
    if not hasattr(fcntl, "F_SETSIG"):
        _thread.start_new_thread(_wait_for_parents_end, (lifeline_fd,))
        return
    fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline_fd, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    with suppress(BlockingIOError):  # the pipe is open; otherwise the parent has ended already
        _wait_for_parents_end(lifeline_fd)


def _wait_for_parents_end(lifeline_fd: int) -> None:
    os.read(lifeline_fd, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Serve requests until the parent closes its pipe."""
    request_fd, response_fd, lifeline_fd = (int(argument) for argument in sys.argv[1:])
    del sys.argv[1:]
    end_with_parent(lifeline_fd)
    for fd in (request_fd, response_fd):
        os.set_inheritable(fd, False)  # noqa: FBT003 - a positional-only argument
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a TextIOWrapper: this is the main program
    first = read_frame(request_fd)
    if first is None:
        return
    worker = Worker(first[0])
    worker.prepare()
    write_frame(response_fd, {"ready": True})
    while (request := read_frame(request_fd)) is not None:
        call, event = request
        succeeded, body = worker.run(call, event)
        write_frame(response_fd, {"succeeded": succeeded}, body)


if __name__ == "__main__":
    main()
