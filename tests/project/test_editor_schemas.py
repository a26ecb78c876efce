"""The schemas for editors: of the settings in s.yaml, and as the templates and the command have them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from fc_callback.flows.layout import CLOUDFLOW, LEGACY
from fc_callback.project.editor_schemas import editor_schema
from fc_callback.scaffolding import render_template
from fc_callback.settings import VARIABLES
from tests.cli.commands import run_command

TEMPLATES = sorted(path.parent for path in (Path(__file__).parents[2] / "templates").glob("*/src/s.yaml"))
SETTINGS = Draft7Validator(editor_schema("settings"))


def problems(**variables: Any) -> list[str]:
    manifest = {"edition": "3.0.0", "resources": {"one": {"props": {"environmentVariables": variables}}}}
    return [error.message for error in SETTINGS.iter_errors(manifest)]


def test_the_schema_of_the_settings_is_a_schema_that_explains_each_variable() -> None:
    Draft7Validator.check_schema(SETTINGS.schema)
    text = json.dumps(SETTINGS.schema, ensure_ascii=False)
    assert [one.name for one in VARIABLES if f'"{one.name}"' not in text or one.meaning not in text] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLOUDFLOW_NETWORK", "internal"),
        ("CLOUDFLOW_NETWORK", ""),
        ("CLOUDFLOW_NETWORK", "${env('NETWORK', 'public')}"),
        ("CLOUDFLOW_SIGNATURE", "v3"),
        ("CLOUDFLOW_CONNECT_TIMEOUT", "3"),
        ("CLOUDFLOW_READ_TIMEOUT", "0.5"),
        ("CLOUDFLOW_READ_TIMEOUT", "1e1"),
        ("CLOUDFLOW_OUTPUT_LIMIT", "32768"),
        ("CLOUDFLOW_LOG_LEVEL", "debug"),
        ("CLOUDFLOW_LOG_FORM", "json"),
        ("CLOUDFLOW_ONCE_STORE", "memory:"),
        ("CLOUDFLOW_ONCE_STORE", "sqlite:////mnt/nas/once.db"),
        ("CLOUDFLOW_ONCE_STORE", "rediss://:${env('PASSWORD')}@host:6379/0"),
        ("OTHER", 5),
    ],
)
def test_a_valid_setting_is_valid(name: str, value: Any) -> None:
    assert problems(**{name: value}) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLOUDFLOW_NETWORK", "private"),
        ("CLOUDFLOW_SIGNATURE", "v4"),
        ("CLOUDFLOW_READ_TIMEOUT", "ten"),
        ("CLOUDFLOW_READ_TIMEOUT", "0"),
        ("CLOUDFLOW_READ_TIMEOUT", 10),
        ("CLOUDFLOW_OUTPUT_LIMIT", "64K"),
        ("CLOUDFLOW_LOG_FORM", "xml"),
        ("CLOUDFLOW_ONCE_STORE", "mysql://x"),
        ("CLOUDFLOW_ONCE_STORES", "memory:"),
        ("CLOUDFLOW_REGIO", "cn-hangzhou"),
    ],
)
def test_a_setting_that_is_misspelt_or_has_another_value_is_marked(name: str, value: Any) -> None:
    assert len(problems(**{name: value})) == 1


def test_the_settings_in_a_template_of_s_yaml_are_marked_too() -> None:
    manifest = {"template": {"common": {"environmentVariables": {"CLOUDFLOW_NETWORK": "private"}}}}

    assert len(list(SETTINGS.iter_errors(manifest))) == 1


def test_an_environment_that_is_an_expression_is_valid() -> None:
    manifest = {"resources": {"one": {"props": {"environmentVariables": "${vars.common}"}}, "two": None}}

    assert list(SETTINGS.iter_errors(manifest)) == []


@pytest.mark.parametrize("source", TEMPLATES, ids=lambda path: path.parent.name)
def test_a_template_has_the_schemas_as_they_are_made_now(source: Path) -> None:
    for name in ("cloudflow", "legacy", "settings"):
        assert (source / "schemas" / f"{name}.json").read_text(encoding="utf-8") == run_command(
            "schema", name
        ).stdout, f"Write it anew: fc-callback schema {name} > {source}/schemas/{name}.json"


@pytest.mark.parametrize("source", TEMPLATES, ids=lambda path: path.parent.name)
def test_the_files_of_a_project_name_their_schema_and_are_valid_by_it(source: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    render_template(source.parent.name, project)
    named = {}
    for path in (project / "s.yaml", *sorted((project / "flows").glob("*.yaml"))):
        text = path.read_text(encoding="utf-8")
        line = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", text.splitlines()[0])
        assert line, path
        schema = path.parent / line[1]
        named[path.relative_to(project).as_posix()] = schema.stem
        found = Draft7Validator(json.loads(schema.read_text(encoding="utf-8"))).iter_errors(yaml.safe_load(text))
        assert [error.message for error in found] == []

    assert named == {"s.yaml": "settings", "flows/cloudflow.yaml": "cloudflow", "flows/legacy.yaml": "legacy"}


def test_no_field_of_a_language_has_the_name_of_a_kind_of_step() -> None:
    for layout in (LEGACY, CLOUDFLOW):
        fields = {name for names in layout.kinds.values() for name in names}
        assert fields & (set(layout.kinds) | {"step"}) == set()
