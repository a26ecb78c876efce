"""Each page with a session is followed word for word in a new directory: see `tests.followed_page`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.followed_page import Reader, agrees, reader_in, sessions_of
from tests.pages import DOCS, PAGES, ROOT, Command, blocks_of, commands_of, need_for, page_name
from tests.profiles import THOROUGH

if TYPE_CHECKING:
    from collections.abc import Iterator

# A Chinese page has the blocks of its English page (tests/test_docs_zh.py): what holds for the one holds for the other.
FOLLOWED = [
    page
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]
    if DOCS / "zh" not in page.parents and page.name != "README.zh-CN.md" and sessions_of(page.read_text("utf-8"))
]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader with a new home and an empty directory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    path = os.pathsep.join((str(Path(sys.executable).parent), kept["PATH"]))
    changed = {"PATH": path, "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path / "home")}
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    with reader_in(tmp_path / "work", {**kept, **changed}) as reader:
        yield reader


@pytest.mark.timeout(300)  # a page has up to twenty commands, each a process
@pytest.mark.parametrize("page", FOLLOWED, ids=page_name)
def test_a_reader_who_follows_a_page_sees_what_it_shows(reader: Reader, page: Path) -> None:
    need_for(page)

    reader.follow(page.read_text("utf-8"))

    console = re.search(r"http://\S+/console/", reader.printed)
    if console is not None:  # the address that the page tells to open
        with urllib.request.urlopen(console[0], timeout=60) as opened:
            executions = opened.read().decode()
        assert [
            name for name in re.findall(r"^Started (\S+)\.$", reader.printed, re.MULTILINE) if name not in executions
        ] == []


@pytest.mark.thorough
@pytest.mark.skipif(not THOROUGH, reason="This makes an environment; HYPOTHESIS_PROFILE=thorough runs it.")
@pytest.mark.timeout(500)
def test_the_tutorial_can_be_followed_in_a_new_environment(reader: Reader, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=100)
    install = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        f"{ROOT}[test]",
    ]  # the command of the page, in a checkout
    subprocess.run(install, check=True, timeout=300)
    reader.environment["PATH"] = os.pathsep.join((str(python.parent), os.environ["PATH"]))

    reader.follow((DOCS / "tutorial.md").read_text("utf-8"))

    assert "it has succeeded with" in reader.printed  # the first callback
    assert "ExecutionSucceeded" in reader.printed


def test_the_pages_that_a_newcomer_follows_are_among_them() -> None:
    commands = {
        page_name(page): sum(map(len, map(commands_of, sessions_of(page.read_text("utf-8"))))) for page in FOLLOWED
    }

    assert commands["docs/tutorial.md"] > 12
    assert commands["docs/adding.md"] > 3


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("took 3.31 s", "took 250 ms", True),
        ("request 1-6b0a62e6-ba104454aa5a-4108be5be794", "request 1-6b0a8108-bdcca33ebc7d-4705a797b1ac", True),
        ("a/ef973001-f1c5-4aba-a937-aa84970c5978", "a/2a1c77d0-0d1d-4f0f-b21d-9be2aa7c1d7d", True),
        ("abc7d", "abc8d", False),
        ("     +0.01 s  Charge", "   +1 min 2 s  Charge", True),
        ("a\n...\nb\n", "a\nx\ny\nb\n", True),
        ("a\n...\nb\n", "a\nb\n", True),
        ("Charge  done", "Charge         done", True),
        ("Charge  done", "Charge  failed", False),
        ("a\n", "a\nb\n", False),
        ("  a: 1\n", "    a: 1\n", False),
        ("ATTEMPT 1", "ATTEMPT 2", False),
    ],
)
def test_only_what_differs_each_time_may_differ(shown: str, printed: str, expected: bool) -> None:
    assert agrees(shown, printed) is expected


def session(*lines: str) -> str:
    return "\n".join(("```console", *lines, "```", ""))


def test_a_command_may_have_several_lines() -> None:
    [block] = blocks_of(session("$ echo a \\", "  b", "a b", "$ echo '{", "}'", "{", "}"))

    assert commands_of(block) == [Command("echo a \\\n  b", "a b\n"), Command("echo '{\n}'", "{\n}\n")]


def test_a_command_finds_the_files_the_directory_and_the_variables_that_the_page_made(reader: Reader) -> None:
    file = "<!-- file: code/words.txt -->\n\n```text\none\n```\n"
    reader.follow(
        file + session("$ cd code", "$ export WORD='a  b' OTHER=2", '$ cat words.txt && echo "$WORD"', "one", "a  b")
    )

    assert [path.name for path in reader.root.rglob("*.txt")] == ["words.txt"]


def test_what_a_page_does_not_show_is_told(reader: Reader) -> None:
    with pytest.raises(AssertionError, match="two"):
        reader.follow(session("$ echo one; echo two", "one"))


def test_a_command_that_fails_is_told_unless_the_page_shows_its_code(reader: Reader) -> None:
    reader.follow(session("$ echo no; exit 3", "no", "$ echo $?", "3"))

    with pytest.raises(AssertionError, match="ended with 3"):
        reader.follow(session("$ (exit 3)"))
    with pytest.raises(AssertionError, match="The page shows:\n2"):
        reader.follow(session("$ (exit 3)", "$ echo $?", "2"))


APP = """<!-- file: app.py -->

```python
async def app(scope, receive, send):
    await receive()
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"WORD"})
    else:
        await send({"type": "lifespan.startup.complete"})
        await receive()
```

"""
SERVER = ("$ uvicorn app:app", "...", "INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)")
READ = "$ python -c 'from urllib.request import urlopen; print(urlopen(\"http://127.0.0.1:8000/\").read())'"


def test_a_server_runs_in_the_background_until_it_is_started_again(reader: Reader) -> None:
    for word in ("one", "two"):
        reader.follow(APP.replace("WORD", word) + session(*SERVER) + session(READ, f"b'{word}'"))


def test_a_server_that_does_not_start_is_told(reader: Reader) -> None:
    with pytest.raises(AssertionError, match="Could not import module"):
        reader.follow(session(*SERVER))


def test_blocks_that_are_not_run_are_not_run(reader: Reader) -> None:
    reader.follow("<!-- not run: it needs an account -->\n\n" + session("$ touch there"))

    assert list(reader.root.iterdir()) == []


def test_a_file_outside_of_the_directory_is_refused(reader: Reader) -> None:
    with pytest.raises(AssertionError, match="outside"):
        reader.follow("<!-- file: ../there.txt -->\n\n```text\none\n```\n")


def test_few_commands_of_the_tutorial_are_not_run() -> None:
    skipped = [block for block in blocks_of((DOCS / "tutorial.md").read_text("utf-8")) if "not run" in block.notes]
    assert len(skipped) <= 4
