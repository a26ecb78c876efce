"""The plan of the house, held to by reading its imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fc_callback"
# What runs on people's machines, and never in the cloud.
DESKS = ("local", "testing", "cli", "scaffolding", "checking", "building", "project", "flows", "__main__")
# What the cloud runs: everything else.
CORE = sorted(
    path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0].removesuffix(".py") not in DESKS
)
# Running a handler as FC does may start a local CloudFlow's functions, and is no part of the core.
RUNTIME = PACKAGE / "runtime"
NETWORK = {"requests", "urllib3", "http", "socket", "ssl", "httpx", "aiohttp"}
# Who may use pydantic: people's models, trigger shapes, serialising.
PYDANTIC = ("payload/", "events/", "callback/initializer.py", "redaction.py", "logs/")


def imports(path: Path) -> set[str]:
    """Return the full names of all modules that a file imports, inside functions too, but not for type checkers."""
    tree = ast.parse(path.read_text())
    hidden = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def test_the_core_is_found() -> None:
    assert {"callback/decorator.py", "cloudflow/client.py", "payload/output.py"} <= {name_of(path) for path in CORE}


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_never_imports_what_stays_on_people_s_machines(path: Path) -> None:
    wrong = {name for name in imports(path) if any(f"{name}.".startswith(f"fc_callback.{desk}.") for desk in DESKS)}
    assert not wrong


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_two_modules_talk_http(path: Path) -> None:
    if name_of(path) in {"cloudflow/transport.py", "cloudflow/connections.py"} or RUNTIME in path.parents:
        return
    assert not roots(path) & {"requests", "urllib3", "httpx", "aiohttp"}


@pytest.mark.parametrize(
    "name",
    ["cloudflow/signature.py", "cloudflow/request.py", "cloudflow/endpoints.py", "cloudflow/errors.py", "cloudflow/retry.py"]
    + ["values/token.py", "errors.py", "payload/output.py", "values/masked.py", "callback/failure.py", "payload/paths.py"]
    + ["transport.py", "values/base.py"]
    + ["payload/arguments.py", "payload/annotations.py", "payload/schemas.py", "payload/problems.py"],
)  # fmt: skip
def test_values_and_pure_parts_do_no_io(name: str) -> None:
    assert not roots(PACKAGE / name) & (
        NETWORK | {"os", "time", "threading", "subprocess", "pathlib", "logging", "asyncio"}
    )


def test_signatures_are_made_of_the_standard_library_s_mathematics() -> None:
    assert roots(PACKAGE / "cloudflow/signature.py") <= {
        "__future__",
        "hashlib",
        "hmac",
        "base64",
        "typing",
        "urllib",
        "collections",
    }


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_pydantic_stands_where_people_s_models_and_trigger_shapes_are(path: Path) -> None:
    if name_of(path).startswith(PYDANTIC):
        return
    assert not roots(path) & {"pydantic", "pydantic_core"}


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_needs_nothing_that_is_not_shipped(path: Path) -> None:
    extra = {"starlette", "uvicorn", "jinja2", "yaml", "typer", "rich", "click", "pytest", "hypothesis"}
    assert not roots(path) & extra


def test_the_client_knows_nothing_of_handlers() -> None:
    for path in (PACKAGE / "cloudflow").glob("*.py"):
        assert not {
            name
            for name in imports(path)
            if name.startswith(
                ("fc_callback.callback.decorator", "fc_callback.payload.arguments", "fc_callback.payload.annotations")
            )
        }


def test_the_signer_and_the_checker_are_one_code() -> None:
    assert "fc_callback.cloudflow.signature" in imports(PACKAGE / "local/authentication.py")
