"""`render_template`: a whole project or none, and the same bytes for every tool."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from fc_callback.errors import SettingsError
from fc_callback.scaffolding import (
    TemplateError,
    find_template,
    patterns,
    render_template,
    template_names,
    template_root,
)
from tests.building.wheels import make_source, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

PUBLISH = """
Edition: 3.0.0
Type: Project
Name: own
Description: My own
Parameters:
  type: object
  properties:
    word: {title: Word, type: string, default: "hello", pattern: "^[a-z]+$"}
    color: {title: Color, type: string, default: "red", enum: [red, blue]}
    needed: {title: Needed, type: string}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A template of one's own: s.yaml, and two other files of which the hook renders one."""
    folder = tmp_path / "own"
    (folder / "src").mkdir(parents=True)
    (folder / "hook").mkdir()
    (folder / "publish.yaml").write_text(PUBLISH)
    (folder / "hook" / "files.json").write_text('["hooked.txt"]')
    (folder / "src" / "s.yaml").write_text('name: "{{ word }}"\nkept: ${vars.x}\n')
    (folder / "src" / "hooked.txt").write_text("{{word}} and {{   needed }} grüßen\n")
    (folder / "src" / "plain.txt").write_text("{{ word }} stays\n")
    return folder


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_values_stand_in_s_yaml_and_in_the_hooks_files_and_nowhere_else(own: Path, tmp_path: Path) -> None:
    render_template(own, tmp_path / "made", {"needed": "you"})

    made = tmp_path / "made"
    assert (made / "s.yaml").read_text() == 'name: "hello"\nkept: ${vars.x}\n'
    assert (made / "hooked.txt").read_text(encoding="utf-8") == "hello and you grüßen\n"
    assert (made / "plain.txt").read_text() == "{{ word }} stays\n"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "needs a value for needed"),
        ({"needed": "x", "wrod": "y"}, "no parameter 'wrod'"),
        ({"needed": "x", "word": "Hello"}, "word cannot be 'Hello'"),
        ({"needed": "x", "color": "green"}, "red, blue"),
        ({"needed": 'x"y'}, "quotes"),
        ({"needed": "x\ny"}, "line breaks"),
    ],
)
def test_a_value_that_cannot_be_taken_is_refused_and_nothing_is_written(
    own: Path, tmp_path: Path, values: dict[str, str], said: str
) -> None:
    with pytest.raises(TemplateError, match=said):
        render_template(own, tmp_path / "deep" / "made", values)

    assert left_in(tmp_path) == ["own"]


@pytest.mark.parametrize("text", ["{{ word | upper }}", "{{ if word }}", "{% if word %}", "{{ a.b }}", "<% word %>"])
def test_a_template_that_other_tools_would_render_otherwise_is_refused_with_its_line(
    own: Path, tmp_path: Path, text: str
) -> None:
    (own / "src" / "hooked.txt").write_text(f"fine\n{text}\n")

    with pytest.raises(TemplateError, match=r"hooked.txt, line 2"):
        render_template(own, tmp_path / "deep" / "made", {"needed": "x"})

    assert left_in(tmp_path) == ["own"]


def test_a_placeholder_without_a_parameter_is_refused(own: Path, tmp_path: Path) -> None:
    (own / "src" / "s.yaml").write_text("name: {{ other }}\n")

    with pytest.raises(TemplateError, match="no parameter 'other'"):
        render_template(own, tmp_path / "made", {"needed": "x"})


def test_a_directory_with_something_in_it_is_left_alone(own: Path, tmp_path: Path) -> None:
    target = tmp_path / "made"
    target.mkdir()
    (target / "mine").write_text("mine")

    with pytest.raises(TemplateError, match="not empty"):
        render_template(own, target, {"needed": "x"})

    assert left_in(target) == ["mine"]


def test_an_empty_directory_stays_the_same_one(own: Path, tmp_path: Path) -> None:
    target = tmp_path / "made"
    target.mkdir()
    before = target.stat().st_ino

    render_template(own, target, {"needed": "x"})

    assert target.stat().st_ino == before
    assert left_in(target) == ["hooked.txt", "plain.txt", "s.yaml"]


def test_the_template_itself_is_untouched(own: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in own.rglob("*") if path.is_file()}

    render_template(own, tmp_path / "made", {"needed": "x"})

    assert {path: path.read_bytes() for path in own.rglob("*") if path.is_file()} == before


