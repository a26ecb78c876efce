"""An index that is a folder, and the installers."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.parts import need, skip_or_fail

UV = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


def use_installer(name: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the builds of a test find uv on PATH, or not."""
    folder.mkdir(parents=True)
    # Without the folders of other Pythons: bytecode is made by this one, or by none.
    others = [each for each in os.environ.get("PATH", "").split(os.pathsep) if not (Path(each) / "uv").exists()]
    here = [each for each in others if not list(Path(each).glob("python3.1[0-9]"))]
    if name == "uv":
        need("uv")
        (folder / "uv").symlink_to(str(UV))
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), *here]))


@pytest.fixture
def installer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The installer of the test's builds: the faster one that is there, or the one that `both` asks for."""
    name: str = getattr(request, "param", "uv" if UV else "pip")
    use_installer(name, monkeypatch, tmp_path / "commands")
    return name


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place that an installer looks in."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@pytest.fixture(scope="session")
def git() -> str:
    """The folder of the command git."""
    found = shutil.which("git")
    if found is None:
        skip_or_fail("git is missing.")
    return str(Path(str(found)).parent)
