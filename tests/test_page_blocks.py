"""Every block that no test runs is read, by its language: data parses, and what the package knows about is accepted.

A flow must be one that the local CloudFlow runs, the properties of a function those of fc3, a policy one of RAM, and a command
inside one that exists. A block of a language that nothing checks says so before it: `<!-- skip: REASON -->`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from fc_callback.checking import check_project
from fc_callback.checking.properties import fc3_schema
from fc_callback.checking.properties import problems_of as property_problems
from fc_callback.flows import parse_flow
from fc_callback.project.yaml_reader import parse_yaml
from tests.page_commands import problem_of, simple_commands
from tests.pages import PAGES, ROOT, Block, blocks_of, commands_of, page_name

CHECKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
# Source: the RAM authorization of each API. Those of the templates' policies are known too.
ACTIONS = {
    *("kms:Decrypt", "kms:GetSecretValue", "log:PostLogStoreLogs", "oos:GetSecretParameter"),
    *("fc:*", "fnf:CreateFlow", "fnf:UpdateFlow", "fnf:DescribeFlow", "ram:PassRole", "sts:AssumeRoleWithOIDC"),
    *("fnf:StartExecution", "fnf:DescribeExecution", "fnf:GetExecutionHistory", "fnf:StopExecution"),
} | {
    action
    for policy in (ROOT / "templates").glob("*/src/policies/*.json")
    for action in re.findall(r'"(\w+:[A-Z]\w+)"', policy.read_text("utf-8"))
}
SERVICES = {"fc.aliyuncs.com", "fnf.aliyuncs.com", "mns.aliyuncs.com"}
INSTRUCTIONS = (
    "ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR"
)
# The languages that a test of their own runs.
RUN = {"python": "test_docs.py", "sql": "test_dashboard.py"}
# What a page does not show, or what its session shows: `fc-callback check`.
OF_OTHER_FILES = {"code-path", "expression", "handler-string", "handler-import", "start-command", "flow-definition"}


def problems_of_block(block: Block, folder: Path) -> list[str]:
    """Return what is wrong with a block; an empty folder is needed."""
    if "skip" in block.notes or block.language.startswith("{"):
        return []  # {toctree}: the site is built by tests/test_site.py
    if block.language == "text" and "file" in block.notes:
        return []  # a page that is followed uses it
    if block.language in RUN and (ROOT / "tests" / RUN[block.language]).is_file():
        return []
    readers: dict[str, Any] = {
        "console": lambda: _problems_of_words(block),
        "sh": lambda: filter(None, (problem_of(words, whole=True) for words in simple_commands(block.text))),
        "dockerfile": lambda: _problems_of_dockerfile(block.text),
        "json": lambda: _problems_of_data(json.loads(block.text), block.text, folder),
        "yaml": lambda: _problems_of_data(parse_yaml(block.text), block.text, folder),
        "toml": lambda: _problems_of_data(tomlkit.parse(block.text).unwrap(), block.text, folder),
    }
    if block.language not in readers:
        return [f"Nothing checks a block of {block.language or 'no language'}: say why with <!-- skip: REASON -->."]
    try:
        return list(readers[block.language]())
    except ValueError as error:
        return [str(error)]


def _problems_of_data(data: Any, text: str, folder: Path) -> Iterator[str]:
    yield from _problems_of_commands_in(data)
    if not isinstance(data, dict):
        return
    if data.get("Type") == "StateMachine" or {"version", "steps"} <= set(data):
        yield from (warning.message for warning in parse_flow(text).warnings)
    elif "Statement" in data:
        yield from _problems_of_policy(data)
    elif {"edition", "resources"} <= set(data):
        (folder / "s.yaml").write_text(text, "utf-8")
        found = [one for one in check_project(folder, imports=False) if one.severity == "error"]
        yield from (f"{one.message} {one.hint}" for one in found if one.rule not in OF_OTHER_FILES)
    elif 2 * len(set(data) & set(fc3_schema()["properties"])) >= len(data):  # a part of `props`
        found_in_part = [one for one in property_problems(data) if one.rule != "missing-property"]
        yield from (f"{one.message} {one.hint}" for one in found_in_part)


def _problems_of_commands_in(data: Any) -> Iterator[str]:
    """Find the commands that are values: `run: COMMAND`, and `command: [PROGRAM, ARGUMENT]`."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        if key == "run" and isinstance(value, str):
            yield from filter(None, (problem_of(words, whole=True) for words in simple_commands(value)))
        elif isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            yield from filter(None, [problem_of(value, whole=True)])
        else:
            yield from _problems_of_commands_in(value)


def _problems_of_policy(policy: dict[str, Any]) -> Iterator[str]:
    if policy.get("Version") != "1" or set(policy) != {"Version", "Statement"}:
        yield 'A policy has "Version": "1", and a Statement.'
    for statement in policy["Statement"]:
        actions, resources = (_as_list(statement.get(key, [])) for key in ("Action", "Resource"))
        principal = statement.get("Principal", {})
        if statement.get("Effect") not in ("Allow", "Deny") or not actions or bool(resources) == bool(principal):
            yield f"A statement has an Effect, an Action, and either a Resource or a Principal: {statement}"
        yield from (f"{action} is not in the list of known actions." for action in actions if action not in ACTIONS)
        services = _as_list(principal.get("Service", []))
        yield from (f"{service} does not assume roles here." for service in services if service not in SERVICES)
        pattern = r"\*|acs:[a-z]+:[\w*-]*:[\d*]*:\S+"
        yield from (f"{one} is no ARN of a resource." for one in resources if not re.fullmatch(pattern, one))