def test_what_tests_and_builds_left_behind_in_a_template_is_not_taken(own: Path, tmp_path: Path) -> None:
    (own / "src" / "__pycache__").mkdir()
    (own / "src" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (own / "src" / "code" / "python" / "dependency").mkdir(parents=True)

    render_template(own, tmp_path / "made", {"needed": "x"})

    assert not (tmp_path / "made" / "__pycache__").exists()
    assert not (tmp_path / "made" / "code" / "python").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "publish.yaml").unlink(), "no publish.yaml"),
        (lambda folder: (folder / "src" / "s.yaml").unlink(), "no src/s.yaml"),
        (lambda folder: (folder / "hook" / "files.json").write_text('["gone"]'), "names gone"),
        (lambda folder: (folder / "hook" / "files.json").write_text('["../publish.yaml"]'), "not below src/"),
        (lambda folder: (folder / "hook" / "files.json").write_text('["/etc/hostname"]'), "not below src/"),
        (lambda folder: (folder / "hook" / "files.json").write_text('["a\\u0000b"]'), "not below src/"),
        (lambda folder: (folder / "publish.yaml").write_text(PUBLISH.replace('"hello"', "5")), "not text"),
        (lambda folder: (folder / "publish.yaml").write_text(PUBLISH.replace('"^[a-z]+$"', "5")), "not text"),
        (lambda folder: (folder / "publish.yaml").write_text(PUBLISH.replace("[red, blue]", "5")), "not a list"),
        (lambda folder: (folder / "publish.yaml").write_text("Parameters: {properties: [a]}"), "not a mapping"),
        (lambda folder: (folder / "publish.yaml").write_text("Parameters: {properties: {a: 5}}"), "not a mapping"),
    ],
)
def test_a_folder_that_is_no_template_is_refused_with_what_it_lacks(own: Path, change: object, said: str) -> None:
    change(own)  # type: ignore[operator]

    with pytest.raises(TemplateError, match=said):
        find_template(own)


@pytest.mark.parametrize("place", ["src/linked", "src/code/linked", "hook/files.json", "publish.yaml", "src/s.yaml"])
def test_a_template_with_a_link_is_refused_and_what_it_leads_to_is_untouched(
    own: Path, tmp_path: Path, place: str
) -> None:
    outside = tmp_path / "outside"
    link = own / place
    link.parent.mkdir(exist_ok=True)
    outside.write_bytes(link.read_bytes() if link.exists() else b"{{ word }}")
    before = outside.read_bytes()
    link.unlink(missing_ok=True)
    link.symlink_to(outside)

    with pytest.raises(TemplateError, match="is a symbolic link"):
        render_template(own, tmp_path / "made", {"needed": "x"})

    assert (left_in(tmp_path), outside.read_bytes()) == (["outside", "own"], before)


def test_a_template_with_a_pipe_is_refused_instead_of_waited_for(own: Path, tmp_path: Path) -> None:
    os.mkfifo(own / "src" / "pipe")

    with pytest.raises(TemplateError, match="a pipe"):
        render_template(own, tmp_path / "made", {"needed": "x"})


def test_a_link_beside_the_project_of_a_template_is_none_of_its_files(own: Path, tmp_path: Path) -> None:
    (own / "readme.md").symlink_to("src/plain.txt")  # as the official templates have it

    render_template(own, tmp_path / "made", {"needed": "x"})

    assert "readme.md" not in left_in(tmp_path / "made")


def test_a_pattern_that_would_take_years_is_ended(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "MATCH_SECONDS", 0.5)
    (own / "publish.yaml").write_text(PUBLISH.replace("^[a-z]+$", "^(a+)+$"))

    with pytest.raises(TemplateError, match=r"'\^\(a\+\)\+\$' takes longer than 0.5 seconds"):
        render_template(own, tmp_path / "made", {"needed": "x", "word": "a" * 60 + "b"})


def test_a_pattern_that_is_none_is_said(own: Path, tmp_path: Path) -> None:
    (own / "publish.yaml").write_text(PUBLISH.replace("^[a-z]+$", "^[a-z"))

    with pytest.raises(TemplateError, match="is not a regular expression"):
        render_template(own, tmp_path / "made", {"needed": "x"})


def test_a_pattern_may_end_in_a_dollar_that_is_a_character(own: Path) -> None:
    (own / "publish.yaml").write_text(PUBLISH.replace('"^[a-z]+$"', "'^a\\$'").replace('"hello"', '"a$"'))

    assert find_template(own).values({"needed": "x"})["word"] == "a$"


def test_a_megabyte_of_open_braces_is_read_at_once(own: Path, tmp_path: Path) -> None:
    text = "{{ {% <% " * 100_000
    (own / "src" / "hooked.txt").write_text(text)

    render_template(own, tmp_path / "made", {"needed": "x"})

    assert (tmp_path / "made" / "hooked.txt").read_text() == text


def test_a_file_of_bytes_cannot_hold_placeholders(own: Path, tmp_path: Path) -> None:
    (own / "src" / "hooked.txt").write_bytes(b"\xff{{ word }}")

    with pytest.raises(TemplateError, match=r"hooked.txt is not UTF-8"):
        render_template(own, tmp_path / "made", {"needed": "x"})


