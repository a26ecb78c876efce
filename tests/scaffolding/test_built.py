"""Every template's package, and one of a project made with `add`, built: it completes its task alone, as on FC."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from fc_callback.building import build as building
from fc_callback.building import build_project
from fc_callback.checking import check_project
from fc_callback.project.wheels import TargetPlatform
from fc_callback.scaffolding import plan_addition, render_template, template_names
from fc_callback.sealing import TokenSeal
from fc_callback.testing import TaskCloudFlow, events
from tests.scaffolding.projects import ARN, make_project
from tests.wheel import shared_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[2]
ORDER = {"order": {"id": "o-1", "amount": "12.50"}}
PAID = {"orderId": "o-1", "charged": "12.50", "status": "paid"}
# What FC's runtime does, without anything of ours or of the tests: /code, then PYTHONPATH, then the standard library.
RUN = """
import importlib, json, sys
from types import SimpleNamespace as Object
code, handler, key_id, key_secret, security_token = sys.argv[1:]
sys.path[:0] = [code, code + "/python"]
context = Object(
    request_id="r-1", region="cn-hangzhou", account_id="1234567890123456", retry_count=0,
    credentials=Object(access_key_id=key_id, access_key_secret=key_secret, security_token=security_token),
    function=Object(name="alone", handler=handler, memory=512, timeout=30),
)
module, _, name = handler.rpartition(".")
module = importlib.import_module(module)
assert module.initialize(context) == ""
result = getattr(module, name)(sys.stdin.buffer.read(), context)
outside = [name for name, each in sys.modules.items() if "site-packages" in str(getattr(each, "__file__", ""))]
assert not outside, outside
print(json.dumps(result))
"""

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() != "x86_64", reason="What is built for FC runs on Linux x86_64."
    ),
    pytest.mark.timeout(300),  # dependencies are downloaded
]


@pytest.fixture
def service() -> Iterator[TaskCloudFlow]:
    with TaskCloudFlow() as service:
        yield service


@pytest.fixture
def notified() -> Iterator[tuple[str, SimpleQueue[str]]]:
    """A webhook's address, and the messages that come to it."""
    texts: SimpleQueue[str] = SimpleQueue()

    class Receive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts.put(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]["content"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receive)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", texts
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def build(pack: Callable[[Path], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Make a project of a template and build it; return what becomes /code."""

    def build(template: str) -> Path:
        project = tmp_path / "project"
        render_template(template, project, {"accountId": "1234567890123456"})
        return pack(project)

    return build


@pytest.fixture
def pack(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Build a project for this Python instead of FC's, so that it can be run; return what becomes /code."""

    def pack(project: Path) -> Path:
        code = project / "code"

        def packages() -> Path:
            here = TargetPlatform(python=sys.version_info[:2], glibc=(2, 28))
            monkeypatch.setattr(building, "_target", lambda _functions: here)
            (package,) = build_project(project, fc_callback=str(wheel))
            assert package.compiled
            return code / "python"

        # Templates that ask for the same get the same.
        shared = shared_packages(wheel, (code / "requirements.txt").read_text(), packages)
        shutil.copytree(shared, code / "python", dirs_exist_ok=True)
        return code

    return pack


def alone(code: Path, handler: str, event: bytes, service: TaskCloudFlow, environment: Mapping[str, str] = {}) -> Any:
    """Call a handler in a new process without site-packages; return its result."""
    key = service.session()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", RUN, str(code), handler]
        + [key.access_key_id, key.access_key_secret, key.security_token or ""],
        input=event,
        env={"CLOUDFLOW_ENDPOINT": service.endpoint, **environment},
        cwd=code.parent,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("template", "builder"),
    [("event-callback", events.direct), ("mns-callback", events.mns_topic), ("batch-callback", events.mns_queue)],
)
def test_a_package_alone_completes_a_task(
    template: str, builder: Any, build: Callable[[str], Path], service: TaskCloudFlow
) -> None:
    code = build(template)
    task = service.new_task(ORDER)

    alone(code, "index.handler", task.event_as(builder), service)

    task.assert_succeeded_with(PAID)


def test_a_package_of_a_project_made_with_add_alone_completes_a_task(
    pack: Callable[[Path], Path], service: TaskCloudFlow, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "project")
    plan_addition(project, role=ARN).write()
    code = pack(project)
    task = service.new_task(ORDER)

    alone(code, "index.handler", task.event, service)

    task.assert_succeeded_with({"result": "hello world"})


def test_both_functions_of_an_approval_do_their_part_alone(
    build: Callable[[str], Path], service: TaskCloudFlow, notified: tuple[str, SimpleQueue[str]]
) -> None:
    code = build("human-approval")
    url, messages = notified
    environment = {
        "NOTIFY_URL": url,
        "DECIDE_URL": "https://decide.example",
        "CLOUDFLOW_SEAL_KEY": TokenSeal.generate_key(),
        "LINK_SECONDS": "60",
    }
    task = service.new_task({"subject": "Release 2.0?"})

    alone(code, "ask.handler", task.event, service, environment)
    request = urlsplit(messages.get(timeout=30).split()[-1]).query.removeprefix("request=")
    press = events.http(
        "decision=approve",
        method="POST",
        query={"request": request},
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    answer = alone(code, "decide.handler", press, service, environment)

    assert answer["statusCode"] == 200
    task.assert_succeeded_with({"approved": True})


def test_the_wheel_holds_the_templates_whole_and_nothing_that_was_left_in_them(wheel: Path) -> None:
    left = {"__pycache__", ".pytest_cache", "python"}
    templates = {path.relative_to(ROOT / "templates") for path in (ROOT / "templates").rglob("*") if path.is_file()}

    with zipfile.ZipFile(wheel) as archive:
        held = {Path(name) for name in archive.namelist()}

    packed = {path.relative_to("fc_callback/_templates") for path in held if "_templates" in path.parts}
    assert packed == {path for path in templates if not left & set(path.parts)}
    assert not [path for path in held if left & set(path.parts)]


def test_the_wheel_holds_what_type_checkers_read(wheel: Path) -> None:
    stubs = {path.relative_to(ROOT).as_posix() for path in (ROOT / "fc_callback").rglob("*.pyi")}
    assert "fc_callback/idempotency/__init__.pyi" in stubs

    with zipfile.ZipFile(wheel) as archive:
        assert {"fc_callback/py.typed", *stubs} <= set(archive.namelist())


def test_a_built_project_is_still_clean_and_no_template_is_left_out(wheel: Path, tmp_path: Path) -> None:
    assert set(template_names()) == {
        *("event-callback", "mns-callback", "batch-callback", "human-approval"),
        "custom-container",  # brings its own Python: its image's command is run instead, in test_container
    }
    project = tmp_path / "project"
    render_template("event-callback", project, {"accountId": "1234567890123456"})

    (package,) = build_project(project, fc_callback=str(wheel))

    assert (package.target.version, check_project(project, imports=False, environ={})) == ("3.10", [])
