"""Every template, freshly made: its own tests pass, the check finds nothing, its flows are flows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fc_callback.checking import check_project
from fc_callback.checking.properties import fc3_schema
from fc_callback.project import read_project
from fc_callback.runtime import FunctionInstance, FunctionSpec
from fc_callback.scaffolding import render_template, template_names
from fc_callback.sealing import TokenSeal

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=template_names())
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target: Path = tmp_path_factory.mktemp("made") / request.param
    render_template(request.param, target, {"accountId": "1234567890123456"})
    return target


def test_its_own_tests_pass(project: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_check_finds_nothing(project: Path) -> None:
    environ = {"IMAGE": "registry.cn-hangzhou.aliyuncs.com/orders/report-callback:1"}

    assert check_project(project, environ=environ) == []


def test_it_holds_all_that_a_deployment_takes(project: Path) -> None:
    needed = [
        *("README.md", "s.yaml", "s.flow.yaml", "flows/legacy.yaml", "flows/cloudflow.yaml", ".env.example"),
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
