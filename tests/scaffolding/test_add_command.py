"""`fc-callback add`: it shows what it would do, asks on a terminal, and says by its exit code whether something is left."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import run_command
from tests.cli.terminal import answer_at_terminal
from tests.scaffolding.projects import ARN, HELLO_WORLD, files_of, make_project

if TYPE_CHECKING:
    from pathlib import Path

SECOND = HELLO_WORLD.partition("resources:\n")[2].replace("hello_world", "second").replace("start-python", "two")
COMMAND = [sys.executable, "-m", "fc_callback", "add"]


def test_without_a_terminal_nothing_is_written_until_yes_is_given(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    before = files_of(root)

    ran = run_command("add", str(root), "--role", ARN)

    assert (ran.returncode, files_of(root)) == (2, before)
    assert "Add --yes" in ran.stderr
    assert "+        PYTHONPATH: /code/python" in ran.stdout
    assert '+@task_callback(on_failure="report")' in ran.stdout


def test_with_yes_it_writes_and_a_second_time_there_is_nothing_to_write(tmp_path: Path) -> None:
    root = make_project(tmp_path)

    first = run_command("add", str(root), "--role", ARN, "--yes")
    after = files_of(root)
    second = run_command("add", str(root), "--role", ARN)

    assert (first.returncode, second.returncode) == (0, 0)
    assert "The manifest as it was is in s.yaml.orig." in first.stdout
    assert second.stdout == "Nothing to write: start-python has what can be added.\n"
    assert files_of(root) == after


def test_a_step_that_is_left_to_the_person_is_told_and_makes_the_exit_code_1(tmp_path: Path) -> None:
    root = make_project(tmp_path, handler="handler = print\n")

    first, second = (run_command("add", str(root), "--role", ARN, "--yes") for _ in range(2))

    assert (first.returncode, second.returncode) == (1, 1)
    for ran in (first, second):
        assert "code/index.py: Decorate the handler handler." in ran.stdout
        assert "because it is not defined exactly once" in ran.stdout


@pytest.mark.parametrize(
    ("manifest", "options", "said"),
    [
        ("a: [", [], "s.yaml cannot be read"),
        (HELLO_WORLD + SECOND, ["--yes"], "--function with one of these names: hello_world, second"),
        (HELLO_WORLD, ["--role", "x/y"], "not the ARN of a role"),
        (HELLO_WORLD, ["--fc-callback", "missing.whl"], "missing.whl is neither a wheel"),
    ],
    ids=["manifest", "functions", "role", "wheel"],
)
def test_what_cannot_be_done_is_told_with_what_to_do(
    tmp_path: Path, manifest: str, options: list[str], said: str
) -> None:
    root = make_project(tmp_path, manifest)
    before = files_of(root)

    ran = run_command("add", str(root), *options)

    assert (ran.returncode, files_of(root)) == (2, before)
    assert said in ran.stderr


def test_the_diff_shows_no_secret_that_is_near_a_change(tmp_path: Path) -> None:
    secrets = (
        "      environmentVariables:\n        OSS_ACCESS_KEY_SECRET: q8J2kd9Fj3\n        DB_PASSWORD: hunter-2-x\n"
        "        PEM: |\n          MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n"
    )
    root = make_project(tmp_path, HELLO_WORLD + secrets)

    ran = run_command("add", str(root), "--role", ARN, "--yes")

    assert "DB_PASSWORD" in ran.stdout
    assert "q8J2kd9Fj3" not in ran.stdout + ran.stderr
    assert "hunter-2-x" not in ran.stdout + ran.stderr
    assert "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" not in ran.stdout + ran.stderr
    assert "q8J2kd9Fj3" in (root / "s.yaml").read_text()


def test_on_a_terminal_it_asks_which_function_and_whether_to_write(tmp_path: Path) -> None:
    root = make_project(tmp_path, HELLO_WORLD + SECOND)
    answers = {"Function: ": ["third", "2"], "Write these changes? [y/N]: ": ["y"]}

    code, said = answer_at_terminal([*COMMAND, str(root), "--role", ARN], answers)

    assert code == 0, said
    assert "There is no function 'third'" in said
    assert "flows/two.yaml" in files_of(root)


def test_on_a_terminal_no_is_the_default(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    before = files_of(root)

    code, said = answer_at_terminal([*COMMAND, str(root)], {"Write these changes? [y/N]: ": [""]})

    assert (code, files_of(root)) == (1, before)
    assert "Nothing was written." in said
