"""Keep a local CloudFlow as the files of a project are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from fc_callback.errors import FcCallbackError
from fc_callback.local.api_errors import ApiError
from fc_callback.project.documents import relative_name
from fc_callback.project.reader import MANIFEST_NAMES, read_project
from fc_callback.workspace.plan import Plan, plan_project
from fc_callback.workspace.watching import FileWatcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fc_callback.local import LocalCloudFlow


def find_manifest(folder: Path) -> Path | None:
    """Return the s.yaml of a folder, or of the nearest folder above it; None if there is none."""
    each = folder.resolve()
    found = (one / name for one in (each, *each.parents) for name in MANIFEST_NAMES)
    return next((path for path in found if path.is_file()), None)


class Workspace:
    """The functions, MNS triggers and flows of a project on a running local CloudFlow.

    Inside a `with` block it follows the files: after an edit of a function's code the next invocation runs the new code,
    and s.yaml and the flows are read again. A part with a mistake stays as it was. A part that is removed from the
    project stays until the service ends.

    Args:
        service: The local CloudFlow.
        manifest: The s.yaml.
        say: Called with a line for a person, for each thing that is reloaded, wrong, or not possible here.
    """

    def __init__(self, service: LocalCloudFlow, manifest: Path, *, say: Callable[[str], None]) -> None:
        self._service = service
        self._manifest = manifest.resolve()
        self._root = self._manifest.parent
        self._say = say
        self._plan = Plan(functions={}, subscriptions=(), flows={}, notes=(), is_whole=False, folders={})
        self._refused: set[str] = set()  # flows that the service does not take
        self._unwatched: set[Path] = set()
        self._watcher = FileWatcher(self._follow)

    def __enter__(self) -> Workspace:
        """Read the project, add what it holds to the service, and follow its files."""
        for line in self._load():
            self._say(line)
        self._watcher.start()
        self._watch()
        return self

    def __exit__(self, *_error: object) -> None:
        """Follow the files no longer."""
        self._watcher.stop()

    def summary(self) -> list[str]:
        """Return lines for a person: what the project holds, and how an execution is started."""
        flows = [one for name, one in self._plan.flows.items() if name not in self._refused]
        triggers = [f"{one.resource} -> {one.function}" for one in self._plan.subscriptions]
        lines = [f"Project: {self._manifest}. Edits of its files take effect at once."]
        lines += [f"Topics and queues: {', '.join(triggers)}."] if triggers else []
        if flows:
            lines.append(f"Flows: {', '.join(f'{one.name} ({one.file})' for one in flows)}.")
            lines.append(f"Start an execution: fc-callback flow start {flows[0].name}")
        return lines

    def _watch(self) -> None:
        refused = set(self._watcher.watch(self._plan.folders))
        for folder in sorted(refused - self._unwatched):
            self._say(f"{folder} cannot be watched. Start the command again after an edit there.")
        self._unwatched = refused

    def _follow(self, changed: frozenset[Path]) -> None:
        """Bring the service up to date after a change of files; called in the watcher's thread."""
        try:
            before = self._plan
            lines = [*self._load()]
            for name, spec in self._plan.functions.items():
                edited = sorted(path for path in changed if spec.code_dir in {path, *path.parents})
                if edited and spec == before.functions.get(name):
                    self._service.add_function(spec)
                    lines.append(f"Reloaded function {name}: {relative_name(edited[0], self._root)} has changed.")
            self._watch()
        except Exception as error:  # noqa: BLE001 - the next change is read again
            lines = [f"The project could not be read again: {error}"]
        for line in lines:
            self._say(line)

    def _load(self) -> Iterator[str]:
        """Read the project, and give the service what is new; yield a line for each thing that a person wants to know."""
        before, plan = self._plan, plan_project(read_project(self._root))
        is_first = not before.folders
        yield from (note for note in plan.notes if note not in before.notes)
        for name, spec in plan.functions.items():
            if spec != before.functions.get(name):
                self._service.add_function(spec)
                if not is_first:
                    yield f"Reloaded function {name}: its settings in {self._manifest.name} have changed."
        yield from self._load_subscriptions(plan, is_first=is_first)
        yield from self._load_flows(plan, is_first=is_first)
        gone = [*(before.functions.keys() - plan.functions.keys()), *(before.flows.keys() - plan.flows.keys())]
        if plan.is_whole:
            yield from (f"The former {name} stays until this command ends." for name in sorted(gone))
            self._plan = plan
            return
        self._plan = attrs.evolve(  # what a manifest with a mistake holds stays as it was
            plan,
            notes=tuple(dict.fromkeys((*before.notes, *plan.notes))),
            functions={**before.functions, **plan.functions},
            subscriptions=tuple(dict.fromkeys((*before.subscriptions, *plan.subscriptions))),
            flows={**before.flows, **plan.flows},
            folders={**before.folders, **plan.folders},
        )

    def _load_subscriptions(self, plan: Plan, *, is_first: bool) -> Iterator[str]:
        for one in plan.subscriptions:
            if one in self._plan.subscriptions:
                continue
            try:
                self._service.subscribe(one.resource, one.function, form=one.form)
            except FcCallbackError as error:
                yield f"{one.function}: {error}"
                continue
            if not is_first:
                yield f"{one.function} now gets the messages of {one.resource}."

    def _load_flows(self, plan: Plan, *, is_first: bool) -> Iterator[str]:
        before = self._plan.flows
        for name, flow in plan.flows.items():
            if flow == before.get(name):
                continue
            try:
                self._service.create_flow(name, flow.text, replace=True, express=flow.express)
            except ApiError as error:
                self._refused.add(name)
                old = "" if is_first or name not in before else " The flow stays as it was."
                yield f"{flow.file}: {error}{old}"
                continue
            self._refused.discard(name)
            if not is_first:
                yield f"Reloaded flow {name}: {flow.file} has changed."
            yield from (f"{flow.file}: {warning}" for warning in self._service.warnings(name))
