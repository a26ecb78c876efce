"""Report the files that change. The threads sleep until the operating system tells of a change."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import ObservedWatch

# Not the opening of a file, which each start of a function does, and not a folder that only has new content.
_CHANGES: list[type[FileSystemEvent]] = [
    *(FileCreatedEvent, FileModifiedEvent, FileMovedEvent, FileDeletedEvent),
    *(DirCreatedEvent, DirMovedEvent, DirDeletedEvent),
]
# An editor writes a file in several steps, and a checkout writes several files.
_QUIET_SECONDS = 0.1
_LONGEST_SECONDS = 0.5
_NOT_SOURCES = {"__pycache__", "node_modules"}
# What Python, editors, SQLite and the function itself write while no person edits.
_NOT_SOURCE_ENDS = (".pyc", "~", ".tmp", ".log", ".db", ".sqlite", ".sqlite3", "-journal", "-wal", "-shm")
# What is read of a folder that holds no code.
_PROJECT_FILES = {".yaml", ".yml", ".json", ".env"}


@attrs.frozen
class _Watched:
    """A folder that is watched; one that is made again under its name is another one."""

    deep: bool
    device: int
    inode: int


def _watched(folder: Path, *, deep: bool) -> _Watched:
    try:
        found = folder.stat()
    except OSError:  # removed meanwhile
        return _Watched(deep, 0, 0)
    return _Watched(deep, found.st_dev, found.st_ino)


class FileWatcher(FileSystemEventHandler):
    """Calls `on_change` with the paths that have changed, in a thread of its own.

    Hidden files and folders except `.env`, and what Python, editors and databases write, are ignored.
    """

    def __init__(self, on_change: Callable[[frozenset[Path]], None]) -> None:
        self._on_change = on_change
        self._observer = Observer()
        self._watches: dict[Path, tuple[_Watched, ObservedWatch]] = {}
        self._changed: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="project-changes", daemon=True)

    def start(self) -> None:
        """Start to watch."""
        self._observer.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop; `on_change` is not called any more when this has returned."""
        self._observer.stop()
        self._observer.join()
        self._changed.put(None)
        self._thread.join()

    def watch(self, folders: Mapping[Path, bool]) -> list[Path]:
        """Watch these folders instead of the former ones; return those that the operating system does not let us watch.

        Args:
            folders: True for a folder that is watched with its subfolders.
        """
        wanted = {
            folder: _watched(folder, deep=deep)
            for folder, deep in folders.items()
            if not any(folders.get(parent) for parent in folder.parents)  # watched already
        }
        for folder, (known, observed) in list(self._watches.items()):
            if wanted.get(folder) != known:
                self._observer.unschedule(observed)
                del self._watches[folder]
        return [folder for folder in wanted.keys() - self._watches.keys() if not self._schedule(folder, wanted[folder])]

    def _schedule(self, folder: Path, wanted: _Watched) -> bool:
        try:
            observed = self._observer.schedule(self, str(folder), recursive=wanted.deep, event_filter=_CHANGES)
        except OSError:  # like the limit of inotify watches
            return False
        self._watches[folder] = wanted, observed
        return True

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note the paths of a change; called in a thread of the observer."""
        for given in (event.src_path, event.dest_path):
            path = Path(os.fsdecode(given)) if given else None
            if path is not None and self._is_source(path, is_folder=event.is_directory):
                self._changed.put(path)

    def _is_source(self, path: Path, *, is_folder: bool) -> bool:
        watches = self._watches.copy()  # another thread changes it
        around = [folder for folder in watches if folder in path.parents]
        folder = max(around, key=lambda one: len(one.parts), default=None)
        if folder is None:
            return False
        parts = path.relative_to(folder).parts
        hidden = any(part in _NOT_SOURCES or (part.startswith(".") and part != ".env") for part in parts)
        if hidden or path.name.endswith(_NOT_SOURCE_ENDS):
            return False
        deep = any(watches[one][0].deep for one in around)
        return deep or is_folder or (path.suffix or path.name) in _PROJECT_FILES

    def _run(self) -> None:
        while (path := self._changed.get()) is not None:
            changed, until = {path}, time.monotonic() + _LONGEST_SECONDS
            with contextlib.suppress(queue.Empty):
                while time.monotonic() < until:
                    more = self._changed.get(timeout=_QUIET_SECONDS)
                    if more is None:
                        return
                    changed.add(more)
            self._on_change(frozenset(changed))
