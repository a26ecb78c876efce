"""What some tests need beside Python's packages: what is missing is said at the head of a run, and is a failure in the gate."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import attrs
import pytest

UWSGI = shutil.which("uwsgi", path=Path(sys.executable).parent)  # one on PATH may be built for another Python


@attrs.frozen
class Part:
    """Something that a machine has or lacks."""

    there: bool
    tests: str
    install: str


def _command(*names: str) -> bool:
    return all(shutil.which(name) for name in names)


def _package(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
PARTS = {
    "Chromium": Part(
        CHROMIUM is not None, "the console page and the documentation site in a browser", "apt-get install chromium"
    ),
    "redis-server": Part(_command("redis-server"), "the Redis store of `once`", "apt-get install redis-server"),
    "Node and npm": Part(_command("node", "npm"), "templates through the real `s`", "apt-get install nodejs npm"),
    "uWSGI": Part(UWSGI is not None, "serving under uWSGI", "pip install uwsgi, which takes a C compiler"),
    "hatchling": Part(
        _package("hatchling") and _package("hatch_fancy_pypi_readme"),
        "what the distributions hold",
        "pip install '.[test]'",
    ),
    "uv": Part(
        _command("uv") or (Path(sys.executable).parent / "uv").is_file(), "`build` through uv", "pip install uv"
    ),
    "Sphinx": Part(
        all(_package(name) for name in ("sphinx", "myst_parser", "furo")),
        "the documentation site",
        "pip install '.[docs]'",
    ),
    "web frameworks": Part(
        all(_package(name) for name in ("a2wsgi", "fastapi", "flask")),
        "the page on web frameworks",
        "pip install '.[test]'",
    ),
    "mypy": Part(_package("mypy"), "the types that mypy sees", "pip install '.[dev]'"),
    "pyright": Part(_package("pyright"), "the types that pyright sees", "pip install '.[dev]'"),
}


def missing_parts() -> list[str]:
    """Return a line for each part that this machine lacks."""
    return [
        f"{name} is missing: {part.tests} will be skipped ({part.install})"
        for name, part in PARTS.items()
        if not part.there
    ]


def need(name: str) -> None:
    """Skip the test that needs a missing part, or fail where CI is set."""
    if not PARTS[name].there:
        skip_or_fail(f"{name} is missing: {PARTS[name].install}")


def skip_or_fail(reason: str) -> None:
    """Skip the test, or fail where CI is set: the gate must not pass without it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
