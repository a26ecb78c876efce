"""The command of the container template's image, run as it stands in the Dockerfile."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import requests

from fc_callback.scaffolding import render_template
from fc_callback.testing import TaskCloudFlow
from tests.building.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path


def command_of(dockerfile: Path) -> list[str]:
    (line,) = (line for line in dockerfile.read_text().splitlines() if line.startswith("CMD "))
    name, *arguments = json.loads(line.removeprefix("CMD "))
    assert name == "fc-callback"
    return [sys.executable, "-m", "fc_callback", *arguments]


def test_the_images_command_serves_a_task_of_a_flow(tmp_path: Path) -> None:
    render_template("custom-container", tmp_path / "job")
    code_dir = tmp_path / "job" / "code"
    with TaskCloudFlow() as service:
        task = service.new_task({"report": {"id": "r-1", "pages": 2}})
        process = subprocess.Popen(
            [*command_of(tmp_path / "job" / "Dockerfile"), "--port", "0"],
            cwd=code_dir,
            env={**os.environ, "CLOUDFLOW_ENDPOINT": service.endpoint},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            address = next(found.group() for line in process.stdout if (found := re.search(r"http://[\d.:]+\d", line)))
            key = service.session()
            headers = {
                "x-fc-request-id": "r",
                "x-fc-region": "cn-hangzhou",
                "x-fc-function-timeout": "7200",
                "x-fc-access-key-id": key.access_key_id,
                "x-fc-access-key-secret": key.access_key_secret,
                "x-fc-security-token": key.security_token or "",
            }
            initialized = requests.post(f"{address}/initialize", headers=headers, timeout=60)
            answer = requests.post(f"{address}/invoke", data=task.event, headers=headers, timeout=60)
        finally:
            process.terminate()
            process.communicate(timeout=30)

        assert (initialized.status_code, initialized.text) == (200, "")
        assert answer.headers.get("x-fc-status") != "404", answer.text
        task.assert_succeeded_with({"reportId": "r-1", "pages": 2})


def test_the_images_packages_come_from_the_wheel_in_the_project(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "mine", "fc_callback", version="0.1.0")
    render_template("custom-container", tmp_path / "job", fc_callback_requirement=str(wheel))
    image = tmp_path / "image"
    image.mkdir()
    steps = [line.split() for line in (tmp_path / "job" / "Dockerfile").read_text().splitlines()]
    copies = [step[1:] for step in steps if step[:1] == ["COPY"]]
    (install,) = (step for step in steps if step[:1] == ["RUN"])
    for sources, target in ((step[:-1], image / step[-1]) for step in copies[:1]):
        target.mkdir()
        for path in (path for pattern in sources for path in (tmp_path / "job").glob(pattern)):
            shutil.copytree(path, target, dirs_exist_ok=True) if path.is_dir() else shutil.copy(path, target)

    done = subprocess.run(
        [sys.executable, *install[2:], "--no-deps", "--no-index", "--target", str(tmp_path / "packages")],
        cwd=image,
        env={**os.environ, "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": "/dev/null"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "packages" / "fc_callback-0.1.0.dist-info").is_dir()
