"""Create a project from a template and values. A project that fails leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fc_callback.scaffolding.errors import TemplateError
from fc_callback.scaffolding.own_wheel import use_own_source
from fc_callback.scaffolding.template import ProjectTemplate, find_template, left_behind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The only form that art-template (of `s init`) and this module read alike.
PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
_OPENING = re.compile(r"\{\{|\{%|<%")
_MOST_SHOWN = 80
_CLOSING = {"{{": "}}", "{%": "%}", "<%": "%>"}


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
        shutil.copytree(chosen.source, project, symlinks=True, ignore=partial(left_behind, chosen.source))
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


def rendered_file(template: ProjectTemplate, name: str, values: Mapping[str, str]) -> str:
    """Return the text of one file of a template, with its placeholders filled.

    Args:
        template: The template.
        name: The file, relative to the template's `src/`.
        values: The values of its parameters; the others have their defaults.

    Raises:
        TemplateError: The template or a value cannot be used.
    """
    content = (template.source / name).read_bytes()
    return (
        _rendered(template, name, content, template.values(values)) if name in template.rendered else content
    ).decode("utf-8")


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
    file = template.folder / "src" / name
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise TemplateError(f"{file} is not UTF-8.", hint="Only text can hold placeholders.") from None
    for start, found in _placeholder_like(text):
        simple = PLACEHOLDER.fullmatch(found)
        if simple and simple.group(1) in values:
            continue
        if simple:
            problem = f"the template has no parameter {simple.group(1)!r}"
            hint = "Add it to Parameters in publish.yaml."
        else:
            problem = f"{found[:_MOST_SHOWN]!r} is not a name in braces"
            hint = "Write {{ name }}: other forms are rendered differently by different tools."
        raise TemplateError(f"{file}, line {text.count(chr(10), 0, start) + 1}: {problem}.", hint=hint)
    return PLACEHOLDER.sub(lambda match: values[match.group(1)], text).encode("utf-8")


def _placeholder_like(text: str) -> Iterator[tuple[int, str]]:
    """Find what one of the tools would render, with its position. A text without closing braces is read once, not many times."""
    position, unclosed = 0, set[str]()
    while found := _OPENING.search(text, position):
        position = found.end()
        closing = _CLOSING[found.group()]
        if closing in unclosed:
            continue
        end = text.find(closing, position)
        if end < 0:
            unclosed.add(closing)
            continue
        position = end + len(closing)
        yield found.start(), text[found.start() : position]
