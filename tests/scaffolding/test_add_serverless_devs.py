"""Projects made with `add`, through the real `s` of Serverless Devs, where Node is present."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback.project import read_project
from fc_callback.scaffolding import plan_addition
from tests.scaffolding.projects import ARN, HELLO_WORLD, make_project
from tests.scaffolding.test_add_manifest import MANIFESTS
from tests.scaffolding.test_serverless_devs import environment, s

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["environment", "s"]  # fixtures
pytestmark = pytest.mark.timeout(300)  # with npm's installation, on a machine that has none yet


# A project as public ones are, and the ways of writing that only `s` itself can say it reads.
@pytest.mark.parametrize("manifest", ["hello world", "JSON", "a shared environment", "a template and no props"])
@pytest.mark.usefixtures("s", "environment")
def test_s_preview_reads_what_add_has_written(manifest: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", {"hello world": HELLO_WORLD, **MANIFESTS}[manifest])
    before = preview(request, project)
    plan_addition(project, role=ARN).write()

    after = preview(request, project)

    (ours,) = read_project(project, environ={}).functions
    assert after["props"] == ours.props
    assert after["actions"] == {"pre-deploy": [{"run": "fc-callback build .", "path": "./"}]}
    variables = {**before["props"].get("environmentVariables", {}), "PYTHONPATH": "/code/python"}
    added = {"role": ARN, "timeout": ours.timeout_seconds, "environmentVariables": variables}
    hook = {"initializer": {"handler": "index.initialize", "timeout": 30}}
    assert after["props"] == {**before["props"], **added, "instanceLifecycleConfig": hook}


def preview(request: pytest.FixtureRequest, project: Path) -> dict[str, Any]:
    """Return the function of s.yaml as `s` reads it."""
    done = subprocess.run(
        [request.getfixturevalue("s"), "preview", "-t", "s.yaml", "-o", "json", "--silent"],
        env=request.getfixturevalue("environment"),
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    function: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])["resources"]["hello_world"]
    return function
