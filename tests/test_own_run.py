"""How these tests are run: in two workers, each test within a time limit, and whatever a test prints."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOME_TESTS = """
import logging, threading, pytest
from concurrent.futures import ThreadPoolExecutor

@pytest.fixture
def held():
    threading.Event().wait()

def test_hangs():
    threading.Event().wait()

def test_whose_fixture_hangs(held): ...

def test_hangs_again_when_it_is_ended():
    with ThreadPoolExecutor() as pool:
        pool.submit(threading.Event().wait).result()

def test_with_a_lone_surrogate():
    logging.getLogger().warning("logged \\ud800")
    print("printed \\ud800")
    raise ValueError("raised \\ud800")

def test_others(): ...
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of some tests that are run as the tests of this repository are run."""
    folder: Path = tmp_path_factory.mktemp("some")
    (folder / "test_some.py").write_text(SOME_TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-v", "-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest"]
    options = ["-p", "no:cacheprovider", "--rootdir", str(folder), "-o", "timeout=1.5", "-o", "faulthandler_timeout=4"]
    done = subprocess.run(
        [*command, *options, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    return done.stdout + done.stderr


NEEDING = """
from tests.parts import need

def test_with_redis():
    need("redis-server")
"""


@pytest.mark.parametrize(("ci", "told"), [("", "1 skipped"), ("true", "1 failed")])
def test_what_a_machine_lacks_is_told_at_the_head_of_the_run_and_is_a_failure_in_the_gate(
    tmp_path: Path, ci: str, told: str
) -> None:
    (tmp_path / "test_needing.py").write_text(NEEDING, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-n", "0", "-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest"]
    options = ["-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    environment = {**os.environ, "PATH": "/nowhere", "CI": ci}
    done = subprocess.run(
        [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    head, _, rest = done.stdout.partition("collected 1 item")
    assert "redis-server is missing: the Redis store of `once` will be skipped (apt-get install redis-server)" in head
    assert "Node and npm" in head
    assert told in rest


def test_what_a_killed_process_leaves_behind_is_in_a_folder_of_this_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    command = [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"]
    there = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    assert Path(there).is_relative_to(tmp_path_factory.getbasetemp())
    assert there == tempfile.gettempdir()


def test_a_test_that_hangs_ends_in_time_in_its_fixtures_too(said: str) -> None:
    ended = [line.split(" - ")[0] for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    assert {line.rpartition("::")[2].rstrip("'") for line in ended if "hangs" in line} == {
        "test_whose_fixture_hangs",
        "test_hangs",
        "test_hangs_again_when_it_is_ended",
    }
    assert said.count("Timeout (>1.5s)") >= 2
    assert "crashed while running 'test_some.py::test_hangs_again_when_it_is_ended'" in said


def test_what_cannot_be_encoded_in_what_a_test_logs_prints_and_raises_does_not_end_the_run(said: str) -> None:
    assert "logged \\ud800" in said
    assert "raised \\ud800" in said
    assert "created: 2/2 workers" in said
    assert "3 failed, 1 passed, 1 error" in said
