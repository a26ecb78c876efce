"""The commands that a page names: whether this checkout has them, without running them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any

import tomlkit
import typer
import typer.main

from fc_callback.cli.app import app
from fc_callback.cli.serve import command_parser
from tests.pages import ROOT, goes_on, prose_of

_UsageError: Any = typer.BadParameter.__base__  # of Click, or of the copy of Click in newer versions of Typer
_OPERATOR = re.compile(r"[();<>|&]+")
_PLACEHOLDER = re.compile(r"[A-Z_]{2,}|<.*>|\.\.\.")
_EXTRAS = re.compile(r"(?:\bfc-callback|(?<!\S)\.)\[([\w,]+)\]")


def inline_code_of(text: str) -> list[str]:
    """Return the inline code of a page, outside of its blocks."""
    paragraphs = re.split(r"\n\s*\n", prose_of(text))
    spans = [span for paragraph in paragraphs for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", paragraph)]
    return [" ".join(span.replace(r"\|", "|").split()) for span in spans]


def simple_commands(script: str) -> Iterator[list[str]]:
    """Return the words of each command of a shell script, without variables and redirections."""
    command = ""
    for line in script.splitlines():
        command = f"{command}\n{line}" if command else line
        if not goes_on(command):
            yield from _separated(command.replace("\\\n", " "))
            command = ""


def _separated(command: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    redirected = False
    for word in [*lexer, ";"]:
        if _OPERATOR.fullmatch(word):
            redirected = word[0] in "<>"
            if not redirected:
                if words:
                    yield words
                words = []
        elif redirected:
            redirected = False
        elif words or not re.match(r"\w+=", word):
            words.append(word)


def problem_of(words: list[str], *, whole: bool, files: Iterable[str] = ()) -> str | None:
    """Return what this checkout lacks for a command.

    Args:
        words: The command.
        whole: Whether it can be typed as it is; else it may lack arguments, and name any of them, as a sentence does.
        files: What a reader has saved.
    """
    if words[0] in ("python", "python3"):
        if words[1:2] == ["-m"]:
            return _module_problem(words[2], words[3:], whole=whole, files=files)
        if words[1:] and words[1].endswith(".py") and words[1] not in files and not (ROOT / words[1]).is_file():
            return f"There is no {words[1]}."
    if words[0] in ("fc-callback", "pip", "pytest"):
        return _module_problem(words[0].replace("-", "_"), words[1:], whole=whole, files=files)
    return None


def _module_problem(module: str, words: list[str], *, whole: bool, files: Iterable[str]) -> str | None:
    if module == "fc_callback":
        return _own_problem(words, whole=whole)
    if module == "pip":
        return extras_problem(" ".join(words))
    if module == "pytest":
        return _pytest_problem(words, files)
    if module.startswith("benchmarks."):
        file = ROOT / f"{module.replace('.', '/')}.py"
        if not file.is_file():
            return f"There is no {module}."
        options = [word for word in words if word.startswith("--")]
        return next((f"{module} has no {one}." for one in options if f'"{one}"' not in file.read_text("utf-8")), None)
    return None


def _own_problem(words: list[str], *, whole: bool) -> str | None:
    words = [re.sub(r"^\[(?=[\w-])|(?<=\w)\](?!.)", "", word) for word in words] if not whole else words
    command, path = typer.main.get_command(app), "fc-callback"
    while inner := getattr(command, "commands", None):
        if not words or words[0].startswith("-"):
            break
        if _PLACEHOLDER.fullmatch(words[0]) and not whole:
            return None
        if words[0] not in inner:
            return f"{path} has no command {words[0]}."
        command, path, words = inner[words[0]], f"{path} {words[0]}", words[1:]
    if path == "fc-callback serve":
        spelled = command_parser().format_usage()
        return next((f"{path} has no {one}." for one in words if one[:2] == "--" and f"{one} " not in spelled), None)
    context: Any = typer.Context(command, info_name=path, **command.context_settings)
    try:
        if whole and not hasattr(command, "commands"):
            command.make_context(path, list(words))
    except _UsageError as error:
        if "does not exist" not in error.format_message():  # a directory of the reader
            return f"{path}: {error.format_message()}"
    try:
        _, rest, _ = command.make_parser(context).parse_args(list(words))
    except _UsageError as error:
        return f"{path}: {error.format_message()}"
    return f"{path} takes no {rest[0]}." if rest else None


def _pytest_problem(words: list[str], files: Iterable[str]) -> str | None:
    paths = [word for word in words if ("/" in word or word.endswith(".py")) and word not in files]
    bases = (ROOT, *(ROOT / "templates").iterdir())
    for path in paths:
        if not any((base / path.partition("::")[0]).exists() for base in bases):
            return f"There is no {path} for pytest."
    return None


def extras_problem(text: str) -> str | None:
    """Return which extra of the package does not exist, of those that a text names: `fc-callback[local]` or `.[local]`."""
    known = tomlkit.parse((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = [extra for extras in _EXTRAS.findall(text) for extra in extras.split(",")]
    return next((f"The package has no extra {extra}." for extra in named if extra not in known), None)


def options_of_commands() -> set[str]:
    """Return the options of all commands of fc-callback."""
    found = set(re.findall(r"(--[\w-]+) ", command_parser().format_usage()))
    waiting: list[Any] = [typer.main.get_command(app)]
    while waiting:
        command = waiting.pop()
        context = typer.Context(command, **command.context_settings)
        found |= {spelled for each in command.get_params(context) for spelled in (*each.opts, *each.secondary_opts)}
        waiting += getattr(command, "commands", {}).values()
    return found
