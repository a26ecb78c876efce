"""Packages that come as a source: built and taken when the wheel loads on FC, refused with a name when not."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fc_callback.building import BuildError, build_project
from fc_callback.project.wheels import TargetPlatform
from tests.building.conftest import UV
from tests.building.wheels import installed, make_project, make_sdist, make_source, make_wheel
from tests.parts import need

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "cp39-cp39-linux_x86_64"  # neither this Python nor FC's

pytestmark = pytest.mark.usefixtures("installer")
both = pytest.mark.parametrize("installer", ["uv", "pip"], indirect=True)


@both
def test_a_package_that_has_only_a_source_is_built(index: Path, tmp_path: Path) -> None:
    make_sdist(index, "only", version="1.0")
    make_sdist(index, "only", version="2.0", requires=("deep",))
    make_sdist(index, "deep")
    project = make_project(tmp_path / "project", "only\n")

    build_project(project)

    assert installed(project) == {"only": "2.0", "deep": "1.0"}


@both
def test_a_source_that_a_dependency_needs_is_built_in_the_version_that_it_needs(index: Path, tmp_path: Path) -> None:
    make_sdist(index, "only", version="1.0")
    make_sdist(index, "only", version="2.0")
    make_wheel(index, "top", requires=("only<2",))
    project = make_project(tmp_path / "project", "top\n")

    build_project(project)

    assert installed(project) == {"only": "1.0", "top": "1.0"}


@both
def test_an_older_version_is_not_taken_because_of_what_the_newest_needs(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "top", version="1.0")
    make_wheel(index, "top", version="2.0", requires=("only",))
    make_sdist(index, "only")
    project = make_project(tmp_path / "project", "top\n")

    build_project(project)

    assert installed(project) == {"only": "1.0", "top": "2.0"}


@both
def test_an_older_version_with_a_wheel_is_taken_before_a_source_and_that_is_said(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "mixed", version="1.0")
    make_sdist(index, "mixed", version="2.0")
    make_sdist(index, "mixed", version="3.0rc1")
    project = make_project(tmp_path / "project", "mixed\n")
    said: list[str] = []

    build_project(project, on_progress=said.append)

    assert installed(project) == {"mixed": "1.0"}
    assert [line for line in said if line.startswith("mixed is 1.0: 2.0 has no wheel")]


@both
def test_a_newer_version_that_the_requirements_exclude_is_not_told(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "mixed", version="1.0")
    make_sdist(index, "mixed", version="2.0")
    project = make_project(tmp_path / "project", "mixed<2\n")
    said: list[str] = []

    build_project(project, on_progress=said.append)

    assert not [line for line in said if "has no wheel" in line]


def test_a_source_is_built_where_the_requirements_name_its_very_version(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "mixed", version="1.0")
    make_sdist(index, "mixed", version="2.0")
    project = make_project(tmp_path / "project", "mixed==2.0\n")

    build_project(project)

    assert installed(project) == {"mixed": "2.0"}


@both
def test_a_source_with_code_for_another_machine_is_refused_with_its_name(index: Path, tmp_path: Path) -> None:
    make_sdist(index, "native", tag=OTHER)
    project = make_project(tmp_path / "project", "native\n")

    with pytest.raises(BuildError, match=r"native has no wheel for Linux x86_64 with CPython 3.10.*cp39-cp39"):
        build_project(project)

    assert sorted(path.name for path in project.iterdir()) == ["code", "s.yaml"]


@both
def test_a_source_that_cannot_be_built_is_told_with_the_installers_words_apart(
    index: Path, tmp_path: Path, installer: str
) -> None:
    tree = make_source(tmp_path / "broken", "broken")
    (tree / "backend.py").write_text("raise RuntimeError('no compiler here')\n")
    project = make_project(tmp_path / "project", "../../broken\n")

    with pytest.raises(BuildError) as caught:
        build_project(project)

    assert index.is_dir()
    assert "no compiler here" not in caught.value.summary
    assert "no compiler here" in caught.value.quotation
    assert f"{installer} says:\n  | " in str(caught.value)


@both
@pytest.mark.parametrize("line", ["-e ../lib[more]", "mylib @ {tree}"])
def test_a_local_package_is_installed_whole_not_as_a_link(index: Path, tmp_path: Path, line: str) -> None:
    make_wheel(index, "deep")
    tree = make_source(tmp_path / "project" / "lib", "mylib", requires=("deep",))
    project = make_project(tmp_path / "project", line.format(tree=tree.as_uri()) + "\n")

    build_project(project)

    assert installed(project) == {"mylib": "1.0", "deep": "1.0"}
    assert not list((project / "code" / "python").glob("*.pth"))


def test_a_change_in_a_local_package_is_in_the_next_build(index: Path, tmp_path: Path) -> None:
    tree = make_source(tmp_path / "lib", "mylib")
    project = make_project(tmp_path / "project", "-e ../../lib\n")
    build_project(project)
    (tree / "module.py").write_text("VERSION = 'changed'\n")

    (built,) = build_project(project)

    assert index.is_dir()
    assert not built.is_unchanged
    assert (project / "code" / "python" / "mylib" / "__init__.py").read_text() == "VERSION = 'changed'\n"


def test_a_source_tree_for_another_python_is_refused(index: Path, tmp_path: Path) -> None:
    make_source(tmp_path / "lib", "mylib", tag=OTHER)
    project = make_project(tmp_path / "project", "../../lib\n")

    with pytest.raises(BuildError, match=OTHER):
        build_project(project)

    assert index.is_dir()


@both
def test_a_package_of_a_repository_is_built(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git: str
) -> None:
    monkeypatch.setenv("PATH", git + os.pathsep + os.environ["PATH"])
    tree = make_source(tmp_path / "repository", "mylib")
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", *who, *arguments], cwd=tree, check=True, timeout=60)
    project = make_project(tmp_path / "project", f"-e git+{tree.as_uri()}@main#egg=mylib\n")

    build_project(project)

    assert index.is_dir()
    assert installed(project) == {"mylib": "1.0"}


@both
def test_hashes_are_checked_also_of_a_source_that_is_built(index: Path, tmp_path: Path) -> None:
    lines = ""
    for file in (make_wheel(index, "one"), make_sdist(index, "only")):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        lines += f"{file.name.partition('-')[0]}==1.0 \\\n    --hash=sha256:{digest}\n"
    project = make_project(tmp_path / "project", lines)

    build_project(project)

    assert installed(project) == {"one": "1.0", "only": "1.0"}


@both
@pytest.mark.parametrize("name", ["one", "only"])
def test_a_package_with_another_hash_is_refused(index: Path, tmp_path: Path, name: str) -> None:
    make_wheel(index, "one")
    make_sdist(index, "only")
    project = make_project(tmp_path / "project", f"{name}==1.0 --hash=sha256:{'0' * 64}\n")

    with pytest.raises(BuildError, match="another hash"):
        build_project(project)

    assert not (project / "code" / "python").exists()


def test_constraints_hold_for_the_functions_python(index: Path, tmp_path: Path) -> None:
    for version in ("1.0", "2.0", "3.0"):
        make_wheel(index, "one", version=version)
    project = make_project(tmp_path / "project", "-c limits.txt\none\n")
    (project / "code" / "limits.txt").write_text("one<2; python_version < '3.11'\none<3; python_version >= '3.11'\n")

    build_project(project)

    assert installed(project) == {"one": "1.0"}


def test_a_project_with_a_lock_of_poetry_gets_what_it_says_and_no_more(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "one", version="1.0", requires=("unlocked",))
    make_wheel(index, "one", version="2.0")
    project = make_project(tmp_path / "project", None)
    (project / "pyproject.toml").write_text("[project]\nname = 'orders'\ndependencies = ['one']\n")
    (project / "poetry.lock").write_text("[[package]]\nname = 'one'\nversion = '1.0'\nfiles = []\n")

    build_project(project)

    assert installed(project) == {"one": "1.0"}


def test_a_project_with_a_lock_of_uv_gets_what_it_says(index: Path, tmp_path: Path) -> None:
    need("uv")
    make_wheel(index, "one", version="1.0")
    make_sdist(index, "only")
    project = make_project(tmp_path / "project", None)
    tree = make_source(project / "lib", "mylib", requires=("only",))
    (tree / "pyproject.toml").write_text(
        (tree / "pyproject.toml").read_text() + "[project]\nname = 'mylib'\nversion = '1.0'\ndependencies = ['only']\n"
    )
    (project / "pyproject.toml").write_text(
        "[project]\nname = 'orders'\nversion = '0'\nrequires-python = '>=3.10'\ndependencies = ['one', 'mylib']\n"
        "[tool.uv.sources]\nmylib = {path = 'lib', editable = true}\n"
    )
    lock = [str(UV), "lock", "--quiet", "--python", sys.executable, "--no-index", "--find-links", str(index)]
    subprocess.run(lock, cwd=project, timeout=60, check=True)
    make_wheel(index, "one", version="2.0")

    build_project(project)

    assert installed(project) == {"one": "1.0", "mylib": "1.0", "only": "1.0"}


@both
def test_options_of_a_requirements_file_mean_the_same_to_both(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "one", version="1.0")
    make_wheel(index, "one", version="2.0rc1")
    make_wheel(index, "two", version="1.0")
    make_sdist(index, "two", version="1.0")
    options = "--pre\n--trusted-host example.org\n--prefer-binary\n--no-binary two\n"
    project = make_project(tmp_path / "project", options + "one\ntwo\n")

    build_project(project)

    assert installed(project) == {"one": "2.0rc1", "two": "1.0"}
    assert (project / "code" / "python" / "two" / "__init__.py").read_text() == "VERSION = '1.0'\n"


@both
def test_the_hashes_of_a_lock_are_checked_beside_a_local_package(index: Path, tmp_path: Path) -> None:
    one = hashlib.sha256(make_wheel(index, "one").read_bytes()).hexdigest()
    project = make_project(tmp_path / "project", None)
    make_source(project / "lib", "mylib")
    (project / "pyproject.toml").write_text("[project]\nname = 'orders'\ndependencies = ['one', 'mylib']\n")
    lock = (
        "[[package]]\nname = 'one'\nversion = '1.0'\nfiles = [{{file = 'one.whl', hash = 'sha256:{digest}'}}]\n"
        "[[package]]\nname = 'mylib'\nversion = '1.0'\nfiles = []\n[package.source]\ntype = 'directory'\nurl = 'lib'\n"
    )
    (project / "poetry.lock").write_text(lock.format(digest=one))
    build_project(project)
    assert installed(project) == {"one": "1.0", "mylib": "1.0"}
    (project / "poetry.lock").write_text(lock.format(digest="0" * 64))

    with pytest.raises(BuildError, match="another hash"):
        build_project(project)


def test_a_custom_runtime_gets_the_packages_of_its_python(index: Path, tmp_path: Path) -> None:
    for tag in ("cp310-cp310-manylinux_2_28_x86_64", "cp311-cp311-manylinux_2_36_x86_64"):
        make_wheel(index, "native", tag=tag)
    project = make_project(tmp_path / "project", "native\n", runtime="custom.debian12")

    (built,) = build_project(project)

    assert built.target == TargetPlatform(python=(3, 11), glibc=(2, 36))
    assert "cp311" in (project / "code" / "python" / "native" / "__init__.py").read_text()


@both
def test_what_was_compiled_here_for_a_newer_system_is_refused(index: Path, tmp_path: Path) -> None:
    tag = "cp310-cp310-linux_x86_64"
    make_wheel(index, "native", tag=tag, files={"native/_fast.cpython-310-x86_64-linux-gnu.so": "\x7fELF GLIBC_2.38"})
    project = make_project(tmp_path / "project", f"../../index/native-1.0-{tag}.whl\n")

    with pytest.raises(BuildError, match=r"native-1.0.*glibc 2.38"):
        build_project(project)
