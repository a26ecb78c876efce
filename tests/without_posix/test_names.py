"""Names that Windows lacks stand only where the package has made sure that they are there."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.without_posix.lacking import PACKAGE, WINDOWS, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# `fc_callback.runtime.function` refuses a function in a process of its own on Windows, so what starts one does not run there.
IN_PROCESSES_OF_FUNCTIONS = {
    "runtime/process.py": {
        "os.P_PID", "os.WEXITED", "os.WNOHANG", "os.WNOWAIT", "os.waitid", "os.killpg", "os.set_blocking", "signal.SIGKILL",
        "pass_fds=", "start_new_session=",
    },
    "runtime/served.py": {"import resource"},
    "runtime/worker.py": {
        "import fcntl", "import resource", "os.O_ASYNC", "os.O_NONBLOCK", "os.getpgrp", "os.killpg", "signal.SIGKILL",
    },
}  # fmt: skip
# Each of these asks with hasattr first, or has no effect on Windows.
ASKED_BEFORE = {
    "checking/importing.py": {"os.killpg", "signal.SIGKILL", "start_new_session="},
    "idempotency/redis.py": {"socket.AF_UNIX"},
    "runtime/end_signals.py": {"signal.SIGHUP"},
    "runtime/function.py": {"os.killpg"},
    "scaffolding/file_changes.py": {"/dev/null"},  # what a diff calls the text before a new file
    "values/forks.py": {"os.register_at_fork"},
}
LACKING = names_of(WINDOWS)
MODULES = set(LACKING.pop("modules"))
ARGUMENTS = {"pass_fds", "preexec_fn", "start_new_session", "process_group"}
# hasattr asks for the call itself. The name of the system would make the tests of this folder test nothing.
SYSTEMS = {"os.name", "sys.platform", "platform.system"}
FOLDERS_OF_POSIX = re.compile(r"/(dev|etc|proc|tmp)(/|$)")


def needing_posix(code: str) -> Iterator[str]:
    """Yield what in a file Windows lacks: names, modules, arguments of subprocess, and paths."""
    tree = ast.parse(code)
    aliases = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"import {alias.name}" for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            yield from [f"import {node.module}"] if node.module in MODULES else []
            yield from _lacking(str(node.module), [alias.name for alias in node.names])
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield from _lacking(aliases.get(node.value.id, ""), [node.attr])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"hasattr", "getattr"}:
            module, name, *_ = (*map(ast.unparse, node.args), "", "")
            yield from _lacking(aliases.get(module, ""), [name.strip("'")])
        elif isinstance(node, ast.keyword) and node.arg in ARGUMENTS:
            yield f"{node.arg}="
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and FOLDERS_OF_POSIX.match(node.value):
            yield node.value


def _lacking(module: str, names: list[str]) -> Iterator[str]:
    for name in names:
        if name in LACKING.get(module, ()) or f"{module}.{name}" in SYSTEMS:
            yield f"{module}.{name}"


def test_what_windows_lacks_stands_only_where_it_is_known_to_be_there() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): set(needing_posix(path.read_text("utf-8")))
        for path in PACKAGE.rglob("*.py")
        if "_templates" not in path.parts
    }
    assert len(found) > 200
    assert {file: names for file, names in found.items() if names} == IN_PROCESSES_OF_FUNCTIONS | ASKED_BEFORE


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import os as system\nsystem.fork()", ["os.fork"]),
        ("from os import getuid", ["os.getuid"]),
        ("def f():\n    import fcntl", ["import fcntl"]),
        ("from pwd import getpwuid", ["import pwd"]),
        ("import os\nif hasattr(os, 'fork'): ...", ["os.fork"]),
        ("import subprocess\nsubprocess.run([], preexec_fn=None)", ["preexec_fn="]),
        ("open('/dev/null')", ["/dev/null"]),
        ("import sys\nsys.platform == 'win32'", ["sys.platform"]),
        ("import os, signal\nos.replace('/code/a', 'b'), signal.SIGTERM", []),
    ],
)
def test_each_way_to_need_posix_is_found(code: str, found: list[str]) -> None:
    assert list(needing_posix(code)) == found


def test_what_belongs_to_a_project_is_written_with_its_own_line_ends() -> None:
    """Windows would write another line end for each one, in files that Linux and `s` read."""
    wrong = [
        f"{path.name}:{node.lineno}"
        for path in (PACKAGE / "scaffolding").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "write_text"
        if "newline" not in {keyword.arg for keyword in node.keywords}
    ]
    assert wrong == []
