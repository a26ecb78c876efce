"""The pages of the documentation, and their blocks: what tests read, and run as a reader would.

A comment before a block says what it is: `<!-- file: NAME -->` a file to save, `<!-- skip: REASON -->` a block that no test can
check, `<!-- not run: REASON -->` commands that need an account or an installation.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import attrs

from tests.parts import need

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted(DOCS.glob("**/*.md"))]
_NEEDS = {"web-framework": "web frameworks"}  # what the examples of a page need beside the package
_FENCE = re.compile(r"^( *)(`{3,})([^`]*)$")
_NOTE = re.compile(r"^ *<!-- (file|skip|not run):(.*)-->$")


@attrs.frozen
class Block:
    """A fenced block.

    Attributes:
        line: The line of its first fence.
        language: What stands behind the fence, like `python`.
        lines: The lines between its fences, without the indentation of the fence.
        notes: What the comments before it say, by the word that they begin with.
    """

    line: int
    language: str
    lines: list[str]
    notes: dict[str, str]

    @property
    def text(self) -> str:
        """What the block holds, as a file."""
        return "".join(f"{line}\n" for line in self.lines)

    @property
    def is_session(self) -> bool:
        """Whether it shows commands, behind `$ `, with what they print."""
        return self.language == "console" and any(line.startswith("$ ") for line in self.lines)


@attrs.frozen
class Command:
    """A command, and what the page shows below it."""

    text: str
    shown: str


def blocks_of(text: str) -> list[Block]:
    """Return the blocks of a page.

    Raises:
        ValueError: A block has no end, or a comment before it has a word and nothing behind it.
    """
    found: list[Block] = []
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        if fence := _FENCE.match(lines[number]):
            if fence[1] + fence[2] not in lines[number + 1 :]:
                raise ValueError(f"The block at line {number + 1} has no end.")
            end = lines.index(fence[1] + fence[2], number + 1)
            inside = [line[len(fence[1]) :] for line in lines[number + 1 : end]]
            found.append(Block(number + 1, fence[3].strip(), inside, _notes_before(lines, number)))
            number = end
        number += 1
    return found


def _notes_before(lines: list[str], number: int) -> dict[str, str]:
    notes: dict[str, str] = {}
    for line in reversed(lines[:number]):
        if note := _NOTE.match(line):
            if not note[2].strip():
                raise ValueError(f"The comment {line.strip()!r} before the block at line {number + 1} is not complete.")
            notes[note[1]] = note[2].strip()
        elif line.strip():
            break
    return notes


def commands_of(block: Block) -> list[Command]:
    """Return the commands of a session, or of a list of commands, which shows nothing that they print."""
    commands: list[Command] = []
    prompt = "$ " if block.is_session else ""
    for line in block.lines:
        if commands and goes_on(commands[-1].text):
            commands[-1] = Command(f"{commands[-1].text}\n{line}", "")
        elif line.startswith(prompt):
            commands.append(Command(line[len(prompt) :], ""))
        elif commands:
            commands[-1] = Command(commands[-1].text, f"{commands[-1].shown}{line}\n")
    return commands


def goes_on(command: str) -> bool:
    """Say whether a shell's command goes on in the next line: it ends with a backslash, or a quotation is open."""
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return True
    return False


def prose_of(text: str) -> str:
    """Return a page without its blocks: empty lines stand for them."""
    lines = text.splitlines()
    for block in blocks_of(text):
        lines[block.line - 1 : block.line + len(block.lines) + 1] = [""] * (len(block.lines) + 2)
    return "\n".join(lines)


def page_name(page: Path) -> str:
    """Return the name of a page in a test's id."""
    return page.relative_to(ROOT).as_posix()


def run_file(name: str, file: str) -> dict[str, Any]:
    """Run a file that a page of docs shows; return what it has defined."""
    namespace: dict[str, Any] = {"__name__": Path(file).stem}
    [block] = [one for one in blocks_of((DOCS / name).read_text("utf-8")) if one.notes.get("file", "").strip() == file]
    exec(compile("\n" * block.line + block.text, name, "exec"), namespace)
    return namespace


def need_for(page: Path) -> None:
    """Skip the test of a page whose examples need what this machine lacks; in the gate, fail."""
    if page.stem in _NEEDS:
        need(_NEEDS[page.stem])
