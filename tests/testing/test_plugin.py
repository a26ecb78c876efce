"""The plugin as pytest loads it, in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=False)


def test_the_fixtures_come_with_the_installation(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        """
def test_a(local_cloudflow, fc_context):
    local_cloudflow.new_task({"orderId": 1}).assert_waiting()
"""
    )

    ran = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error")

    assert "1 passed" in ran.stdout, ran.stdout


def test_without_the_extra_a_test_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import sys\nsys.modules['starlette'] = None\n")
    (tmp_path / "test_mine.py").write_text("def test_a(local_cloudflow): ...\n")

    ran = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider")

    assert "pip install 'fc-callback[local]'" in ran.stdout, ran.stdout


@pytest.mark.parametrize("name", ["fc_callback.local:LocalCloudFlow", "fc_callback.testing:TaskCloudFlow"])
def test_without_the_extra_an_import_says_what_to_install(tmp_path: Path, name: str) -> None:
    module, _, imported = name.partition(":")

    ran = run(tmp_path, "-c", f"import sys; sys.modules['yaml'] = None; from {module} import {imported}")

    said = f"ModuleNotFoundError: {module} needs yaml, which is not installed: pip install 'fc-callback[local]'."
    assert ran.stderr.splitlines()[-1] == said


def test_pytest_starts_with_the_plugin_and_nothing_else_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        """
import sys
def test_a():
    loaded = sorted(name for name in sys.modules if name.split(".")[0] == "fc_callback")
    assert loaded == ["fc_callback", "fc_callback._lazy", "fc_callback.testing", "fc_callback.testing.plugin"]
"""
    )

    ran = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider")

    assert "1 passed" in ran.stdout, ran.stdout


def test_coverage_sees_the_whole_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        """
def test_a(fc_context):
    import fc_callback
    fc_context()
"""
    )

    (tmp_path / ".coveragerc").write_text("[report]\ninclude = */fc_callback/values/*\n")
    arguments = ["--cov=fc_callback", "--cov-report=term-missing", "-W", "error"]
    ran = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)

    assert "1 passed" in ran.stdout, ran.stdout
    lines = [line for line in ran.stdout.splitlines() if "fc_callback/values/masked.py" in line]
    assert lines, ran.stdout
    missing = lines[0].split(None, 4)[4]
    assert not missing.startswith(("1-", "1,", "3-")), "lines at module level were run before coverage began"
