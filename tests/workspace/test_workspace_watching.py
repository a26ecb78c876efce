"""Which changes of files are told."""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING

import pytest
from watchdog.observers import Observer

from fc_callback.local import LocalCloudFlow
from fc_callback.workspace import Workspace
from fc_callback.workspace.watching import FileWatcher
from tests.local.raw_client import until
from tests.workspace.projects import write_orders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Told = list[frozenset["Path"]]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    """The changes below `tmp_path`, whose folder `code` is watched with its subfolders."""
    changes: Told = []
    (tmp_path / "code" / "deep").mkdir(parents=True)
    watcher = FileWatcher(changes.append)
    watcher.start()
    watcher.watch({tmp_path: False, tmp_path / "code": True})
    yield changes
    watcher.stop()


@pytest.mark.parametrize("name", ["s.yaml", ".env", "code/index.py", "code/deep/rules.txt"])
def test_a_change_of_a_source_is_told(tmp_path: Path, told: Told, name: str) -> None:
    (tmp_path / name).write_text("new")

    until(lambda: any(tmp_path / name in changed for changed in told))


@pytest.mark.parametrize(
    "name", ["notes.txt", "local.db-wal", "code/x.pyc", "code/.index.py.swp", "code/run.log", "code/index.py~"]
)
def test_what_no_person_edits_is_not_told(tmp_path: Path, told: Told, name: str) -> None:
    (tmp_path / name).write_text("new")
    (tmp_path / "code/last.py").write_text("new")

    until(lambda: any(tmp_path / "code/last.py" in changed for changed in told))
    assert not any(tmp_path / name in changed for changed in told)


def test_reading_a_file_is_not_told(tmp_path: Path, told: Told) -> None:
    (tmp_path / "code/index.py").write_text("new")
    until(lambda: bool(told))
    time.sleep(0.6)  # longer than changes are collected
    told.clear()

    (tmp_path / "code/index.py").read_text()
    (tmp_path / "code/last.py").write_text("new")
    until(lambda: bool(told))

    assert told == [frozenset({tmp_path / "code/last.py"})]


def test_an_editor_that_replaces_a_file_is_told(tmp_path: Path, told: Told) -> None:
    (tmp_path / "code/.index.tmp").write_text("new")
    (tmp_path / "code/.index.tmp").replace(tmp_path / "code/index.py")

    until(lambda: any(tmp_path / "code/index.py" in changed for changed in told))


def test_a_folder_that_cannot_be_watched_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    write_orders(tmp_path)
    monkeypatch.setattr(Observer, "schedule", refuse)
    lines: list[str] = []
    with LocalCloudFlow() as service, Workspace(service, tmp_path / "s.yaml", say=lines.append) as workspace:
        workspace._follow(frozenset())
        assert service.functions == ("price", "pay")

    assert [line for line in lines if "cannot be watched" in line and "price" in line] == [
        f"{tmp_path.resolve()}/price cannot be watched. Start the command again after an edit there."
    ]
