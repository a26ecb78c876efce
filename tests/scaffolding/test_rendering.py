"""`render_template`: a whole project or none, and the same bytes for every tool."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fc_callback.errors import SettingsError
from fc_callback.scaffolding import TemplateError, find_template, render_template, template_names
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
        (lambda folder: (folder / "publish.yaml").write_text(PUBLISH.replace('"hello"', "5")), "not text"),
    ],
)
def test_a_folder_that_is_no_template_is_refused_with_what_it_lacks(own: Path, change: object, said: str) -> None:
    change(own)  # type: ignore[operator]

    with pytest.raises(TemplateError, match=said):
        find_template(own)


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
        if "python" not in path.parts and path.is_file() and b"{{" in path.read_bytes()
    }

    assert holding == template.rendered
    assert json.loads((template.folder / "hook" / "files.json").read_text()) == sorted(template.rendered - {"s.yaml"})
