"""`fc-callback serve`: serve a function over HTTP, in FC's custom runtimes and custom containers.

It runs in the cloud with the extra `[serve]` only, so it uses neither Typer nor Rich.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fc_callback.runtime.wsgi import FunctionApp

_CLOSING_SECONDS = 1.0
_DESCRIPTION = (
    "Serve a handler over HTTP, as FC's custom runtimes and custom containers call it: "
    "POST /invoke, POST /initialize, GET /pre-stop."
)


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM; return the exit code."""
    parser = command_parser()
    given = parser.parse_args(list(arguments))
    try:
        import waitress  # noqa: F401 - checked before the function's module is imported
    except ImportError:
        parser.exit(1, "fc-callback serve needs waitress. Run: pip install 'fc-callback[serve]'\n")
    from fc_callback.runtime import serving
    from fc_callback.runtime.worker import end_with_parent, write_log_line

    if given.lifeline_fd is not None:
        end_with_parent(given.lifeline_fd)
    # As with `python -m`; an installed command has its own directory first.
    code_dir = str(Path(given.code_dir).resolve())
    if code_dir not in sys.path:
        sys.path.insert(0, code_dir)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a TextIOWrapper: this is the main program
    try:
        listening = _listening(given)
        address = ":".join(map(str, listening.getsockname()[:2]))
        serving.set_up_logging()
        signal.signal(signal.SIGTERM, _terminated_during_import)
        if given.loading_fd is not None:
            os.write(given.loading_fd, b"\n")
            os.close(given.loading_fd)
        application = _application(given)
        write_log_line(f"FunctionCompute custom runtime inited: {given.handler} at http://{address}.")
        code = serving.serve(application, listening, threads=given.threads, drain_seconds=given.drain_seconds)
    except SettingsError as error:
        parser.exit(2, f"fc-callback serve: {error}\n")
    if code:
        write_log_line(f"A request was still running {given.drain_seconds:g} seconds after SIGTERM:")
        faulthandler.dump_traceback()
        # In a thread, because a function that still runs may hold the lock of a log handler.
        closing = threading.Thread(target=application.close_records, daemon=True)
        closing.start()
        closing.join(_CLOSING_SECONDS)
        os._exit(code)  # the process would wait for a thread that does not end
    return code


def _terminated_during_import(_number: int, _frame: object) -> None:
    from fc_callback.runtime.worker import TIMEOUT_EXIT_CODE, write_log_line

    write_log_line("SIGTERM came while the handler's module was being imported:")
    faulthandler.dump_traceback()
    os._exit(TIMEOUT_EXIT_CODE)  # the module could catch a SystemExit


def command_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments; the reference of the command line lists them."""
    parser = argparse.ArgumentParser(prog="fc-callback serve", description=_DESCRIPTION)
    parser.add_argument("handler", help="the handler, as in s.yaml: module.function or dir/module.function")
    parser.add_argument(
        "--initializer", help="the function that POST /initialize runs (default: fc_callback.initializer)"
    )
    parser.add_argument("--pre-stop", help="the function that GET /pre-stop runs (default: none)")
    parser.add_argument(
        "--http", help="a WSGI application, as module.name, that serves HTTP triggers and all other paths"
    )
    parser.add_argument("--code-dir", default=".", help="the directory of the modules (default: the current one)")
    parser.add_argument("--host", help="the address to listen on (default: 0.0.0.0 on FC, 127.0.0.1 elsewhere)")
    parser.add_argument(
        "--port", type=int, help="the port (default: FC_CUSTOM_LISTEN_PORT, else 9000); 0 for a free one"
    )
    parser.add_argument(
        "--fd", type=int, help="the descriptor of an inherited listening socket, instead of host and port"
    )
    # fc_callback.runtime.served uses these two.
    parser.add_argument("--loading-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--lifeline-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument(
        "--threads", type=_positive, default=32, help="concurrent requests: at least instanceConcurrency (default: 32)"
    )
    parser.add_argument(
        "--drain-seconds",
        type=float,
        default=60.0,
        help="how long running requests may continue after SIGTERM (default: 60)",
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above zero")
    return int(text)


def _listening(given: argparse.Namespace) -> socket.socket:
    from fc_callback.runtime import serving

    if given.fd is not None:
        try:
            return socket.socket(fileno=given.fd)
        except OSError as error:
            raise SettingsError(f"--fd {given.fd} is not a socket: {error.strerror}.") from None
    port = serving.default_port() if given.port is None else given.port
    return serving.listen(given.host or serving.default_host(), port)


def _application(given: argparse.Namespace) -> FunctionApp:
    from fc_callback.runtime.worker import LoadError, load_handler
    from fc_callback.runtime.wsgi import HandlerNotLoaded, wsgi_app

    try:
        http = load_handler(given.http, "custom") if given.http else None
    except LoadError as error:
        missing = error.__cause__.name if isinstance(error.__cause__, ModuleNotFoundError) else None
        is_own = missing in given.http.replace("/", ".").split(".")  # and not a package that the module imports
        hint = f"It was looked up in {given.code_dir!r}, the directory of --code-dir." if is_own else None
        raise SettingsError(f"--http {given.http} cannot be loaded: {error}.", hint=hint) from error
    application = wsgi_app(given.handler, initializer=given.initializer, pre_stop=given.pre_stop, http=http)
    try:
        application.load()  # in the main thread, before the first request
    except HandlerNotLoaded as error:
        # The server starts anyway: each response contains the error, which FC would not show otherwise.
        logging.getLogger().error("%s: %s", error.kind, error)
    except SystemExit as error:
        logging.getLogger().error("sys.exit(%r) was called while %s was being imported.", error.code, given.handler)
        raise
    return application
