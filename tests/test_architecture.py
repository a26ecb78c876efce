"""The plan of the house, held to by reading its files: doors and rooms, one idea a file, imports that run one way.

What one event costs stands in `test_budget.py`.
"""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import fc_callback
from fc_callback.building.package import NOT_IN_THE_CLOUD

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fc_callback"
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py") if "_templates" not in path.parts}
TREES = {file: ast.parse(path.read_text("utf-8")) for file, path in FILES.items()}
MODULES = {
    f"fc_callback/{file}".removesuffix(".py").removesuffix("/__init__").replace("/", "."): file for file in FILES
}

# Doors and rooms, from the ground up: each imports only what stands before it.
IN_THE_CLOUD = [
    "_lazy", "errors", "settings", "values", "redaction", "transport", "payload", "events", "sealing",
    "cloudflow", "idempotency", "metrics", "callback", "initializer", "middleware", "parser", "otel", "logs", "runtime",
]  # fmt: skip
ON_PEOPLES_MACHINES = [
    "flows", "local", "testing", "project", "checking", "building", "scaffolding", "workspace", "cli", "__main__",
]  # fmt: skip
RANKS = {name: rank for rank, name in enumerate(["fc_callback", *IN_THE_CLOUD, *ON_PEOPLES_MACHINES])}
STRANGERS = {("building", "checking"), ("checking", "building"), ("idempotency", "cloudflow"), ("flows", "cloudflow")}

# Files that may import a package.
DESKS = tuple(f"{room}/" for room in ON_PEOPLES_MACHINES)
PACKAGES = {
    "pydantic pydantic_core": ("payload/", "events/"),
    "requests urllib3 httpx aiohttp": (
        "cloudflow/transport.py",
        "cloudflow/pools.py",
        "cloudflow/network_errors.py",
        "runtime/",
    ),
    "yaml starlette uvicorn jinja2 typer rich click packaging lark watchdog pytest hypothesis": DESKS,
}
# What does no I/O, waits for nothing and logs nothing.
PURE = (
    "errors.py", "transport.py", "values/base.py", "values/masked.py", "values/token.py", "events/", "flows/", "callback/outcome.py",
    "payload/annotations.py", "payload/arguments.py", "payload/signatures.py", "payload/output.py", "payload/paths.py", "payload/problems.py",
    "payload/schemas.py", "cloudflow/endpoints.py", "cloudflow/errors.py", "cloudflow/request.py", "cloudflow/retry.py",
    "cloudflow/signature.py",
)  # fmt: skip
IMPURE = {
    "asyncio", "http", "logging", "os", "pathlib", "requests", "socket", "ssl", "subprocess", "threading", "time", "urllib3",
}  # fmt: skip


def imported_by(file: str) -> set[str]:
    """Modules that a file imports, inside functions and for type checkers too."""
    found: set[str] = set()
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} line {node.lineno}: a relative import"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else str(node.module) for name in full}
            # Names that the package's face loads when they are asked for would hide where they come from.
            assert node.module != "fc_callback" or full <= {*MODULES, "fc_callback.__version__"}, f"{file}: {full}"
    return found


IMPORTS = {module: imported_by(file) for module, file in MODULES.items()}
# The face is exempt: it names everything, and loads nothing until a name is asked for.
OWN_IMPORTS = {module: names & set(MODULES) for module, names in IMPORTS.items() if module != "fc_callback"}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def roots(module: str) -> set[str]:
    return {name.partition(".")[0] for name in IMPORTS[module]}


# Doors at the top, rooms in folders


def test_what_stands_at_the_top_is_a_documented_door() -> None:
    pages = "\n".join(page.read_text("utf-8") for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    home = {name: getattr(getattr(fc_callback, name), "__module__", "") for name in fc_callback.__all__}
    doors = [file.removesuffix(".py") for file in FILES if "/" not in file and not file.startswith("_")]
    ways_in = {door: [door, *(name for name in home if home[name] == f"fc_callback.{door}")] for door in doors}
    assert len(doors) > 5
    assert [
        door for door in doors if not re.search(rf"fc_callback(\.|.* import .*\b)({'|'.join(ways_in[door])})\b", pages)
    ] == []


def test_everything_else_stands_in_a_folder_that_says_what_it_holds() -> None:
    assert [file for file in FILES if file.count("/") > 1] == []
    said = {file: ast.get_docstring(tree) or "" for file, tree in TREES.items() if file.endswith("/__init__.py")}
    assert {file.partition("/")[0] for file in said} == {file.partition("/")[0] for file in FILES if "/" in file}
    assert [file for file, text in said.items() if not text.partition("\n")[0].endswith(".")] == []


# One idea a file


def test_a_file_is_read_in_one_sitting() -> None:
    lines = {file: len(path.read_text("utf-8").splitlines()) for file, path in FILES.items()}
    del lines["runtime/worker.py"]  # one script that must stand alone
    assert {file: count for file, count in lines.items() if count > 350} == {}


# Imports run one way


def test_a_room_imports_only_what_stands_before_it() -> None:
    edges = {(room_of(module), room_of(name)) for module, names in OWN_IMPORTS.items() for name in names}
    assert {(room, other) for room, other in edges if RANKS[other] > RANKS[room]} | (edges & STRANGERS) == set()


def test_no_files_import_each_other_in_a_circle() -> None:
    TopologicalSorter(OWN_IMPORTS).prepare()


def test_the_signer_and_the_checker_of_signatures_are_one_code() -> None:
    assert "fc_callback.cloudflow.signature" in IMPORTS["fc_callback.local.authentication"]


# What runs in the cloud, and what may be imported where


def test_a_build_leaves_out_every_room_that_stays_on_people_s_machines() -> None:
    assert set(NOT_IN_THE_CLOUD) == {*ON_PEOPLES_MACHINES, "_templates"} - {"__main__"}


def test_what_runs_in_the_cloud_imports_nothing_that_stays_on_people_s_machines() -> None:
    cloud = {module: names for module, names in OWN_IMPORTS.items() if room_of(module) in IN_THE_CLOUD}
    assert {"callback.decorator", "cloudflow.client", "payload.output"} <= {
        module[len("fc_callback.") :] for module in cloud
    }
    assert [(module, name) for module in cloud for name in cloud[module] if room_of(name) in ON_PEOPLES_MACHINES] == []


def test_a_package_is_imported_where_it_belongs() -> None:
    wrong = [
        (file, package)
        for packages, allowed in PACKAGES.items()
        for module, file in MODULES.items()
        for package in roots(module) & set(packages.split())
        if not file.startswith(allowed)
    ]
    assert wrong == []


def test_yaml_is_read_in_three_places() -> None:
    readers = {room_of(module) for module in IMPORTS if "yaml" in roots(module)}
    assert readers <= {"flows", "project", "scaffolding"}


def test_values_and_pure_parts_do_no_io() -> None:
    pure = {module for module, file in MODULES.items() if file.startswith(PURE)}
    assert all(any(file.startswith(part) for file in FILES) for part in PURE)
    assert [(module, roots(module) & IMPURE) for module in pure if roots(module) & IMPURE] == []


def test_signatures_are_made_of_the_standard_library_s_mathematics() -> None:
    mathematics = {"__future__", "base64", "collections", "hashlib", "hmac", "typing", "urllib"}
    assert roots("fc_callback.cloudflow.signature") <= mathematics
