"""The reference of the command line, as Markdown: every command with its arguments and options."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import typer
import typer.main
from docstrings import escaped

from fc_callback.cli.app import app
from fc_callback.cli.serve import command_parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_NAME = "fc-callback"
_REMARKS = re.compile(r"\s*\[([^\[\]]+)\]$")  # [default: 60; x>=1] or [required], at the end of a help text
_DEFAULT = re.compile(r" \(default: ([^)]+)\)")


def command_reference() -> str:
    """Return an entry for each command, and for each command of a group."""
    command = typer.main.get_command(app)
    return "\n\n".join(_entries(command, typer.Context(command, info_name=_NAME), f"## {_NAME}"))


def _entries(command: Any, context: Any, heading: str) -> Iterator[str]:
    """Yield the texts of a command; its context has its whole name."""
    yield heading
    if context.command_path == f"{_NAME} serve":  # it runs in the cloud without Typer
        yield from _serve(command_parser())
        return
    with context:
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"```console\n{context.command_path} {usage}\n```"
        yield escaped(inspect.cleandoc(command.help or ""))
        records = [(each, each.get_help_record(context)) for each in command.get_params(context)]
        yield _table([_row(each, *record) for each, record in records if record and "--help" not in record[0]])
        commands = getattr(command, "commands", {})
        for name, inner in commands.items():
            inner_context = typer.Context(inner, parent=context, info_name=name)
            hashes = "##" if context.parent is None else "###"
            yield from _entries(inner, inner_context, f"{hashes} {inner_context.command_path}")


def _row(parameter: Any, names: str, text: str) -> tuple[str, str, str]:
    """Return the cells of an option. Its help text ends with remarks: its default, its limits, whether it is required."""
    found = _REMARKS.search(text)
    remarks = found[1].split("; ") if found else []
    meaning = text[: found.start()] if found else text
    default = "off" if getattr(parameter, "is_flag", False) else "none"
    for remark in remarks:
        if remark == "required":
            default = remark
        elif remark.startswith("default: "):
            default = f"`{remark.removeprefix('default: ').removeprefix('(').removesuffix(')')}`"
        else:
            meaning += f" ({remark})"
    return f"`{names}`", escaped(meaning), default


def _serve(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"```console\n{' '.join(parser.format_usage().removeprefix('usage: ').split())}\n```"
    yield escaped(parser.description or "")
    rows = []
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of options
        if action.help == "==SUPPRESS==" or "--help" in action.option_strings:
            continue
        text = (action.help or "").replace("%(default)s", str(action.default))
        told = _DEFAULT.search(text)
        default = told[1] if told else str(action.default).lower()
        name = f"{action.option_strings[0]} {action.dest.upper()}" if action.option_strings else action.dest.upper()
        rows.append((f"`{name}`", escaped(_DEFAULT.sub("", text)), _shown(default, is_required=action.required)))
    yield _table(rows)


def _shown(default: str, *, is_required: bool) -> str:
    return "required" if is_required else default if default == "none" else f"`{default}`"


def _table(rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return "It has no options."
    cells = (" | ".join(" ".join(cell.split()).replace("|", r"\|") for cell in row) for row in rows)
    return "\n".join(("| argument or option | meaning | default |", "|---|---|---|", *(f"| {row} |" for row in cells)))
