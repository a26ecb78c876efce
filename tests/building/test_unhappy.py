"""Builds that fail, are killed, or run twice at once: the package is a whole one, and the reason is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from fc_callback.building import BuildError, build_project
from tests.building.wheels import files_of, installed, make_project, make_source, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("installer")
both = pytest.mark.parametrize("installer", ["uv", "pip"], indirect=True)


@pytest.fixture
def empty_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An index over HTTP that knows no package."""

    class NotFound(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), NotFound)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    set_index(monkeypatch, f"http://127.0.0.1:{server.server_port}/simple")
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    thread.join()
    server.server_close()


def set_index(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", url)


@both
@pytest.mark.usefixtures("empty_index")
def test_a_package_that_the_index_does_not_have_is_named(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "nowhere-at-all\n")

    with pytest.raises(BuildError, match=r"nowhere-at-all has no wheel .* or the index does not have it"):
        build_project(project)


@both
@pytest.mark.usefixtures("empty_index")
def test_where_this_package_is_not_on_the_index_the_way_out_is_named(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "fc-callback[seal]>=0.1,<1\n")

    with pytest.raises(BuildError, match="--fc-callback PATH"):
        build_project(project)


@both
def test_an_index_that_does_not_answer_is_not_taken_for_a_package_that_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_index(monkeypatch, "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    project = make_project(tmp_path / "project", "requests\n")

    with pytest.raises(BuildError, match="package index cannot be reached"):
        build_project(project)


@both
def test_a_persons_settings_for_environments_do_not_stop_a_build(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("UV_PYTHON", "3.99")
    make_wheel(index, "one")
    project = make_project(tmp_path / "project", "one\n")

    build_project(project)

    assert installed(project) == {"one": "1.0"}


def test_without_any_installer_the_way_to_one_is_named(tmp_path: Path, index: Path) -> None:
    project = make_project(tmp_path / "project", "x\n")
    make_wheel(index, "x")
    code = "import sys; from pathlib import Path; from fc_callback.building import build_project; build_project(Path(sys.argv[1]))"
    # A Python whose pip cannot be imported.
    (tmp_path / "without" / "pip").mkdir(parents=True)
    (tmp_path / "without" / "pip" / "__init__.py").write_text("raise ModuleNotFoundError('No module named pip')\n")

    done = subprocess.run(
        [sys.executable, "-c", code, str(project)],
        env={**os.environ, "PATH": "/nowhere", "PYTHONPATH": str(tmp_path / "without")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "There is no uv on PATH, and this Python has no pip." in done.stderr


def test_a_killed_build_leaves_the_old_package_and_the_next_build_is_whole(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "old")
    project = make_project(tmp_path / "project", "old\n")
    build_project(project)
    before = files_of(project / "code" / "python")
    tree = make_source(tmp_path / "slow", "slow")
    backend = (tree / "backend.py").read_text()
    wait = f"open({str(tmp_path / 'begun')!r}, 'w').write('begun')\nimport time; time.sleep(60)\n"
    (tree / "backend.py").write_text(backend.replace("    file = ", f"    exec({wait!r})\n    file = "))
    (project / "code" / "requirements.txt").write_text("../../slow\n")
    build = subprocess.Popen(
        [sys.executable, "-m", "fc_callback", "build", str(project)], start_new_session=True, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 60
        while not (tmp_path / "begun").exists() or (tmp_path / "begun").read_text() != "begun":
            assert build.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        os.killpg(build.pid, signal.SIGKILL)
        build.wait()

    assert files_of(project / "code" / "python") == before
    (tree / "backend.py").write_text(backend)
    build_project(project)
    assert installed(project) == {"slow": "1.0"}


def test_what_a_build_that_was_killed_long_ago_has_left_is_removed(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "one")
    project = make_project(tmp_path / "project", "one\n")
    left, running = project / ".fc-callback-build-old", project / ".fc-callback-build-new"
    (left / "python").mkdir(parents=True)
    running.mkdir()
    os.utime(left, (0, 0))

    build_project(project)

    assert (left.exists(), running.exists()) == (False, True)


def test_two_builds_at_once_leave_a_whole_package(index: Path, tmp_path: Path) -> None:
    for number in range(5):
        make_wheel(index, f"package{number}")
    lines = "".join(f"package{number}\n" for number in range(5))
    project = make_project(tmp_path / "project", lines)
    alone = make_project(tmp_path / "alone", lines)
    build_project(alone)
    command = [sys.executable, "-m", "fc_callback", "build", str(project)]

    builds = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(3)]
    told = [build.communicate(timeout=100)[0] for build in builds]

    assert [build.returncode for build in builds] == [0, 0, 0], told
    assert files_of(project / "code" / "python") == files_of(alone / "code" / "python")
    assert sorted(path.name for path in project.iterdir()) == ["code", "s.yaml"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_said(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "one")
    project = make_project(tmp_path / "project", "one\n")
    (project / "code").chmod(0o555)
    try:
        with pytest.raises(BuildError, match="cannot be written"):
            build_project(project)
    finally:
        (project / "code").chmod(0o755)


def test_a_file_system_that_refuses_is_said_as_a_build_error(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "one")
    project = make_project(tmp_path / "project", "one\n")
    (project / "code" / "requirements.txt").unlink()
    (project / "code" / "requirements.txt").symlink_to("/proc/self/mem")  # exists, and a read fails

    with pytest.raises(BuildError, match=r"requirements.txt cannot be read"):
        build_project(project)


def test_code_of_ones_own_in_the_place_of_the_dependencies_is_never_deleted(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "one")
    project = make_project(tmp_path / "project", "one\n")
    own = project / "code" / "python" / "work.py"
    own.parent.mkdir()
    own.write_text("x = 1\n")

    with pytest.raises(BuildError, match="holds files that no build has put there"):
        build_project(project)

    assert own.read_text() == "x = 1\n"


def test_a_module_of_the_code_that_hides_a_dependency_is_said(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "requests")
    make_wheel(index, "other")
    project = make_project(tmp_path / "project", "requests\nother\n")
    (project / "code" / "requests.py").write_text("")
    said: list[str] = []

    build_project(project, on_progress=said.append)

    assert [line for line in said if "hides" in line] == [
        "code/requests.py hides the dependency requests: FC finds the code first. Rename it, unless that is meant."
    ]


@pytest.mark.parametrize(
    ("runtime", "said"),
    [
        ("custom", "the Python of the runtime custom is 3.7"),
        ("go1", "the runtime go1 has no Python"),
        ("custom-container", "brings its own Python"),
    ],
)
def test_a_function_that_is_skipped_is_told_with_the_reason(tmp_path: Path, runtime: str, said: str) -> None:
    project = make_project(tmp_path / "project", "x\n", runtime=runtime)
    lines: list[str] = []

    assert build_project(project, on_progress=lines.append) == []
    assert said in lines[0]