def _as_list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _problems_of_words(block: Block) -> Iterator[str]:
    """Find the words of commands that are data. The commands themselves: tests/test_page_commands.py."""
    for command in commands_of(block):
        for word in (word for words in simple_commands(command.text) for word in words if word.startswith("{")):
            data = json.loads(word)
            yield from _problems_of_policy(data) if "Statement" in data else ()


def _problems_of_dockerfile(text: str) -> Iterator[str]:
    for line in re.sub(r"\\\n|^#.*\n", "", text, flags=re.MULTILINE).splitlines():
        instruction, _, rest = line.strip().partition(" ")
        if instruction and not re.fullmatch(INSTRUCTIONS, instruction):
            yield f"{instruction} is no instruction of a Dockerfile."
        words = [json.loads(rest)] if rest.startswith("[") else simple_commands(rest) if instruction == "RUN" else []
        yield from filter(None, (problem_of(each, whole=True) for each in words))


@pytest.mark.parametrize("page", CHECKED, ids=page_name)
def test_every_block_of_a_page_is_run_or_checked(page: Path, tmp_path: Path) -> None:
    found = {block.line: problems_of_block(block, tmp_path) for block in blocks_of(page.read_text("utf-8"))}

    assert {line: problems for line, problems in found.items() if problems} == {}


STEP = (
    "{Type: Task, Name: A, Action: 'FC:InvokeFunction', Parameters: {resourceArn: 'acs:fc:::functions/a'}, End: true}"
)
FLOW = f"Type: StateMachine\nSpecVersion: v1\nName: a\nStartAt: A\nStates:\n  - {STEP}\n"
S_YAML = """\
edition: 3.0.0
name: a
resources:
  a:
    component: fc3
    props: {region: cn-hangzhou, functionName: a, handler: index.a, runtime: python3.10, code: ./code}
"""
POLICY = '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "fc:InvokeFunction", "Resource": "*"}]}'


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("yaml", FLOW),
        ("yaml", S_YAML),
        (
            "yaml",
            "instanceConcurrency: 16\ncustomRuntimeConfig: {command: [python3, -m, fc_callback, serve, index.handler]}",
        ),
        ("yaml", "jobs: {check: {steps: [{run: fc-callback check . --format github}]}}"),
        ("json", POLICY),
        ("toml", "[tool.pytest]\naddopts = '-q'"),
        (
            "dockerfile",
            'FROM python:3.12\nRUN pip install \\\n  flask\n# the server\nCMD ["fc-callback", "serve", "index.a"]',
        ),
        ("console", f"aliyun ram CreatePolicy --PolicyName a --PolicyDocument '{POLICY}'"),
    ],
)
def test_a_block_that_is_right_is_no_problem(language: str, text: str, tmp_path: Path) -> None:
    assert problems_of_block(Block(1, language, text.splitlines(), {}), tmp_path) == []


@pytest.mark.parametrize(
    ("language", "text", "told"),
    [
        ("yaml", "a: [1", "line 2"),
        ("yaml", "a: 1\na: 2", "second time"),
        ("yaml", FLOW.replace("StartAt: A", "StartAt: B"), "B"),
        ("yaml", FLOW.replace("End: true", "End: true, Patience: 3"), "Patience"),
        ("json", '{"version": "v1", "type": "flow", "steps": [{"type": "tusk", "name": "a"}]}', "tusk"),
        ("yaml", S_YAML.replace("functionName", "functionNmae"), "functionNmae"),
        ("yaml", "cpu: 0.35\nmemSize: 512", "memSize"),
        ("yaml", "command: [python3, -m, fc_callback, serve, --workers, '16']", "--workers"),
        ("yaml", "steps: [{run: fc-callback chek}]", "chek"),
        ("json", POLICY.replace('"1"', '"2012"'), "Version"),
        ("json", POLICY.replace("InvokeFunction", "Invoke"), "fc:Invoke is not"),
        ("json", POLICY.replace('"*"', '"functions/a"'), "no ARN"),
        (
            "json",
            POLICY.replace('"Resource": "*"', '"Principal": {"Service": ["fc.amazonaws.com"]}'),
            "fc.amazonaws.com",
        ),
        ("json", POLICY.replace('"Resource"', '"Resources"'), "a Resource"),
        ("json", '{"a": 1,}', "line 1"),
        ("toml", "a = ", "line 1"),
        ("dockerfile", "FORM python:3.12", "FORM"),
        ("dockerfile", 'CMD ["fc-callback", "server"]', "server"),
        ("console", "fc-callback flow start a --input '{id: 1}'", "double quotes"),
        ("console", f"aliyun ram CreatePolicy --PolicyDocument '{POLICY.replace('fc:', 'fcs:')}'", "fcs:"),
        ("text", "a", "skip"),
        ("bash", "ls", "skip"),
        ("", "a", "no language"),
    ],
)
def test_a_block_that_is_wrong_is_told(language: str, text: str, told: str, tmp_path: Path) -> None:
    assert told in "\n".join(problems_of_block(Block(1, language, text.splitlines(), {}), tmp_path))
