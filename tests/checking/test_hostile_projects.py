"""Projects that are broken or hostile: the check ends, shows nothing of the machine, and says what is wrong once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fc_callback.checking import Finding, check_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAD = "edition: 3.0.0\nname: x\n"
GOOD = "{region: cn-hangzhou, functionName: a, runtime: python3.10, code: ./code, handler: index.handler}"
HANDLER = "def handler(event, context): ...\n"
SECRET = "the-secret-of-this-machine"


def manifest(props: str, definition: str = "") -> str:
    flow = f'  f:\n    component: flow\n    props: {{name: f, region: cn-hangzhou, definition: "{definition}"}}\n'
    return f"{HEAD}resources:\n  a:\n    component: fc3\n    props: {props}\n{flow if definition else ''}"


def check(folder: Path, files: dict[str, str], **options: bool) -> list[Finding]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return check_project(folder, **{"imports": False, **options}, environ={})  # type: ignore[arg-type]


def rules(findings: list[Finding]) -> list[str]:
    return [one.rule for one in findings]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"\x00", b"- a\n", b"a:\n\tb: 1\n", b"a: &a [*a]\n", b"a: " + b"[" * 5000, b"a: " + b"x" * 4_100_000],
    ids=["empty", "not UTF-8", "null", "list", "tab", "alias", "deep", "large"],
)  # fmt: skip
def test_a_manifest_that_cannot_be_read_is_one_finding(content: bytes, project: Path) -> None:
    (project / "s.yaml").write_bytes(content)

    assert rules(check_project(project, environ={})) == ["manifest"]


@pytest.mark.parametrize(
    "given", ["../secret", "../project/../secret", "link", "/etc/passwd", "/dev/zero", "/proc/self/environ"]
)
@pytest.mark.parametrize("how", ["${file('%s')}", "${yaml(file('%s'))}", "x-${file('%s')}"])
def test_a_file_outside_of_the_repository_is_neither_read_nor_shown(how: str, given: str, project: Path) -> None:
    (project / "link").symlink_to(project.parent / "secret")
    value = how % given
    props = f'{{region: "{value}", functionName: "{value}", runtime: "{value}", role: "{value}", code: "{value}", x: "{value}"}}'

    findings = check(project, {"s.yaml": manifest(props, value)})

    assert set(rules(findings)) <= {"missing-property", "unknown-property"}
    assert SECRET not in str(findings)
    assert "root:" not in str(findings)


def test_a_file_of_the_repository_beside_the_project_is_included(project: Path) -> None:
    (project.parent / ".git").mkdir()
    (project.parent / "region").write_text("cn-mars", encoding="utf-8")

    (finding,) = check(
        project, {"s.yaml": manifest(GOOD.replace("cn-hangzhou", "\"${file('../region')}\"")), "code/index.py": HANDLER}
    )

    assert (finding.rule, "'cn-mars'" in finding.message) == ("property-value", True)


def test_flows_and_bases_that_are_links_to_elsewhere_are_not_read(project: Path) -> None:
    (project / "flows").mkdir()
    (project / "flows" / "stolen.yaml").symlink_to(project.parent / "secret")
    files = {"s.yaml": f"extend: ../secret\n{manifest(GOOD, '../secret')}", "code/index.py": HANDLER}

    findings = check(project, files)

    assert rules(findings) == ["definition-path"]


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({"a.yaml": "\np: ${yaml(file('a.yaml'))}\n"}, ("a.yaml", 2)),
        ({"a.yaml": "p: ${yaml(file('b.yaml'))}\n", "b.yaml": "\n\nq: ${yaml(file('a.yaml'))}\n"}, ("a.yaml", 1)),
        ({"a.yaml": "".join(f"p{number}: ${{yaml(file('a.yaml'))}}\n" for number in range(2))}, ("a.yaml", 1)),
    ],
    ids=["itself", "each other", "wide"],
)
def test_files_that_include_each_other_are_one_finding(
    files: dict[str, str], line: tuple[str, int], project: Path
) -> None:
    props = GOOD.replace("}", ", annotations: \"${yaml(file('a.yaml'))}\"}")

    findings = check(project, {**files, "s.yaml": manifest(props), "code/index.py": HANDLER})

    circles = [one for one in findings if "refers to itself" in one.message]
    assert [(one.rule, one.file, one.line) for one in circles] == [("expression", *line)]


def make_pipe(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)


def make_link_to_itself(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path.name)


def make_folder(path: Path) -> None:
    path.mkdir(parents=True)


@pytest.mark.parametrize("make", [make_pipe, make_link_to_itself, make_folder])
@pytest.mark.parametrize(
    "name",
    [
        *(
            "flows/a.yaml",
            "policies/function-role.json",
            "code/requirements.txt",
            "code/.env",
            "code/.fcignore",
            ".env",
        ),
        *("s.other.yaml", "code/provider.py", "Dockerfile", "included"),
    ],
)
def test_what_is_no_plain_file_stops_nothing(make: Callable[[Path], None], name: str, project: Path) -> None:
    make(project / name)
    props = GOOD.replace("}", ", description: \"${file('included')}\"}")
    (project / "code").mkdir(exist_ok=True)

    findings = check(project, {"s.yaml": manifest(props), "code/index.py": f"import provider\n{HANDLER}"})

    assert set(rules(findings)) <= {"expression", "dependency-missing", "flow-definition", "role-actions"}


@pytest.mark.parametrize(
    ("props", "variables"),
    [
        ('{region: "' + "${vars.a}" * 3000 + '"}', f"vars: {{a: {'x' * 400_000}}}\n"),
        ('{region: "${vars.a0}"}', "vars:\n" + "".join(f"  a{n}: '{f'${{vars.a{n + 1}}}' * 50}'\n" for n in range(9)) + "  a9: y\n"),
        ('{region: "${vars.a}"}', "vars: ${vars}\n"),
        ('{region: "' + "${env(" * 20_000 + '"}', ""),
        ("{region: '" + "{{ " * 50_000 + "', role: '" + "<" * 50_000 + "'}", ""),
    ],
    ids=["long", "many", "circle", "no end of an expression", "no end of a placeholder"],
)  # fmt: skip
def test_texts_that_would_grow_without_bound_end_with_a_short_message(
    props: str, variables: str, project: Path
) -> None:
    findings = check(project, {"s.yaml": variables + manifest(props)})

    assert findings
    assert max(len(one.message) + len(one.hint) for one in findings) < 3000


@pytest.mark.parametrize(
    "code",
    [
        "x = " + "(" * 3000 + ")" * 3000 + "\n",
        "x = " + "-" * 100_000 + "1\n",
        "\0\n",
        "import index\n" * 20_000,
        "def handler(:\n",
    ],
    ids=["brackets", "signs", "null", "long", "syntax"],
)
def test_source_that_cannot_be_read_is_left_to_the_import(code: str, project: Path) -> None:
    assert check(project, {"s.yaml": manifest(GOOD), "code/index.py": code + HANDLER}) == []


def test_variables_and_handlers_that_no_process_can_have_stop_nothing(project: Path) -> None:
    props = (
        '{region: cn-hangzhou, functionName: a, runtime: python3.10, code: ./code, handler: "\\0.\\0", '
        'environmentVariables: {"A=B": x, "": y, N: "a\\0b", PYTHONHOME: /nowhere}}'
    )

    findings = check(project, {"s.yaml": manifest(props), "code/index.py": HANDLER}, imports=True)

    assert set(rules(findings)) <= {"handler-import", "handler-unchecked"}


@pytest.mark.parametrize("place", ["/", "../../../../../.."])
def test_code_that_is_the_whole_machine_is_not_searched(place: str, project: Path) -> None:
    assert check(project, {"s.yaml": manifest(GOOD.replace("./code", place))}) == []
