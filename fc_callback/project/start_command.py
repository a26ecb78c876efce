"""Read the command that starts a custom runtime or a container, and the handler that it serves.

The command is in s.yaml (`customRuntimeConfig`, `customContainerConfig`), in the file `bootstrap` of the code, or in the
Dockerfile beside s.yaml. Source: FC documentation, "Custom runtimes" (the default is /code/bootstrap).
"""

from __future__ import annotations

import json
import re
import shlex
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.project.documents import relative_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fc_callback.project.manifest import Function

_CONFIGS = ("customRuntimeConfig", "customContainerConfig")
_WORDS = ("entrypoint", "command", "args")
_COMMANDS = {"fc-callback", "fc_callback"}
_HANDLER = re.compile(r"[\w./-]+\.\w+")
# What may let a script find another Python.
_CHANGES_PATH = re.compile(r"PATH|activate|alias|^\s*(source|\.)\s")
_MOST_BYTES = 64 * 1024


@attrs.frozen(kw_only=True)
class StartCommand:
    """A start command.

    Attributes:
        words: Its words. The words of a shell's text are among them, so that an expression of a shell may be one.
        file: The file that has it, relative to the project.
        line: The line there.
        is_exact: Whether `words` are what FC starts; a text for a shell may change the environment before.
    """

    words: tuple[str, ...]
    file: str
    line: int
    is_exact: bool = True

    @property
    def handler(self) -> str | None:
        """The handler that `fc-callback serve` gets; None if the command is another one."""
        arguments = iter(self._arguments())
        for argument in arguments:
            if not argument.startswith("-"):
                return argument if _HANDLER.fullmatch(argument) else None
            if "=" not in argument:
                next(arguments, None)  # each option of `serve` has a value
        return None

    def option(self, name: str) -> str | None:
        """Return the value of an option of `fc-callback serve`, like `--initializer`."""
        arguments = list(self._arguments())
        for index, argument in enumerate(arguments):
            if argument == name:
                return next(iter(arguments[index + 1 :]), None)
            if argument.startswith(f"{name}="):
                return argument.partition("=")[2]
        return None

    def _arguments(self) -> Sequence[str]:
        """Return the words after `fc-callback serve` or `python -m fc_callback serve`."""
        for index, word in enumerate(self.words[1:], start=1):
            if word == "serve" and PurePosixPath(self.words[index - 1]).name in _COMMANDS:
                return self.words[index + 1 :]
        return ()


def start_command(function: Function) -> StartCommand | None:
    """Return the command that starts a function; None if FC calls its handler, or if no file here shows the command."""
    if not function.runtime.startswith("custom"):
        return None
    for name in _CONFIGS:
        config = function.mapping(name)
        parts = [config[key] for key in _WORDS if isinstance(config.get(key), list)]
        if words := [word for part in parts for word in part]:
            return _of_words(words, function.document.file, function.line(name))
    root = function.document.path.parent
    if function.runtime == "custom-container":
        return _of_dockerfile(root / "Dockerfile", root)
    return None if function.code_dir is None else _of_bootstrap(function.code_dir / "bootstrap", root)


def _of_words(given: Sequence[Any], file: str, line: int) -> StartCommand:
    texts = [str(word) for word in given]
    words = [part for text in texts for part in (_split_line(text) if " " in text else [text])]
    # A text with spaces is for a shell, or known only after a deployment.
    return StartCommand(words=tuple(words), file=file, line=line, is_exact=words == texts)


def _of_bootstrap(path: Path, root: Path) -> StartCommand | None:
    """Return the line of a script that serves a handler. A bootstrap may also be a compiled program."""
    lines = _lines_of(path)
    is_exact = not any(_CHANGES_PATH.search(line) for _, line in lines)
    for number, line in lines:
        words = _split_line(line)
        words = words[1:] if words[:1] == ["exec"] else words
        found = StartCommand(words=tuple(words), file=relative_name(path, root), line=number, is_exact=is_exact)
        if found.handler:
            return found
    return None


def _of_dockerfile(path: Path, root: Path) -> StartCommand | None:
    """Return the ENTRYPOINT and the CMD of the last stage, as one command."""
    parts: dict[str, tuple[list[str], int]] = {}
    for number, line in _lines_of(path):
        instruction, _, rest = line.strip().partition(" ")
        if instruction.upper() == "FROM":
            parts.clear()
        elif instruction.upper() in {"CMD", "ENTRYPOINT"}:
            parts[instruction.upper()] = (_docker_words(rest.strip()), number)
    words = [word for name in ("ENTRYPOINT", "CMD") for word in parts.get(name, ([], 0))[0]]
    if not words:
        return None
    last = max(number for _, number in parts.values())
    return attrs.evolve(_of_words(words, relative_name(path, root), last), is_exact=False)


def _docker_words(text: str) -> list[str]:
    with suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, list):
            return [str(word) for word in found]
    return _split_line(text)


def _lines_of(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a text file, each with the number of its first line; empty for any other file."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8")
    except (OSError, ValueError):
        return []
    lines: list[tuple[int, str]] = []
    open_line = ""
    for number, line in enumerate(text.splitlines(), 1):
        first = lines.pop()[0] if open_line else number
        joined = f"{open_line} {line}" if open_line else line
        open_line = joined.removesuffix("\\") if joined.endswith("\\") else ""
        lines.append((first, joined))
    return lines


def _split_line(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:  # a quotation mark without a second one
        return text.split()
