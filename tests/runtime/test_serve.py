"""`fc-callback serve`: what FC sees of a custom runtime."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import pytest

from fc_callback.runtime import serving
from tests.runtime.runtime_support import CREDENTIALS, eventually
from tests.runtime.serving_support import Served, headers_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Serve(Protocol):
    def __call__(self, code: str, *options: str) -> Served: ...


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    with contextlib.ExitStack() as opened:

        def start(code: str, *options: str) -> Served:
            (tmp_path / "index.py").write_text(textwrap.dedent(code), encoding="utf-8")
            served = Served(tmp_path, *options)
            opened.callback(served.close)
            return served

        yield start


CONTEXT = """
    def handler(event, context):
        f, s, c = context.function, context.service, context.credentials
        return [event.decode(), context.request_id, f.name, f.handler, f.memory, f.timeout, f.qualifier,
                s.name, context.region, context.account_id, context.retry_count,
                c.access_key_id, c.accessKeySecret, c.security_token]
"""


def test_the_context_is_made_of_the_headers(serve: Serve) -> None:
    answer = serve(CONTEXT).call("POST", "/invoke", b"e", headers_for(CREDENTIALS, "r-1", retry_count=2))
    assert json.loads(answer.body) == [
        *("e", "r-1", "orders", "index.handler", 512, 30, "LATEST"),
        *("", "cn-hangzhou", "1000000000000001", 2),
        *("STS.key-1", "secret-one", "token-one"),
    ]


def test_a_function_without_a_role_gets_empty_credentials(serve: Serve) -> None:
    answer = serve(CONTEXT).invoke(b"", credentials=None)
    assert json.loads(answer.body)[-3:] == ["", "", ""]


def test_a_success_is_200_for_fc_and_for_http(serve: Serve) -> None:
    answer = serve("def handler(event, context): return event").invoke(b"\x00\xff", credentials=None)
    assert (answer.status, answer.headers["x-fc-status"], answer.body) == (200, "200", b"\x00\xff")


def test_a_failure_is_404_for_fc_and_for_http_with_the_error_document(serve: Serve) -> None:
    answer = serve("def handler(event, context): raise KeyError('k')").invoke(b"", credentials=None)
    document = json.loads(answer.body)
    assert (answer.status, answer.headers["x-fc-status"]) == (404, "404")
    assert (document["errorType"], document["errorMessage"]) == ("KeyError", "'k'")
    assert [frame[2] for frame in document["stackTrace"]] == ["in handler"]


def test_sys_exit_fails_its_own_request_and_no_other(serve: Serve) -> None:
    served = serve("""
        import sys
        def handler(event, context):
            if event: sys.exit(3)
            return "alive"
    """)
    answer = served.invoke(b"x", credentials=None)
    assert (answer.status, json.loads(answer.body)["errorType"]) == (404, "SystemExit")
    assert served.invoke(b"", credentials=None).body == b"alive"


def test_a_module_that_cannot_be_imported_is_answered_to_every_request_until_it_can(
    serve: Serve, tmp_path: Path
) -> None:
    served = serve("import no_such_package")
    answer = served.invoke(b"", credentials=None)
    assert (answer.status, json.loads(answer.body)["errorType"]) == (404, "ImportModuleError")
    (tmp_path / "no_such_package.py").touch()
    answer = served.invoke(b"", credentials=None)
    assert json.loads(answer.body)["errorType"] == "HandlerNotFound"


def test_the_hooks_run_with_the_context_and_return_nothing(serve: Serve) -> None:
    served = serve(
        """
        def note(context):
            print("hook of", context.request_id)
            return {1}
        def handler(event, context): pass
        """,
        *("--initializer", "index.note", "--pre-stop", "index.note"),
    )
    for method, path, phase in (("POST", "/initialize", "Initialize"), ("GET", "/pre-stop", "PreStop")):
        answer = served.call(method, path, headers=headers_for(CREDENTIALS, f"r-{phase}", path=path))
        assert (answer.status, answer.headers["x-fc-status"], answer.body) == (200, "200", b"")
        start, said, end = (line for line in served.lines if f"r-{phase}" in line)
        assert (start, end) == (f"FC {phase} Start RequestId: r-{phase}\n", f"FC {phase} End RequestId: r-{phase}\n")
        assert said == f"hook of r-{phase}\n"


def test_a_hook_that_fails_is_404(serve: Serve) -> None:
    served = serve(
        "def boot(context): raise OSError('no disk')\ndef handler(event, context): pass", "--pre-stop", "index.boot"
    )
    answer = served.call("GET", "/pre-stop")
    assert (answer.status, answer.headers["x-fc-status"], json.loads(answer.body)["errorType"]) == (
        404,
        "404",
        "OSError",
    )


def test_hooks_that_are_not_named_succeed(serve: Serve) -> None:
    served = serve("def handler(event, context): pass")
    assert [served.call("POST", "/initialize").status, served.call("GET", "/pre-stop").status] == [200, 200]


def test_the_pre_stop_hook_is_served_to_a_post_as_well(serve: Serve) -> None:
    served = serve("def stop(context): raise OSError\ndef handler(event, context): pass", "--pre-stop", "index.stop")
    assert served.call("POST", "/pre-stop").headers["x-fc-status"] == "404"  # the hook has run


def test_other_paths_are_refused_with_what_is_served(serve: Serve) -> None:
    answer = serve("def handler(event, context): pass").call("GET", "/orders/7")
    assert (answer.status, "x-fc-status" in answer.headers) == (404, False)
    assert "GET /orders/7 is not served" in json.loads(answer.body)["errorMessage"]


def test_an_http_trigger_that_asks_for_the_path_of_events_is_told_why_it_is_refused(serve: Serve) -> None:
    answer = serve("def handler(event, context): pass").call(
        "POST", "/invoke", headers=headers_for(None, "r", path="/http-invoke")
    )
    assert answer.status == 404
    assert "POST /invoke of an HTTP trigger is not served" in json.loads(answer.body)["errorMessage"]


def test_http_triggers_go_to_the_wsgi_application_that_is_named(serve: Serve) -> None:
    served = serve(
        """
        def handler(event, context): return "event"
        def site(environ, start_response):
            start_response("201 Created", [("X-Site", "yes")])
            return [environ["REQUEST_METHOD"].encode() + environ["PATH_INFO"].encode()]
        """,
        *("--http", "index.site"),
    )
    page = served.call("GET", "/orders/7", headers=headers_for(None, "r-1", path="/http-invoke"))
    assert (page.status, page.headers["x-site"], page.body) == (201, "yes", b"GET/orders/7")
    # A page of the site's own, not an event: FC says which it is.
    page = served.call("POST", "/invoke", headers=headers_for(None, "r-2", path="/http-invoke"))
    assert page.body == b"POST/invoke"
    assert served.invoke(b"", credentials=None).body == b"event"


def test_one_connection_serves_many_requests(serve: Serve) -> None:
    served = serve("def handler(event, context): return event")
    connection = served.connect()
    bodies = []
    for number in range(3):
        connection.request("POST", "/invoke", str(number), headers_for(None, "r"))
        bodies.append(connection.getresponse().read())
        socket_used = connection.sock
    assert bodies == [b"0", b"1", b"2"]
    assert socket_used is not None
    connection.close()


def test_idle_connections_are_kept_for_more_than_fcs_fifteen_minutes() -> None:
    assert serving.KEEP_ALIVE_SECONDS > 15 * 60


# Each waits until the other has begun.
MEETING = """
    import contextvars, pathlib, threading, time
    seen = contextvars.ContextVar("seen", default="nothing")
    def handler(event, context):
        before = seen.get()
        seen.set(event.decode())
        pathlib.Path("here-" + event.decode()).touch()
        deadline = time.monotonic() + 20
        while len(list(pathlib.Path().glob("here-*"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        logger = context.getLogger()
        thread = threading.Thread(target=logger.info, args=("thread of %s", event.decode()))
        thread.start()
        thread.join()
        import logging
        logging.info("handler of %s", event.decode())
        return [before, seen.get(), len(list(pathlib.Path().glob("here-*")))]
"""


def test_requests_at_once_share_neither_context_nor_log(serve: Serve) -> None:
    served = serve(MEETING)

    def call(name: str) -> object:
        return json.loads(served.call("POST", "/invoke", name.encode(), headers_for(None, f"r-{name}")).body)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(call, ["a", "b"])) == [["nothing", "a", 2], ["nothing", "b", 2]]
    said = [re.sub(r"^\S+Z ", "", line.strip()) for line in served.lines if "[INFO]" in line]
    assert sorted(said) == [f"r-{name} [INFO] {who} of {name}" for name in "ab" for who in ("handler", "thread")]


def test_a_thread_serves_one_request_after_the_other_without_their_context(serve: Serve) -> None:
    served = serve(
        """
        import contextvars
        seen = contextvars.ContextVar("seen", default="nothing")
        def handler(event, context):
            before = seen.get()
            seen.set(event.decode())
            return before
        """,
        *("--threads", "1"),
    )
    assert [served.invoke(event, credentials=None).body for event in (b"1", b"2")] == [b"nothing", b"nothing"]


SLOW = """
    import pathlib, time
    def handler(event, context):
        pathlib.Path("running").touch()
        deadline = time.monotonic() + 20
        while not pathlib.Path("go").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return "finished"
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_after_sigterm_the_running_request_finishes_and_no_new_one_begins(
    serve: Serve, tmp_path: Path, number: signal.Signals
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    try:
        served = serve(SLOW)
    finally:
        signal.signal(signal.SIGHUP, before)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(served.invoke, b"", credentials=None)
        assert eventually((tmp_path / "running").exists)
        served.process.send_signal(number)
        assert eventually(lambda: not _accepts(served.port))
        (tmp_path / "go").touch()
        assert running.result(30).body == b"finished"
    assert served.wait() == 0


def test_an_idle_server_ends_at_sigterm(serve: Serve) -> None:
    served = serve("def handler(event, context): return 1")
    connection = served.connect()
    connection.request("POST", "/invoke", b"", headers_for(None, "r"))
    connection.getresponse().read()
    served.terminate()  # the connection is kept, and idle
    assert served.wait() == 0
    connection.close()


def test_a_request_that_outlives_the_drain_is_cut_off_with_its_stack_in_the_log(serve: Serve, tmp_path: Path) -> None:
    served = serve(SLOW, "--drain-seconds", "0.1")
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(served.invoke, b"", credentials=None)
        assert eventually((tmp_path / "running").exists)
        served.terminate()
        assert served.wait() == 143
        assert isinstance(running.exception(30), (ConnectionError, OSError))
    assert "in handler" in served.log


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def test_it_listens_on_loopback_unless_it_runs_on_fc(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    assert serve("def handler(event, context): pass").host == "127.0.0.1"
    monkeypatch.setenv("FC_FUNCTION_NAME", "orders")
    assert serving.default_host() == "0.0.0.0"


def test_the_port_is_fcs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert serving.default_port() == 9000
    monkeypatch.setenv("FC_CUSTOM_LISTEN_PORT", "8080")
    assert serving.default_port() == 8080


def test_it_needs_neither_typer_nor_rich(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_text("def handler(event, context): pass", encoding="utf-8")
    code = """
import sys
for name in ("typer", "rich", "yaml", "jinja2", "starlette", "uvicorn"):
    sys.modules[name] = None
sys.argv[1:] = ["serve", "--help"]
from fc_callback.cli import main
main()
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, "usage: fc-callback serve" in ended.stdout) == (0, True), ended.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["index.handler", "--port", "99999"], {}, "Cannot listen on 127.0.0.1:99999"),
        (["index.handler"], {"FC_CUSTOM_LISTEN_PORT": "many"}, "FC_CUSTOM_LISTEN_PORT is 'many'"),
        (["index.handler", "--threads", "0"], {}, "not a number above zero"),
        (["index.handler", "--port", "0", "--http", "index.site"], {}, "--http index.site cannot be loaded"),
        (
            ["index.handler", "--port", "0", "--http", "web.site"],
            {},
            "No module named 'web'. It was looked up in '.', the directory of --code-dir",
        ),
        ([], {}, "handler"),
    ],
)
def test_wrong_usage_ends_with_2(tmp_path: Path, arguments: list[str], environment: dict[str, str], said: str) -> None:
    (tmp_path / "index.py").write_text("def handler(event, context): pass", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "fc_callback", "serve", *arguments],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, said in ended.stderr) == (2, True), ended.stderr


def test_under_nohup_a_closed_terminal_does_not_end_the_server(serve: Serve) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        served = serve("def handler(event, context): return event")
    finally:
        signal.signal(signal.SIGHUP, before)
    served.process.send_signal(signal.SIGHUP)
    assert served.invoke(b"e", credentials=None).body == b"e"
    served.terminate()
    assert served.wait() == 0
