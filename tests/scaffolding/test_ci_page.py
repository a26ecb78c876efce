"""The script of the page about CI: it tests, checks and builds a new project, and gives `s` the keys of the job."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import run_command
from tests.parts import need

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "ci.md").read_text("utf-8")
(SCRIPT,) = re.findall(r"<!-- file: ci\.sh -->\n\n```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
KEYS = {
    "ALIBABA_CLOUD_ACCOUNT_ID": "1234567890123456",
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "the-id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "a+b/c=",
}


def run_script(script: str, folder: Path, commands: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script with this Python's commands, and with those of a folder before them."""
    path = os.pathsep.join((str(commands), str(Path(sys.executable).parent), os.environ["PATH"]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ALIBABA_CLOUD_", "PYTEST_"))}
    return subprocess.run(
        ["sh", "-c", script, "ci.sh"],
        cwd=folder,
        env={**kept, **variables, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.timeout(300)  # dependencies are downloaded
def test_the_script_tests_checks_and_builds_a_new_project(wheel: Path, tmp_path: Path) -> None:
    need("mypy")
    need("uv")
    project = tmp_path / "orders"
    account = "accountId=1234567890123456"
    made = run_command("new", "event-callback", str(project), "--set", account, "--fc-callback", str(wheel))
    assert made.returncode == 0, made.stderr

    # The requirements are installed here already, and other tests use them: pip only looks.
    ran = run_script(SCRIPT, project, tmp_path, PIP_DRY_RUN="1", PYTHONDONTWRITEBYTECODE="1")

    assert ran.returncode == 0, ran.stdout
    assert re.search(r"\d+ passed", ran.stdout)
    assert "Nothing found." in ran.stdout
    assert (project / "code" / "python" / "pydantic").is_dir()


@pytest.mark.parametrize("token", ["the-token", ""])
def test_s_gets_the_keys_of_the_job_with_their_security_token_if_there_is_one(tmp_path: Path, token: str) -> None:
    deploying = SCRIPT.partition("|| exit 0\n")[2].rpartition("python -m pytest smoke")[0]
    command = tmp_path / "s"
    command.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >> called\nprintf %s "$ci_serverless_devs_key" > given\n')
    command.chmod(0o755)

    ran = run_script(f"set -eu\n{deploying}", tmp_path, tmp_path, **KEYS, ALIBABA_CLOUD_SECURITY_TOKEN=token)

    assert ran.returncode == 0, ran.stdout
    assert json.loads((tmp_path / "given").read_text()) == {
        "AccountID": "1234567890123456",
        "AccessKeyID": "the-id",
        "AccessKeySecret": "a+b/c=",
        **({"SecurityToken": token} if token else {}),
    }
    assert (tmp_path / "called").read_text().splitlines() == [
        "deploy -t s.yaml -a ci_serverless_devs_key -y",
        "deploy -t s.flow.yaml -a ci_serverless_devs_key -y",
    ]
