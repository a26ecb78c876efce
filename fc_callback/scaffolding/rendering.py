"""Create a project from a template and values. A project that fails leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fc_callback.scaffolding.errors import TemplateError
from fc_callback.scaffolding.own_wheel import use_own_source
from fc_callback.scaffolding.template import ProjectTemplate, find_template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# The only form that art-template (of `s init`) and this module read alike.
PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
_LOOKS_LIKE_ONE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|<%.*?%>", re.DOTALL)
_LEFTOVERS = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".s", ".DS_Store")


def render_template(
    template: str | Path,
    target: Path,
    values: Mapping[str, str] = {},
    fc_callback_requirement: str | None = None,
) -> None:
    """Create a project.

    Args:
        template: The name of one of our templates, or the path of a template folder.
        target: A new or an empty directory. The project's files appear in it together, when all are complete.
        values: The values of the template's parameters; the others have their defaults.
        fc_callback_requirement: The source of fc-callback in the project, instead of the released package: the path of a
            wheel or of a source tree, of which a wheel is put into `code/wheels`; or a URL.

    Raises:
        TemplateError: The template, a value or the target cannot be used. Nothing is left behind.
        SettingsError: There is nothing at the path of `fc_callback_requirement`. Nothing is left behind.
    """
    chosen = find_template(template)
    checked = chosen.values(values)
    target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow links now
    require_room(target)
    made = [parent for parent in target.parents if not parent.exists()]
    staging = _staging_for(target)
    try:
        project = staging / "project"
        shutil.copytree(chosen.source, project, symlinks=True, ignore=_leftovers(chosen.source))
        for name in sorted(chosen.rendered):
            path = project / name
            path.write_bytes(_rendered(chosen, name, path.read_bytes(), checked))
        if fc_callback_requirement is not None:
            use_own_source(project, fc_callback_requirement)
        _move_to(project, target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        for parent in made:
            with contextlib.suppress(OSError):  # it is not empty: another process uses it by now
                parent.rmdir()
        raise
    shutil.rmtree(staging, ignore_errors=True)


def _leftovers(source: Path) -> Callable[[str, list[str]], set[str]]:
    """Ignore the files that a template's own tests, or a build of its package, have left."""

    def ignored(folder: str, names: list[str]) -> set[str]:
        built = {"python"} if Path(folder) == source / "code" else set[str]()
        return {*_LEFTOVERS(folder, names), *built}

    return ignored


def require_room(target: Path) -> None:
    """Check that a project can be written to a directory.

    Raises:
        TemplateError: It exists and is not an empty directory.
    """
    if target.is_dir():
        if any(target.iterdir()):
            raise TemplateError(f"{target} is not empty.", hint="Choose a new directory; nothing was written.")
    elif target.exists() or target.is_symlink():
        raise TemplateError(f"{target} exists and is not a directory.", hint="Choose another name.")


def _staging_for(target: Path) -> Path:
    """Create a directory on the target's own file system: inside of the target if it exists, else beside it."""
    folder = target if target.is_dir() else target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=folder))
    except OSError as error:
        raise TemplateError(
            f"{folder} cannot be written: {error.strerror}.", hint="Choose another directory."
        ) from None


def _move_to(project: Path, target: Path) -> None:
    try:
        if not target.is_dir():
            project.rename(target)
            return
        # The empty directory may be the current one of a shell, so it is kept.
        entries = sorted(project.iterdir())
        try:
            for entry in entries:
                entry.rename(target / entry.name)
        except OSError:
            for entry in entries:
                with contextlib.suppress(OSError):
                    (target / entry.name).rename(entry)
            raise
    except OSError as error:
        raise TemplateError(
            f"{target} cannot be written: {error.strerror}.", hint="Nothing was written; choose another directory."
        ) from None


def _rendered(template: ProjectTemplate, name: str, content: bytes, values: Mapping[str, str]) -> bytes:
    text = content.decode("utf-8")
    for found in _LOOKS_LIKE_ONE.finditer(text):
        simple = PLACEHOLDER.fullmatch(found.group())
        line = text.count("\n", 0, found.start()) + 1
        if simple is None:
            raise TemplateError(
                f"{template.folder / 'src' / name}, line {line}: {found.group()!r} is not a name in braces.",
                hint="Write {{ name }}: other forms are rendered differently by different tools.",
            )
        if simple.group(1) not in values:
            raise TemplateError(
                f"{template.folder / 'src' / name}, line {line}: the template has no parameter {simple.group(1)!r}.",
                hint="Add it to Parameters in publish.yaml.",
            )
    return PLACEHOLDER.sub(lambda match: values[match.group(1)], text).encode("utf-8")
