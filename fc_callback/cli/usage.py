"""The parts that commands share: the exit codes of their errors, and texts that come from the command line or from a file."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import NoReturn

import typer

from fc_callback.errors import SettingsError

FAILED, USAGE = 1, 2
LOG_VARIABLE = "CLOUDFLOW_LOG_FORM"
_UTF_8 = "Give the text as UTF-8."


class LogForm(str, Enum):
    """The values of the option `--log`."""

    json = "json"
    console = "console"


def fail(command: str, problem: Exception) -> NoReturn:
    """Print a problem to standard error and end the command: with 2 for wrong usage, else with 1.

    Raises:
        typer.Exit: Always.
    """
    typer.echo(f"fc-callback {command}: {problem}", err=True)
    raise typer.Exit(USAGE if isinstance(problem, SettingsError) else FAILED) from None


def text_of(option: str, given: str, *, hint: str = _UTF_8) -> str:
    """Return the text of an option: the option's own value, or the content of `@FILE`.

    Args:
        option: The option's name, for errors.
        given: Its value.
        hint: What to do with bytes that are not UTF-8.

    Raises:
        SettingsError: The file cannot be read, or the text is not UTF-8.
    """
    return (
        text_of_file(option, given[1:], hint=hint) if given.startswith("@") else checked_text(option, given, hint=hint)
    )


def checked_text(option: str, given: str, *, hint: str = _UTF_8) -> str:
    """Return an option's value.

    Raises:
        SettingsError: Its bytes are not UTF-8. Python replaces such bytes of the command line by lone surrogates.
    """
    return _decoded(given.encode("utf-8", "surrogateescape"), option, hint)


def text_of_file(option: str, file: str, *, hint: str = _UTF_8) -> str:
    """Return the text of a file that an option names; for `-` that of standard input.

    Raises:
        SettingsError: The file cannot be read, or it is not UTF-8.
    """
    return _decoded(bytes_of_file(option, file), f"{option}: {file}", hint)


def bytes_of_file(option: str, file: str) -> bytes:
    """Return the bytes of a file that an option names; for `-` those of standard input.

    Raises:
        SettingsError: The file cannot be read.
    """
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise SettingsError(f"{option}: {file} cannot be read: {error.strerror}.", hint="Check the path.") from None


def _decoded(content: bytes, source: str, hint: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise SettingsError(f"{source} is not UTF-8: byte {error.start} is invalid.", hint=hint) from None
