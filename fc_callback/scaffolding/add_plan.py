"""What `fc-callback add` is about to do with one function: the changes of files, and what it leaves to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from fc_callback.scaffolding.errors import NotPlaced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fc_callback.project import Function, Project
    from fc_callback.scaffolding.file_changes import ProjectFiles
    from fc_callback.scaffolding.task_texts import TaskTexts


CONTAINER = "custom-container"
MESSAGE_TRIGGERS = frozenset({"mns_topic", "eventbridge"})  # only their events can hold a token


@attrs.frozen(kw_only=True)
class ManualStep:
    """A step that a person has to do.

    Attributes:
        file: The file, relative to the project.
        what: What to do, as a sentence.
        reason: Why the command does not do it.
        lines: The text to write there.
    """

    file: str
    what: str
    reason: str
    lines: tuple[str, ...] = ()


@attrs.define(kw_only=True)
class AddPlan:
    """The additions for one function, while they are collected.

    Attributes:
        project: The project.
        function: The function that becomes a task.
        texts: What the function needs.
        files: The files of the project, with the changes so far.
        steps: What a person has to do.
        decisions: What a person has to decide.
    """

    project: Project
    function: Function
    texts: TaskTexts
    files: ProjectFiles
    steps: list[ManualStep] = attrs.field(factory=list)
    decisions: list[str] = attrs.field(factory=list)

    @property
    def code_dir(self) -> Path:
        """The directory that becomes /code. The Dockerfile of a container decides; ours copies `code`."""
        root = self.project.root
        return self.function.code_dir or (root / "code" if (root / "code").is_dir() else root)

    @property
    def is_container(self) -> bool:
        """Whether an image brings the code and its packages."""
        return self.function.runtime == CONTAINER

    @property
    def trigger_types(self) -> frozenset[str]:
        """The types of the function's triggers, like `http`."""
        return frozenset(str(trigger.get("triggerType")) for _, trigger in self.function.triggers)

    def edit(self, path: Path, change: Callable[[str], str], *, what: str, lines: Sequence[str] = ()) -> bool:
        """Change the text of a file, or note what a person has to do instead. Return whether it was changed.

        Args:
            path: The file. One that does not exist has an empty text.
            change: Returns the new text.
            what: What a person has to do where `change` raises NotPlaced.
            lines: The text for them.
        """
        try:
            self.files.write(path, change(self.files.text(path) or ""))
        except NotPlaced as error:
            self.leave(path, what, str(error), lines)
            return False
        return True

    def leave(self, path: Path, what: str, reason: str, lines: Sequence[str] = ()) -> None:
        """Note what a person has to do."""
        self.steps.append(ManualStep(file=self.files.name(path), what=what, reason=reason, lines=tuple(lines)))
