"""A project is read once, and its expressions have the values that `s preview` shows."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import fc_callback
from fc_callback.project import read_project

HEAD = "edition: 3.0.0\nname: x\n"
PACKAGE = Path(fc_callback.__file__).parent


def props_of(folder: Path, manifest: str, **environ: str) -> tuple[dict[str, Any], list[str]]:
    (folder / "s.yaml").write_text(HEAD + manifest)
    project = read_project(folder, environ=environ)
    return project.functions[0].props, [problem.message for problem in project.problems]


def resource(props: str) -> str:
    return f"resources:\n  a:\n    component: fc3\n    props: {props}\n"


def test_yaml_is_read_in_two_places_that_of_s_and_that_of_flows() -> None:
    readers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "_templates" not in path.parts  # as installed
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == "yaml" for alias in node.names)
    }

    # yaml_nodes reads the positions of what yaml_reader reads, with the parser of yaml_reader.
    assert readers == {"project/yaml_reader.py", "project/yaml_nodes.py", "flows/yaml_values.py"}


def test_a_word_that_yaml_1_1_takes_for_a_boolean_stays_a_text(tmp_path: Path) -> None:
    props, _ = props_of(tmp_path, resource("{environmentVariables: {A: on, B: no, C: 12:30:45, D: 0o17}}"))

    assert props["environmentVariables"] == {"A": "on", "B": "no", "C": "12:30:45", "D": 15}


def test_the_expressions_of_what_an_expression_names_are_resolved(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(
        "x: ${vars.n}\ny: a-${vars.n}-${resources.a.output.z}\nw: ${env('NO', 'default')}\n"
    )
    variables = "vars:\n  n: 5\n  nested: {q: '${vars.n}', r: [\"${env('NO', 'd')}\"]}\n"

    props, problems = props_of(
        tmp_path, variables + resource("{file: \"${yaml(file('./f.yaml'))}\", nested: '${vars.nested}'}")
    )

    assert props["nested"] == {"q": 5, "r": ["d"]}
    assert {key: value for key, value in props["file"].items() if key != "y"} == {"x": 5, "w": "default"}
    assert repr(props["file"]["y"]) == "<unknown until deployed>"
    assert problems == []


def test_a_value_inside_of_a_text_is_written_as_javascript_writes_it(tmp_path: Path) -> None:
    variables = "vars: {flag: true, big: 1e21, list: [1, [2, 3]], half: 0.5}\n"

    props, _ = props_of(
        tmp_path, variables + resource('{text: "v-${vars.flag}-${vars.big}-${vars.list}-${vars.half}"}')
    )

    assert props["text"] == "v-true-1e+21-1,2,3-0.5"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("vars: {a: '${vars.b}', b: '${vars.a}'}\n", "refers to itself"),
        (
            "vars: {a: {x: '${vars.a}', y: '${vars.a}', z: '${vars.a}', v: '${vars.a}', w: '${vars.a}'}}\n",
            "100,000 values",
        ),
        (f"vars: {{a: '{'${vars.a}' * 50}'}}\n", "refers to itself"),
    ],
    ids=["circle", "wide", "text"],
)
def test_variables_that_name_themselves_are_one_problem_and_no_endless_work(
    tmp_path: Path, variables: str, message: str
) -> None:
    _, problems = props_of(tmp_path, variables + resource("{text: '${vars.a}'}"))

    assert problems
    assert any(message in problem for problem in problems)


def test_a_key_that_occurs_twice_makes_the_manifest_unreadable_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(HEAD + "vars:\n  a: 1\n  b: 2\n  a: 3\n")

    (problem,) = read_project(tmp_path, environ={}).problems

    assert (problem.rule, problem.file, problem.line) == ("duplicate-key", "s.yaml", 6)
    assert "the key 'a' is here for the second time (line 6, column 3)" in problem.message


@pytest.mark.parametrize(
    "extra",
    [
        "template: {t: {a: 1}}\nresources: {f: {component: fc3, extend: {name: [1], ignore: 5}, props: {}}}\n",
        "template: {t: {a: 1}}\nresources: {f: {component: fc3, extend: {name: t, ignore: 5}, props: [1]}}\n",
        'extend: "\\0"\n' + resource('{code: "\\0", definition: "${path(\'a\\0b\')}"}'),
        resource("{customRuntimeConfig: {command: 5, args: x}, runtime: custom}"),
        resource('{environmentVariables: {A: "\\ud83d"}}'),
        resource(f"{{a: \"${{json('{'[' * 900}{']' * 900}')}}\"}}"),
        resource(f"{{text: \"${{{'env(' * 3000}'x'{')' * 3000}}}\"}}"),
    ],
)
def test_a_manifest_of_odd_values_is_read_without_an_exception(tmp_path: Path, extra: str) -> None:
    from fc_callback.checking import check_project

    (tmp_path / "s.yaml").write_text(HEAD + extra)

    assert check_project(tmp_path, environ={})
