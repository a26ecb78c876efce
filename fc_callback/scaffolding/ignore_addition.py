"""The .fcignore of a task's code: secrets and caches stay out of the package."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from fc_callback.project.requirement_files import REQUIREMENTS_FILE
from fc_callback.project.wheels import DEPENDENCIES_DIR
from fc_callback.scaffolding.errors import NotPlaced
from fc_callback.scaffolding.line_edits import BYTE_ORDER_MARK, with_lines_at_end
from fc_callback.scaffolding.task_texts import IGNORE_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from fc_callback.scaffolding.add_plan import AddPlan


def add_ignore_file(plan: AddPlan) -> None:
    """Write .fcignore, so that secrets and caches stay out of the package; or add what an existing one lacks."""
    path = plan.code_dir / IGNORE_FILE
    wanted = plan.texts.file(f"code/{IGNORE_FILE}").splitlines()
    try:
        present = plan.files.text(path)
    except NotPlaced as error:
        plan.leave(path, "Add these lines.", str(error), wanted)
        return
    kept = [line for line in wanted if line.startswith("#") or not _hides_own_file(plan.code_dir, line)]
    if present is None:
        plan.files.write(path, "".join(f"{line}\n" for line in kept))
        return
    patterns = [line.strip() for line in present.removeprefix(BYTE_ORDER_MARK).splitlines()]
    missing = [line for line in kept if line.startswith(".env") and line not in patterns]
    if missing:
        plan.files.write(path, with_lines_at_end(present, missing))
    if hiding := [line for line in patterns if line.strip("/") == DEPENDENCIES_DIR]:
        what = f"Remove the line {hiding[0]!r}: the packages of the function are in that directory."
        plan.leave(path, what, "it may have a reason that you know")


def _hides_own_file(code_dir: Path, pattern: str) -> bool:
    """Whether a pattern would leave a file out that the package has today, and that is neither secret nor made by a tool."""
    name = pattern.strip("/")
    if name.startswith((".", "__")) or name == REQUIREMENTS_FILE:
        return False
    return any(fnmatch.fnmatchcase(path.name, name) for path in code_dir.iterdir())
