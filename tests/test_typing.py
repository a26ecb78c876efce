"""Type checkers see through the decorators: `typing_cases.py`, read by mypy and by pyright."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.parts import need

ROOT = Path(__file__).parents[1]
CASES = Path(__file__).with_name("typing_cases.py")


def checked_by(tool: str, *arguments: str) -> str:
    need(tool)
    done = subprocess.run(
        [sys.executable, "-m", tool, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_mypy_sees_the_decorated_types() -> None:
    assert "Success" in checked_by("mypy", "--strict", "--warn-unused-ignores", str(CASES))


def test_pyright_agrees() -> None:
    """Strict; an ignore that is not needed is an error, as with mypy's."""
    settings = {
        "include": [str(CASES)],
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": "error",
        "enableTypeIgnoreComments": False,
        "pythonVersion": "3.10",
    }
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory) / "pyrightconfig.json"
        project.write_text(json.dumps(settings))
        assert "0 errors" in checked_by("pyright", "--pythonpath", sys.executable, "-p", str(project))
