"""Projects that were not made from our templates: each finding is right, and there is no other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fc_callback.checking import check_project
from tests.checking.public_projects import PROJECTS, PublicProject

if TYPE_CHECKING:
    from pathlib import Path

    from fc_callback.checking import Finding

# What only an import finds.
IMPORTED = {"handler-import", "handler-unchecked", "handler-decorated"}


def marked(folder: Path) -> list[tuple[str, str, int]]:
    """Read the marks `# finds RULE, RULE` of a project."""
    return sorted(
        (path.relative_to(folder).as_posix(), rule, number)
        for path in folder.rglob("*")
        if path.is_file()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if (mark := re.search(r"# finds ([a-z, -]+)$", line))
        for rule in mark[1].split(", ")
    )


def found(findings: list[Finding]) -> list[tuple[str, str, int]]:
    return sorted((one.file, one.rule, one.line) for one in findings)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_public_project_has_the_findings_that_it_deserves_and_no_other(
    project: PublicProject, tmp_path: Path
) -> None:
    folder = project.write(tmp_path / "project")

    findings = check_project(folder, environ={})

    assert found(findings) == marked(folder), findings


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_public_project_has_the_same_findings_without_an_import(project: PublicProject, tmp_path: Path) -> None:
    folder = project.write(tmp_path / "project")

    findings = check_project(folder, imports=False, environ={})

    assert found(findings) == [one for one in marked(folder) if one[1] not in IMPORTED], findings
