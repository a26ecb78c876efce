"""The commands, options and extras that a page or a README names exist, in both languages: see `tests.page_commands`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.page_commands import extras_problem, inline_code_of, options_of_commands, problem_of, simple_commands
from tests.pages import PAGES, ROOT, blocks_of, commands_of, page_name

OTHER_TOOLS = {"--find-links", "--hash", "--parameters"}  # of pip, and of `s init`
CHECKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]


def problems_of(text: str) -> list[str]:
    """Return what a page names and this checkout lacks."""
    blocks = blocks_of(text)
    files = {block.notes["file"] for block in blocks if "file" in block.notes}
    typed = [command.text for block in blocks if block.language == "console" for command in commands_of(block)]
    named = [code for code in inline_code_of(text) if code.startswith(("fc-callback ", "pip ", "pytest ", "python "))]
    found = [problem_of(words, whole=True, files=files) for each in typed for words in simple_commands(each)]
    found += [problem_of(words, whole=False, files=files) for each in named for words in simple_commands(each)]
    return [problem for problem in [*found, extras_problem(text)] if problem is not None]


@pytest.mark.parametrize("page", CHECKED, ids=page_name)
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    assert problems_of(page.read_text("utf-8")) == []


def test_every_option_in_a_sentence_is_one_of_a_command() -> None:
    options = options_of_commands()
    named = {
        code.split()[0].partition("=")[0]: page_name(page)
        for page in CHECKED
        for code in inline_code_of(page.read_text("utf-8"))
        if code.startswith("--")
    }
    assert len(named) > 10
    assert {option: page for option, page in named.items() if option not in options | OTHER_TOOLS} == {}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("fc-callback flwo waiting", "no command flwo"),
        ("fc-callback flow wait orders", "no command wait"),
        ("fc-callback flow waiting orders --older 1h", "--older"),
        ("fc-callback flow waiting orders payments --json", "payments"),
        ("cd orders && fc-callback check . --format xml", "xml"),
        ("fc-callback check . --strict", "--strict"),
        ("FC_REGION=cn-hangzhou python -m fc_callback lokal", "no command lokal"),
        ("fc-callback serve index.handler --workers 4", "--workers"),
        ("fc-callback schema", "Missing"),
        ("python -m benchmarks.fast", "no benchmarks.fast"),
        ("python -m benchmarks.storm --functions 2", "--functions"),
        ("python benchmarks/fast.py", "no benchmarks/fast.py"),
        ("python -m pytest tests/test_nothing.py -k one", "tests/test_nothing.py"),
        ("pip install '.[lokal]'", "no extra lokal"),
        ("pip install 'fc-callback[local,sealing]' -r requirements.txt", "no extra sealing"),
        ("fc-callback report \\\n  --output '{}' --tokn t < token.txt", "--tokn"),
    ],
)
def test_a_command_that_cannot_be_typed_is_told(command: str, told: str) -> None:
    assert told in problems_of(f"```console\n{command}\n```\n")[0]


@pytest.mark.parametrize(
    "command",
    [
        "cd orders && python -m pytest -q  # it's quick",
        'fc-callback report --output \'{"a": "b | c"}\' < token.txt',
        "fc-callback check /some/project --no-imports | tee found.txt",
        "FLOW_MANIFEST=prod.flow.yaml pytest smoke",
        "$ fc-callback flow waiting\nfc-callback prints no command",
    ],
)
def test_a_command_that_can_be_typed_is_no_problem(command: str) -> None:
    assert problems_of(f"```console\n{command}\n```\n") == []


@pytest.mark.parametrize(
    ("sentence", "problems"),
    [
        ("Run `fc-callback flow complete`, or `fc-callback COMMAND --help`.", 0),
        ("The parts of `fc-callback new [TEMPLATE] [DIR] [--set NAME=VALUE]`.", 0),
        ("Run `fc-callback flow waiting\norders --older-than 1h --json`.", 0),
        ("Run `fc-callback flow finish`.", 1),
        ("Run `fc-callback flow waiting orders --older 1h`.", 1),
    ],
)
def test_a_command_in_a_sentence_may_lack_arguments_only(sentence: str, problems: int) -> None:
    assert len(problems_of(sentence)) == problems
