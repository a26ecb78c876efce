"""A template and values make a project: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fc_callback.scaffolding.errors import TemplateError
from fc_callback.scaffolding.requirement import point_requirements_at
from fc_callback.scaffolding.template import Template, find_template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# All that art-template (of `s init`) and this module are sure to read alike.
PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
_LOOKS_LIKE_ONE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|<%.*?%>", re.DOTALL)
_LEFTOVERS = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".s", ".DS_Store")


def render_template(
    template: str | Path,
    target: Path,
    values: Mapping[str, str] = {},
    fc_callback_requirement: str | None = None,
) -> None:
    """Make a project.

    Args:
        template: The name of one of our templates, or the path of a template folder.
        target: Where; created, or an empty directory. It appears when it is whole, and not before.
        values: For the template's parameters; those left out have their defaults.
        fc_callback_requirement: What the project's requirements name instead of the released package: the path of a
            wheel or of a source tree, or a URL.

    Raises:
        TemplateError: The template, a value or the target cannot be used. Nothing is left behind.
    """
    chosen = find_template(template)
    checked = chosen.values(values)
    target = Path(os.path.abspath(target))  # noqa: PTH100 - a link is to be followed when it is used, not before
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
            point_requirements_at(project, fc_callback_requirement)
        _put_in_place(project, target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        for parent in made:
            with contextlib.suppress(OSError):  # not empty: somebody else uses it by now
                parent.rmdir()
        raise
    shutil.rmtree(staging, ignore_errors=True)


def _leftovers(source: Path) -> Callable[[str, list[str]], set[str]]:
    """Leave out what running a template's own tests, or building its package, has put there."""

    def ignored(folder: str, names: list[str]) -> set[str]:
        built = {"python"} if Path(folder) == source / "code" else set[str]()
        return {*_LEFTOVERS(folder, names), *built}

    return ignored


def require_room(target: Path) -> None:
    """Check that a project may be written there.

    Raises:
        TemplateError: Something is there already.
    """
    if target.is_dir():
        if any(target.iterdir()):
            raise TemplateError(f"{target} is not empty.", hint="Choose a new directory; nothing was written.")
    elif target.exists() or target.is_symlink():
        raise TemplateError(f"{target} is there, and is no directory.", hint="Choose another name.")


def _staging_for(target: Path) -> Path:
    """Make a directory on the target's own file system: inside of it where it is there, else beside it."""
    folder = target if target.is_dir() else target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=folder))
    except OSError as error:
        raise TemplateError(f"{folder} cannot be written: {error.strerror}.", hint="Choose another one.") from None


def _put_in_place(project: Path, target: Path) -> None:
    try:
        if not target.is_dir():
            project.rename(target)
            return
        # Somebody may stand in the empty directory: it must stay the same one.
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


def _rendered(template: Template, name: str, content: bytes, values: Mapping[str, str]) -> bytes:
    text = content.decode("utf-8")
    for found in _LOOKS_LIKE_ONE.finditer(text):
        simple = PLACEHOLDER.fullmatch(found.group())
        line = text.count("\n", 0, found.start()) + 1
        if simple is None:
            raise TemplateError(
                f"{template.folder / 'src' / name}, line {line}: {found.group()!r} is more than a name in braces.",
                hint="A template holds {{ name }} and nothing else, so that every tool renders it alike.",
            )
        if simple.group(1) not in values:
            raise TemplateError(
                f"{template.folder / 'src' / name}, line {line}: there is no parameter {simple.group(1)!r}.",
                hint="Add it to Parameters in publish.yaml.",
            )
    return PLACEHOLDER.sub(lambda match: values[match.group(1)], text).encode("utf-8")
