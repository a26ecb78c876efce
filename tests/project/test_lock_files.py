"""pyproject.toml, uv.lock and poetry.lock, read for the function's Python: what they name, with versions and hashes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fc_callback.project.lock_files import read_poetry_lock, read_uv_lock
from fc_callback.project.pyproject import poetry_specifier, read_pyproject
from fc_callback.project.wheels import TargetPlatform
from tests.building.conftest import UV
from tests.building.wheels import make_wheel
from tests.parts import need

if TYPE_CHECKING:
    from pathlib import Path

PYTHON_310 = TargetPlatform(python=(3, 10), glibc=(2, 28)).marker_environment
PYTHON_312 = TargetPlatform(python=(3, 12), glibc=(2, 31)).marker_environment


def without_hashes(lines: tuple[str, ...]) -> list[str]:
    return [line.partition(" --hash")[0] for line in lines if not line.startswith("-")]


def test_a_project_table_names_what_is_required(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname = 'x'\ndependencies = ['one>=1', \"old; python_version < '3.11'\", 'two[a] @ https://example.org/t.whl']\n"
        "[project.optional-dependencies]\nmore = ['never']\n[dependency-groups]\ndev = ['never']\n"
    )

    lines = read_pyproject(tmp_path / "pyproject.toml", PYTHON_310).lines
    assert [line.replace(" ", "") for line in lines] == ["one>=1", "old", "two[a]@https://example.org/t.whl"]
    assert "old" not in read_pyproject(tmp_path / "pyproject.toml", PYTHON_312).lines


def test_dependencies_that_only_a_build_knows_are_said(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\ndynamic = ['version', 'dependencies']\n")

    assert "dynamic" in read_pyproject(tmp_path / "pyproject.toml", PYTHON_310).problems[0]


def test_poetrys_own_table_names_what_is_required(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "pyproject.toml").write_text(
        "[tool.poetry.dependencies]\npython = '^3.10'\none = '^1.2'\ntwo = {version = '~2.1', extras = ['a']}\n"
        "old = {version = '*', python = '<3.11'}\nwindows = {version = '1', platform = 'win32'}\n"
        "never = {version = '1', optional = true}\nlib = {path = 'lib', develop = true}\n"
        "repo = {git = 'https://example.org/r.git', tag = 'v1'}\n"
        "[[tool.poetry.dependencies.split]]\nversion = '1'\nmarkers = \"python_version < '3.11'\"\n"
        "[[tool.poetry.dependencies.split]]\nversion = '2'\nmarkers = \"python_version >= '3.11'\"\n"
    )

    assert read_pyproject(tmp_path / "pyproject.toml", PYTHON_310).lines == (
        *(
            "one<2,>=1.2",
            "two[a]<2.2,>=2.1",
            "old",
            f"{tmp_path}/lib",
            "repo @ git+https://example.org/r.git@v1",
            "split==1",
        ),
    )


@pytest.mark.parametrize("environment", [{}, {"python_version": "3.10"}])
def test_where_little_is_known_of_the_python_nothing_is_left_out(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.poetry.dependencies]\none = {version = '1', python = '>=3.10', platform = 'linux'}\n"
    )

    assert read_pyproject(tmp_path / "pyproject.toml", environment).lines == ("one==1",)


@pytest.mark.parametrize(
    ("constraint", "taken", "refused"),
    [
        ("^1.2.3", "1.9", "2.0"),
        ("^0.2.3", "0.2.9", "0.3"),
        ("^0.0.3", "0.0.3", "0.0.4"),
        ("^1", "1.9", "2"),
        ("~1.2.3", "1.2.9", "1.3"),
        ("~1", "1.9", "2"),
        ("1.2", "1.2", "1.3"),
        ("1.*", "1.9", "2.0"),
        (">=1,<3", "2", "3"),
        (">=1 <3", "2", "3"),
        ("*", "9", None),
    ],
)
def test_a_constraint_of_poetry_is_a_range(constraint: str, taken: str, refused: str | None) -> None:
    assert poetry_specifier(constraint).contains(taken)
    assert refused is None or not poetry_specifier(constraint).contains(refused)


@pytest.fixture
def uv_project(tmp_path: Path) -> Path:
    """A project that the real uv has locked, from a folder of wheels."""
    need("uv")
    index, project = tmp_path / "index", tmp_path / "project"
    for name in ("never", "socks", "deep"):
        make_wheel(index, name)
    make_wheel(index, "split", version="1.0")
    make_wheel(index, "split", version="2.0")
    make_wheel(index, "top", requires=("deep", "socks; extra == 'proxy'"))
    (project / "lib" / "mylib").mkdir(parents=True)
    (project / "lib" / "pyproject.toml").write_text("[project]\nname = 'mylib'\nversion = '1'\n")
    (project / "pyproject.toml").write_text(
        "[project]\nname = 'orders'\nversion = '0'\nrequires-python = '>=3.10'\n"
        "dependencies = ['top[proxy]', 'mylib', \"split<2; python_version < '3.11'\", \"split>=2; python_version >= '3.11'\"]\n"
        "[dependency-groups]\ndev = ['never']\n[tool.uv.sources]\nmylib = {path = 'lib'}\n"
    )
    subprocess.run(
        [str(UV), "lock", "--quiet", "--python", sys.executable, "--no-index", "--find-links", str(index)],
        cwd=project,
        timeout=60,
        check=True,
    )
    return project


@pytest.mark.parametrize(("environment", "split"), [(PYTHON_310, "split==1.0"), (PYTHON_312, "split==2.0")])
def test_a_lock_of_uv_names_every_package_for_the_functions_python(
    uv_project: Path, environment: dict[str, str], split: str
) -> None:
    read = read_uv_lock(uv_project / "uv.lock", environment)

    assert without_hashes(read.lines) == [f"{uv_project}/lib", *("deep==1.0", "socks==1.0"), split, "top==1.0"]
    assert (read.is_complete, read.problems) == (True, ())
    assert f"--find-links {uv_project.parent}/index" in read.lines


def test_a_lock_that_is_older_than_its_pyproject_is_said(uv_project: Path) -> None:
    text = (uv_project / "pyproject.toml").read_text()
    (uv_project / "pyproject.toml").write_text(text.replace("'mylib', ", "'mylib', 'added', "))

    assert read_uv_lock(uv_project / "uv.lock", PYTHON_310).problems == (
        "uv.lock is older than pyproject.toml: it has no added. Lock the project again.",
    )


UV_LOCK = """
version = 1
requires-python = ">=3.10"
[[package]]
name = "orders"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "one" }, { name = "repo" }, { name = "zipped" }, { name = "private" }]
[[package]]
name = "one"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://example.org/one.tar.gz", hash = "sha256:bb", size = 1 }
wheels = [{ url = "https://example.org/one.whl", hash = "sha256:aa", size = 1 }]
[[package]]
name = "repo"
version = "1.0"
source = { git = "https://example.org/r.git?subdirectory=py&rev=main#0123abc" }
[[package]]
name = "zipped"
version = "1.0"
source = { url = "https://example.org/z.zip" }
sdist = { hash = "sha256:cc" }
[[package]]
name = "private"
version = "1.0"
source = { registry = "https://example.org/simple" }
wheels = [{ url = "https://example.org/p.whl", hash = "sha256:dd" }]
"""


def test_every_source_of_a_lock_of_uv_becomes_a_requirement(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'orders'\n")
    (tmp_path / "uv.lock").write_text(UV_LOCK)

    assert read_uv_lock(tmp_path / "uv.lock", PYTHON_310).lines == (
        "--extra-index-url https://example.org/simple",
        "one==1.0 --hash=sha256:aa --hash=sha256:bb",
        "private==1.0 --hash=sha256:dd",
        "repo @ git+https://example.org/r.git@0123abc#subdirectory=py",
        "zipped @ https://example.org/z.zip --hash=sha256:cc",
    )


POETRY_LOCK = """
[[package]]
name = "top"
version = "1.0"
optional = false
python-versions = ">=3.8"
files = [{file = "top.whl", hash = "sha256:aa"}, {file = "top.tar.gz", hash = "sha256:ab"}]
[package.dependencies]
deep = ">=1"
socks = {version = ">=1,<2", optional = true, markers = "extra == \\"proxy\\""}
old = {version = "*", markers = "python_version < \\"3.11\\""}
[package.extras]
proxy = ["socks (>=1,<2)"]
[[package]]
name = "deep"
version = "1.0"
files = [{file = "deep.whl", hash = "sha256:ac"}]
[[package]]
name = "socks"
version = "1.0"
files = [{file = "socks.whl", hash = "sha256:ad"}]
[[package]]
name = "old"
version = "1.0"
files = [{file = "old.whl", hash = "sha256:ae"}]
[[package]]
name = "never"
version = "1.0"
groups = ["dev"]
files = []
[[package]]
name = "split"
version = "1.0"
markers = "python_version < \\"3.11\\""
files = []
[[package]]
name = "split"
version = "2.0"
markers = "python_version >= \\"3.11\\""
files = []
[[package]]
name = "repo"
version = "1.0"
files = []
[package.source]
type = "git"
url = "https://example.org/r.git"
reference = "main"
resolved_reference = "0123abc"
[[package]]
name = "mylib"
version = "1.0"
files = []
[package.source]
type = "directory"
url = "lib"
[metadata]
lock-version = "2.1"
"""


@pytest.mark.parametrize(
    "pyproject",
    [
        "[project]\nname = 'x'\ndependencies = ['top[proxy]', 'split', 'repo', 'mylib']\n",
        (
            "[tool.poetry.dependencies]\npython = '^3.10'\ntop = {version = '^1', extras = ['proxy']}\nsplit = '*'\n"
            "repo = {git = 'https://example.org/r.git'}\nmylib = {path = 'lib'}\n"
        ),
    ],
)
def test_a_lock_of_poetry_names_every_package_for_the_functions_python(tmp_path: Path, pyproject: str) -> None:
    (tmp_path / "pyproject.toml").write_text(pyproject)
    (tmp_path / "poetry.lock").write_text(POETRY_LOCK)

    read = read_poetry_lock(tmp_path / "poetry.lock", PYTHON_310)

    assert (read.is_complete, read.problems) == (True, ())
    assert read.lines == (
        f"{tmp_path}/lib",
        "deep==1.0 --hash=sha256:ac",
        "old==1.0 --hash=sha256:ae",
        "repo @ git+https://example.org/r.git@0123abc",
        "socks==1.0 --hash=sha256:ad",
        "split==1.0",
        "top==1.0 --hash=sha256:aa --hash=sha256:ab",
    )
    newer = without_hashes(read_poetry_lock(tmp_path / "poetry.lock", PYTHON_312).lines)
    assert ("split==2.0" in newer, "old==1.0" in newer) == (True, False)


@pytest.mark.parametrize("text", ["not toml", "package = 1\n", "[[package]]\nversion = '1'\n"])
@pytest.mark.parametrize("read_lock", [read_uv_lock, read_poetry_lock])
def test_a_lock_in_another_form_is_said(tmp_path: Path, text: str, read_lock: object) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\ndependencies = ['one']\n")
    (tmp_path / "any.lock").write_text(text)

    assert read_lock(tmp_path / "any.lock", PYTHON_310).problems  # type: ignore[operator]
