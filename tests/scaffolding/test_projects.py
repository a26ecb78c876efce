"""Every template, freshly made: its own tests pass, the check finds nothing, its flows are flows."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from fc_callback.checking import check_project
from fc_callback.checking.properties import fc3_schema
from fc_callback.project import read_project
from fc_callback.project.yaml_reader import parse_yaml
from fc_callback.runtime import FunctionInstance, FunctionSpec
from fc_callback.scaffolding import render_template, template_names
from fc_callback.sealing import TokenSeal
from fc_callback.testing import TaskCloudFlow
from tests.parts import need
from tests.scaffolding.switches import switched_on

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(240)  # mypy and the tests of a project, on a busy machine


@pytest.fixture(scope="module", params=template_names())
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target: Path = tmp_path_factory.mktemp("made") / request.param
    render_template(request.param, target, {"accountId": "1234567890123456"})
    return target


# The container's image has a sample namespace until a person names another one.
IMAGE = {"IMAGE": "registry.cn-hangzhou.aliyuncs.com/orders/report-callback:1"}


def in_project(project: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command line of a README or a workflow in a project, with the commands of this Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_", "CLOUDFLOW_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-ec", command],
        cwd=project,
        env={**kept, "PATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )


def test_the_commands_of_its_workflow_pass(project: Path) -> None:
    """Its tests, ruff and the check, as GitHub runs them. Another test runs mypy; no package is installed or built."""
    steps = parse_yaml((project / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]["test"]["steps"]
    install, *run, build = [step["run"] for step in steps if "run" in step]
    assert install == "python -m pip install -r requirements-dev.txt"
    assert run == ["ruff check .", "ruff format --check .", "mypy", "python -m pytest", "fc-callback check"]
    assert build in {"fc-callback build .", "docker build ."}
    missing = {name for name in ("mypy", "ruff") if name == "mypy" or importlib.util.find_spec(name) is None}

    done = in_project(project, "\n".join(command for command in run if command.split()[0] not in missing), **IMAGE)

    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_finds_nothing_in_any_project(tmp_path: Path) -> None:
    need("mypy")
    for name in template_names():
        render_template(name, tmp_path / name)

        done = in_project(tmp_path / name, "mypy", MYPY_CACHE_DIR=str(tmp_path / "cache"))  # the first one fills it

        assert done.returncode == 0, done.stdout + done.stderr


def test_the_event_samples_are_invoked_as_its_readme_says(project: Path) -> None:
    commands = re.findall(r"^    (fc-callback invoke .*)$", (project / "README.md").read_text("utf-8"), re.MULTILINE)
    samples = {path.relative_to(project).as_posix() for path in (project / "events").iterdir()}
    assert {command.partition("@")[2] for command in commands} == samples

    for command in commands:
        done = in_project(project, command)
        # The function that asks has no address of its own yet.
        end = "NotConfigured" if project.name == "human-approval" else "Task: it has succeeded with"
        assert (done.returncode, end in done.stderr) == (0, True), done.stderr


@pytest.mark.parametrize("template", ["event-callback", "human-approval"])
def test_its_smoke_test_passes_where_its_function_and_its_flow_are(template: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    render_template(template, project)
    with TaskCloudFlow() as service, webhook() as address:
        environment = {
            "CLOUDFLOW_SEAL_KEY": TokenSeal.generate_key(),
            "DECIDE_URL": "https://decide.example",
            "NOTIFY_URL": address,
        }
        for function in read_project(project, environ={}).functions:
            service.add_function(
                FunctionSpec(
                    name=function.name,
                    code_dir=project / "code",
                    handler=function.text("handler"),
                    environment=environment,
                )
            )
        text = (project / "flows" / "cloudflow.yaml").read_text("utf-8")
        service.create_flow(parse_yaml(text)["Name"], text)

        done = in_project(project, "python -m pytest -q smoke", SECONDS_TO_ASK="2", **service.environment)

    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def webhook() -> Iterator[str]:
    """Yield the address of a webhook that takes every message."""

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_its_switches_are_valid_once_they_are_on(project: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(project, tmp_path / "project")
    manifest = changed / "s.yaml"
    manifest.write_text(switched_on(manifest.read_text("utf-8")), encoding="utf-8")

    assert check_project(changed, imports=False, environ=IMAGE) == []
    for function in read_project(changed, environ={}).functions:
        assert list(jsonschema.Draft7Validator(fc3_schema()).iter_errors(function.props)) == []
        assert function.mapping("logConfig")["project"]
        assert function.mapping("tracingConfig")["type"] == "Jaeger"


def test_its_readme_in_chinese_has_the_same_commands(project: Path) -> None:
    english, chinese = ((project / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md"))

    assert code_lines(chinese) == code_lines(english)
    assert len(re.findall(r"[\u4e00-\u9fff]", chinese)) > 600
    assert "README.zh-CN.md" in english


def code_lines(markdown: str) -> list[str]:
    return [line for line in markdown.splitlines() if line.startswith("    ")]


def test_only_the_function_goes_into_its_package(project: Path) -> None:
    """Everything else of a project is beside code/; caches of ruff and mypy are left out."""
    held = {path.name for path in (project / "code").iterdir() if path.suffix != ".py" and path.name != "__pycache__"}
    is_image = project.name == "custom-container"
    left_out = (project / (".dockerignore" if is_image else "code/.fcignore")).read_text("utf-8")

    assert held <= {"requirements.txt", ".fcignore"}
    assert all(cache in left_out for cache in (".pytest_cache", ".mypy_cache", ".ruff_cache") if not is_image)


def test_the_check_finds_nothing(project: Path) -> None:
    environ = {"IMAGE": "registry.cn-hangzhou.aliyuncs.com/orders/report-callback:1"}

    assert check_project(project, environ=environ) == []


def test_it_holds_all_that_a_deployment_takes(project: Path) -> None:
    needed = [
        *("README.md", "README.zh-CN.md", "s.yaml", "s.flow.yaml", "prod.yaml", "prod.flow.yaml"),
        *(".github/workflows/ci.yml", "ruff.toml", "mypy.ini", "pytest.ini", "smoke/test_deployed.py"),
        *("flows/legacy.yaml", "flows/cloudflow.yaml", ".env.example"),
        *("policies/function-role.json", "policies/function-role-trust.json"),
        *("policies/flow-role.json", "policies/flow-role-trust.json"),
        *("code/requirements.txt", "requirements-dev.txt", "code/payload.py", "tests/test_handler.py"),
        ".dockerignore" if project.name == "custom-container" else "code/.fcignore",
    ]

    assert [name for name in needed if not (project / name).is_file()] == []


def test_each_of_its_functions_runs_its_initializer_before_the_first_event(project: Path) -> None:
    code_dir = project / "code"
    for function in read_project(project, environ={}).functions:
        hook = function.mapping("instanceLifecycleConfig")["initializer"]
        spec = FunctionSpec(
            name=function.name,
            code_dir=code_dir,
            handler=function.text("handler") or "index.handler",
            runtime="custom" if function.runtime == "custom-container" else function.runtime,
            initializer=hook["handler"],
            initializer_timeout_seconds=hook["timeout"],
            environment={"CLOUDFLOW_SEAL_KEY": TokenSeal.generate_key()},
        )
        with FunctionInstance(spec) as instance:
            result = instance.invoke(b"{}", credentials=None)
        assert "FC Initialize End RequestId" in result.log, result.log
        assert result.error_type != "InitializationError", result.log


def test_what_its_initializers_are_is_ours(project: Path) -> None:
    program = (
        "import importlib, sys; from fc_callback import initializer\n"
        "for name in sys.argv[1:]: assert importlib.import_module(name).initialize is initializer"
    )
    hooks = [
        function.mapping("instanceLifecycleConfig")["initializer"]["handler"].rpartition(".")
        for function in read_project(project, environ={}).functions
    ]

    assert hooks
    assert {name for _, _, name in hooks} == {"initialize"}
    subprocess.run(
        [sys.executable, "-B", "-c", program, *(module for module, _, _ in hooks)], cwd=project / "code", check=True
    )


def test_its_policies_name_no_more_than_they_must(project: Path) -> None:
    for path in (project / "policies").glob("*.json"):
        for statement in json.loads(path.read_text())["Statement"]:
            assert not any("*" in action for action in statement["Action"]), path
            if "Resource" in statement and path.stem != "function-role":
                assert "*" not in (statement["Resource"], *statement["Resource"]), path


def test_its_readme_fits_on_a_page(project: Path) -> None:
    assert len((project / "README.md").read_text(encoding="utf-8").splitlines()) < 100


def test_the_repositorys_function_has_the_initializer_of_its_template() -> None:
    if not (ROOT / "s.yaml").is_file():
        pytest.skip("The tests run without the repository's s.yaml.")
    (function,) = read_project(ROOT, environ={}).functions
    (template,) = read_project(ROOT / "templates" / "event-callback" / "src", environ={}).functions

    assert function.mapping("instanceLifecycleConfig") == template.mapping("instanceLifecycleConfig") != {}


def test_the_manifest_of_the_repository_is_clean() -> None:
    if not (ROOT / "s.yaml").is_file():
        pytest.skip("The tests run without the repository's s.yaml.")
    environ = {"FUNCTION_ROLE_ARN": "acs:ram::1234567890123456:role/fc-callback-example"}

    assert check_project(ROOT, environ=environ) == []


@pytest.fixture(params=["shipped", "original"])
def schema(request: pytest.FixtureRequest) -> dict[str, Any]:
    """fc3's schema of `props`: the one in the package, and the one it was made from."""
    original = ROOT / "../shared/data/fc3-schema.json"
    if request.param == "shipped":
        return fc3_schema()
    if not original.is_file():
        pytest.skip(f"{original} is not there.")
    content: dict[str, Any] = json.loads(original.read_text())
    return content


def test_fc3s_schema_takes_its_properties(project: Path, schema: dict[str, Any]) -> None:
    for function in read_project(project, environ={}).functions:
        assert list(jsonschema.Draft7Validator(schema).iter_errors(function.props)) == []


def test_fc3s_schema_takes_the_repositorys_properties(schema: dict[str, Any]) -> None:
    for function in read_project(ROOT, environ={}).functions:
        assert list(jsonschema.Draft7Validator(schema).iter_errors(function.props)) == []
