"""Requirement files that name fc-callback, pointed at a wheel, a source tree or a URL instead of an index."""

from __future__ import annotations

import re
from pathlib import Path

from fc_callback.scaffolding.errors import TemplateError

REQUIREMENT_FILES = ("code/requirements.txt", "requirements-dev.txt")
_LINE = re.compile(r"^fc[-_.]callback(?P<extras>\[[^\]]*\])?(?![\w-]).*$", re.IGNORECASE | re.MULTILINE)
_SCHEMES = ("https://", "http://", "file://", "git+")


def requirement_url(where: str) -> str:
    """Return what stands behind `fc-callback @` for a wheel, a source tree or a URL.

    Raises:
        TemplateError: There is nothing at the path.
    """
    if where.startswith(_SCHEMES):
        return where
    path = Path(where).expanduser().resolve()
    if not (path.suffix == ".whl" and path.is_file()) and not (path / "pyproject.toml").is_file():
        raise TemplateError(
            f"{path} is neither a wheel nor a source tree of fc-callback.",
            hint="Build a wheel with `python -m build --wheel`, and pass its path.",
        )
    return path.as_uri()


def point_at(text: str, where: str) -> str:
    """Return a requirement file's text with every line for fc-callback pointed elsewhere, its extras kept."""
    url = requirement_url(where)
    return _LINE.sub(lambda line: f"fc-callback{line.group('extras') or ''} @ {url}", text)


def point_requirements_at(project: Path, where: str) -> None:
    """Change the requirement files of a project.

    Raises:
        TemplateError: There is nothing at the path.
    """
    for name in REQUIREMENT_FILES:
        path = project / name
        if path.is_file():
            path.write_text(point_at(path.read_text(encoding="utf-8"), where), encoding="utf-8")
