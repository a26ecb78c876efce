"""A package is the same bytes whenever and wherever it is built, and one that is as it was is not built again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fc_callback.building import build as building
from fc_callback.building import build_project
from fc_callback.building.package import STAMP_FILE
from fc_callback.project.wheels import TargetPlatform
from tests.building.conftest import use_installer
from tests.building.wheels import files_of, make_project, make_sdist, make_source, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("installer")
both = pytest.mark.parametrize("installer", ["uv", "pip"], indirect=True)
# The order inside a frozenset depends on the hash seed of the process that compiles.
MODULE = f"NAMES = 1 in {set(map(str, range(50)))!r}\ndef inner(x):\n    return x in {set('abcdefghij')!r}\n"


@pytest.fixture
def this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build for this Python in place of FC's, so that bytecode is made."""
    here = TargetPlatform(python=sys.version_info[:2], glibc=(2, 28))
    monkeypatch.setattr(building, "_target", lambda _functions: here)


def make_packages(index: Path) -> str:
    tag = "py3-none-any"
    make_wheel(index, "pure", tag=tag, files={"pure/sets.py": MODULE, "pure/data.bin": "x" * 100})
    make_wheel(index, "top", requires=("pure",))
    make_sdist(index, "only")
    return "top\nonly\n-e ./lib\n"


def make_whole_project(folder: Path, lines: str) -> Path:
    project = make_project(folder, lines)
    make_source(project / "code" / "lib", "mylib")
    return project


@both
@pytest.mark.usefixtures("this_python")
def test_two_builds_of_one_tree_are_byte_equal(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_packages(index)
    packages = []
    for seed, place in (("1", "one"), ("2", "another/longer/place")):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        project = make_project(tmp_path / place, "top\n")
        (built,) = build_project(project)
        assert built.compiled
        packages.append(files_of(project / "code" / "python"))

    assert f"pure/__pycache__/sets.{sys.implementation.cache_tag}.pyc" in packages[0]
    assert packages[0] == packages[1]


def test_both_installers_make_the_same_package(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = make_packages(index)
    packages = []
    for name in ("uv", "pip"):
        use_installer(name, monkeypatch, tmp_path / name / "commands")
        project = make_whole_project(tmp_path / name / "project", lines)
        build_project(project)
        packages.append(files_of(project / "code" / "python"))

    assert packages[0] == packages[1]


def test_files_have_one_date_and_the_same_permissions(index: Path, tmp_path: Path) -> None:
    previous = os.umask(0o077)
    try:
        make_wheel(index, "pure")
        project = make_project(tmp_path / "project", "pure\n")
        build_project(project)
    finally:
        os.umask(previous)

    stats = [path.stat() for path in (project / "code" / "python").rglob("*")]
    assert {each.st_mtime for each in stats} == {315532800}
    assert {each.st_mode & 0o777 for each in stats} == {0o755, 0o644}


def test_nothing_is_fetched_when_nothing_has_changed(index: Path, tmp_path: Path) -> None:
    project = make_whole_project(tmp_path / "project", make_packages(index))
    (first,) = build_project(project)
    before = files_of(project / "code" / "python")
    shutil.rmtree(index)  # a build that looked there would fail
    said: list[str] = []

    (second,) = build_project(project, on_progress=said.append)

    assert (first.is_unchanged, second.is_unchanged) == (False, True)
    assert files_of(project / "code" / "python") == before
    assert [line for line in said if "nothing is fetched" in line]


def test_bytecode_of_a_run_on_this_machine_does_not_change_the_package(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "pure")
    project = make_project(tmp_path / "project", "pure\n")
    build_project(project)
    folder = project / "code" / "python"
    before = files_of(folder)
    subprocess.run([sys.executable, "-c", "import pure"], env={"PYTHONPATH": str(folder)}, check=True, timeout=60)
    assert files_of(folder) != before

    (built,) = build_project(project)

    assert built.is_unchanged
    assert files_of(folder) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda code: (code / "requirements.txt").write_text("-r more.txt\n"),
        lambda code: (code / "more.txt").write_text("other\n"),
        lambda code: (code / "limits.txt").write_text("pure<2\n"),
        lambda code: (code / "lib" / "module.py").write_text("NEW = 1\n"),
        lambda code: (code / "python" / "pure" / "__init__.py").write_text("edited\n"),
        lambda code: (code / "python" / "pure" / "__init__.py").unlink(),
        lambda code: (code / "python" / STAMP_FILE).write_text("{}"),
        lambda code: shutil.rmtree(code / "python"),
    ],
    ids=["lines", "an include", "a constraint", "a local package", "an edit", "a lost file", "no stamp", "no package"],
)
def test_a_change_is_built(index: Path, tmp_path: Path, change: object) -> None:
    for name in ("pure", "other"):
        make_wheel(index, name)
    project = make_project(tmp_path / "project", "-r more.txt\n-c limits.txt\n./lib\n")
    code = project / "code"
    (code / "more.txt").write_text("pure\n")
    (code / "limits.txt").write_text("pure<9\n")
    make_source(code / "lib", "mylib")
    build_project(project)
    change(code)  # type: ignore[operator]

    (built,) = build_project(project)
    (again,) = build_project(project)

    assert (built.is_unchanged, again.is_unchanged) == (False, True)
    assert (code / "python" / STAMP_FILE).is_file()


def test_another_runtime_is_built(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "pure")
    project = make_project(tmp_path / "project", "pure\n", runtime="python3.10")
    build_project(project)
    manifest = (project / "s.yaml").read_text()
    (project / "s.yaml").write_text(manifest.replace("python3.10", "custom.debian10"))

    (same,) = build_project(project)
    (project / "s.yaml").write_text(manifest.replace("python3.10", "python3.12"))
    (other,) = build_project(project)

    assert (same.is_unchanged, other.is_unchanged) == (True, False)


def test_another_wheel_of_this_package_is_built(index: Path, tmp_path: Path) -> None:
    mine = make_wheel(tmp_path / "mine", "fc_callback", version="0.1.dev5")
    project = make_project(tmp_path / "project", "fc-callback>=0.1.dev1\n")
    assert index.is_dir()
    (first,) = build_project(project, fc_callback=str(mine))
    (second,) = build_project(project, fc_callback=str(mine))
    make_wheel(tmp_path / "mine", "fc_callback", version="0.1.dev5", files={"fc_callback/new.py": ""})

    (third,) = build_project(project, fc_callback=str(mine))

    assert [each.is_unchanged for each in (first, second, third)] == [False, True, False]
    assert (project / "code" / "python" / "fc_callback" / "new.py").is_file()