def test_a_project_can_use_a_wheel_of_ones_own(tmp_path: Path) -> None:
    wheel = tmp_path / "fc_callback-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"")


def test_a_wheel_of_ones_own_goes_into_the_project_which_finds_it_wherever_it_is(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "mine", "fc_callback", version="0.1.0")

    render_template("human-approval", tmp_path / "made", fc_callback_requirement=str(wheel))

    project = tmp_path / "moved"
    (tmp_path / "made").rename(project)
    assert (project / "code" / "wheels" / wheel.name).read_bytes() == wheel.read_bytes()
    requirements = (project / "code" / "requirements.txt").read_text()
    assert requirements == "--find-links wheels\nfc-callback[seal]==0.1.0\n"
    lines = (project / "requirements-dev.txt").read_text().splitlines()
    assert lines[0] == "--find-links code/wheels"
    assert "fc-callback[local,seal]==0.1.0" in lines
    assert str(tmp_path) not in "".join(
        path.read_text("utf-8", "replace") for path in project.rglob("*") if path.is_file()
    )


def test_a_source_tree_becomes_a_wheel_in_the_project(tmp_path: Path) -> None:
    tree = make_source(tmp_path / "checkout", "fc_callback", version="0.2.0")

    render_template("event-callback", tmp_path / "made", fc_callback_requirement=str(tree))

    assert [path.name for path in (tmp_path / "made" / "code" / "wheels").iterdir()] == [
        "fc_callback-0.2.0-py3-none-any.whl"
    ]
    assert "fc-callback==0.2.0" in (tmp_path / "made" / "code" / "requirements.txt").read_text()


def test_a_url_of_ones_own_is_written_as_it_is(tmp_path: Path) -> None:
    url = "https://example.org/fc_callback-0.1.0-py3-none-any.whl"

    render_template("event-callback", tmp_path / "made", fc_callback_requirement=url)

    assert (tmp_path / "made" / "code" / "requirements.txt").read_text() == f"fc-callback @ {url}\n"
    assert not (tmp_path / "made" / "code" / "wheels").exists()


def test_the_wheel_in_a_project_is_not_uploaded_with_the_code() -> None:
    for name in set(template_names()) - {"custom-container"}:
        ignored = (find_template(name).source / "code" / ".fcignore").read_text().splitlines()
        assert "wheels/" in ignored


def test_a_wheel_that_is_not_there_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="neither a wheel nor a source tree"):
        render_template("event-callback", tmp_path / "made", fc_callback_requirement=str(tmp_path / "no.whl"))

    assert left_in(tmp_path) == []


@pytest.mark.parametrize("name", template_names())
def test_every_default_of_ours_is_a_value_that_its_own_rule_takes(name: str) -> None:
    template = find_template(name)

    assert set(template.values({})) == {parameter.name for parameter in template.parameters}


@pytest.mark.parametrize("name", template_names())
def test_every_file_of_ours_with_a_placeholder_is_rendered(name: str) -> None:
    template = find_template(name)
    holding = {
        path.relative_to(template.source).as_posix()
        for path in template.source.rglob("*")
        if "python" not in path.parts
        and path.is_file()
        and re.search(rb"(?<!\$)\{\{", path.read_bytes())  # ${{ is GitHub's
    }

    assert holding == template.rendered
    assert json.loads((template.folder / "hook" / "files.json").read_text()) == sorted(template.rendered - {"s.yaml"})


# What does not depend on what a template does. A template is one folder, as `s init` reads it, so each has its own copy.
SHARED = (
    *("hook/index.js", "src/mypy.ini", "src/pytest.ini", "src/ruff.toml"),
    *("src/policies/flow-role-trust.json", "src/policies/function-role-trust.json"),
)
SHARED_BY_PACKAGES = ("src/.github/workflows/ci.yml", "src/.gitignore", "src/code/.fcignore")
SHARED_BY_ORDERS = ("src/smoke/test_deployed.py", "src/events/order.json", "src/requirements-dev.txt")


@pytest.mark.parametrize("file", [*SHARED, *SHARED_BY_PACKAGES, *SHARED_BY_ORDERS])
def test_what_templates_share_is_the_same_in_each(file: str) -> None:
    other = {"custom-container", "human-approval"} if file in SHARED_BY_ORDERS else {"custom-container"}
    names = set(template_names()) - (set() if file in SHARED else other)

    assert len({(template_root() / name / file).read_bytes() for name in names}) == 1


@pytest.mark.parametrize("name", template_names())
def test_the_flow_of_production_differs_from_template_to_template_by_its_name_only(name: str) -> None:
    text = (template_root() / name / "src" / "prod.flow.yaml").read_text("utf-8")

    other = (template_root() / "event-callback" / "src" / "prod.flow.yaml").read_text("utf-8")
    assert text == other.replace("event-callback-flow-prod", f"{name}-flow-prod")
