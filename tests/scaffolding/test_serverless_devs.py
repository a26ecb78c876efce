"""Every template through the real `s` of Serverless Devs, where Node is present: `s init` and `s preview`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fc_callback.scaffolding import find_template, render_template, template_names
from tests.parts import need, skip_or_fail
from tests.wheel import CACHES, locked

VERSION = "3.1.10"
_PIPELINES = ("GITHUB", "GITLAB", "JENKINS", "PIPELINE", "CLOUDSHELL", "SERVERLESS_")
# With npm's installation, on a machine that has none yet.
pytestmark = pytest.mark.timeout(300)
VALUES = {"region": "cn-shanghai", "accountId": "1234567890123456", "flowName": "my-flow"}


@pytest.fixture(scope="session")
def s(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `s`, installed once into the user's cache; its own settings stay in a temporary directory."""
    need("Node and npm")
    with locked(CACHES / f"serverless-devs-{VERSION}") as folder:
        command = folder / "node_modules" / ".bin" / "s"
        if command.exists():
            return command
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"@serverless-devs/s@{VERSION}"],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    if done.returncode:
        skip_or_fail(f"npm cannot install @serverless-devs/s: {done.stderr[-300:]}")
    return command


@pytest.fixture(scope="session")
def environment(s: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    # With these, `s` believes that it runs in a pipeline, and behaves otherwise.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PIPELINES)}
    settings = {**kept, "serverless_devs_config_home": str(home), "HOME": str(home)}
    subprocess.run([s, "set", "analysis", "disable"], env=settings, capture_output=True, timeout=60, check=True)
    return settings


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", template_names())
def test_s_init_makes_the_same_bytes_as_new(name: str, s: Path, environment: dict[str, str], tmp_path: Path) -> None:
    template = find_template(name)
    values = {key: value for key, value in VALUES.items() if key in template.values({})}
    copy = tmp_path / "copy"  # `s init --uri` deletes the directory that it is given
    shutil.copytree(template.folder, copy, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache", "python"))
    made = tmp_path / "by-s"
    subprocess.run(
        [s, "init", "--uri", copy, "-d", made, "-y", "--parameters", json.dumps(values)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=True,
    )

    render_template(name, tmp_path / "by-new", values)

    assert files(made) == files(tmp_path / "by-new")


@pytest.mark.parametrize(
    ("name", "manifest"), [*((name, "s.yaml") for name in template_names()), ("event-callback", "s.flow.yaml")]
)
def test_s_preview_reads_what_we_read(
    name: str, manifest: str, s: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    from fc_callback.project import read_project

    project = tmp_path / "project"
    render_template(name, project, {"accountId": "1234567890123456"})
    done = subprocess.run(
        [s, "preview", "-t", manifest, "-o", "json", "--silent"],
        env=environment,
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    shown = json.loads(done.stdout[done.stdout.index("{") :])
    read = read_project(project, environ={})
    ours = read.functions if manifest == "s.yaml" else read.flow_resources

    assert {key: entry["props"] for key, entry in shown["resources"].items()} == {one.key: one.props for one in ours}
