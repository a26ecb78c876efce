"""Every rule finds the one edit that breaks it, and no other rule speaks."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from fc_callback.checking import RULES, check_project
from fc_callback.scaffolding import render_template
from tests.checking.breaking import BREAKS, CONTAINER, OWN_IMAGE, OWN_VALUES, Break

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The good projects, one a template."""
    folder: Path = tmp_path_factory.mktemp("good")
    for name in sorted({one.template for one in BREAKS}):
        render_template(name, folder / name, OWN_VALUES | (OWN_IMAGE if name == CONTAINER else {}))
    return folder


# Only these need the handlers to be imported.
IMPORTING = {
    "handler-import",
    "handler-unchecked",
    "handler-decorated",
    "unreported-failure",
    "flow-token-key",
    "payload-mismatch",
    "payload-ignored",
}


@pytest.mark.parametrize("broken", BREAKS, ids=str)
def test_one_edit_breaks_one_rule_and_only_it(broken: Break, good: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(good / broken.template, project)
    broken.edit(project)

    findings = check_project(project, imports=broken.rule in IMPORTING, environ={})

    assert {finding.rule for finding in findings} == {broken.rule}, findings
    file, text = broken.at
    finding = next(one for one in findings if one.file == file)
    if text:
        assert text in (project / file).read_text(encoding="utf-8").splitlines()[finding.line - 1]
    assert broken.says in f"{finding.message} {finding.hint}"
    assert finding.message
    assert finding.hint


def test_every_rule_has_an_edit_that_breaks_it() -> None:
    assert {one.rule for one in BREAKS} == set(RULES)


def test_every_rule_is_explained_in_the_documentation() -> None:
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "check.md").read_text(encoding="utf-8")

    assert [name for name in RULES if f"### {name}\n" not in text] == []
