"""`fc-callback build`: the dependencies, put into the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from fc_callback.building import Built

_SHOWN = 12
_KIB = 1024
# FC documentation, "Limits": the size of a code package.
_LARGE_BYTES = 100 * _KIB * _KIB


def command(
    directory: Annotated[Path, typer.Argument(help="The directory of s.yaml.")] = Path(),
    fc_callback: Annotated[
        str | None,
        typer.Option(
            "--fc-callback",
            metavar="PATH",
            help="A wheel, a source tree or a URL that is packed instead of the released package.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Put the dependencies of every function beside its code, for the function's Python and for Linux."""
    from fc_callback.building import build_project

    console = Console(stderr=True, soft_wrap=True)
    try:
        with console.status("Building") as status:

            def on_progress(line: str) -> None:
                status.update(line)
                console.print(line, markup=False, highlight=False)

            built = build_project(directory.resolve(), fc_callback=fc_callback, on_progress=on_progress)
    except FcCallbackError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps([_fields(one) for one in built], indent=2))
        return
    for one in built:
        _show(one)


def _fields(built: Built) -> dict[str, object]:
    parts = [
        {"name": part.name, "files": part.files, "packed": part.packed, "unpacked": part.unpacked}
        for part in built.size.parts
    ]
    return {
        "codeDir": str(built.code_dir),
        "functions": built.functions,
        "python": built.target.version,
        "compiled": built.compiled,
        "packed": built.size.packed,
        "unpacked": built.size.unpacked,
        "parts": parts,
    }


def _show(built: Built) -> None:
    size = built.size
    table = Table(
        title=f"{built.code_dir.name}: {_kib(size.packed)} packed, {_kib(size.unpacked)} unpacked", title_justify="left"
    )
    table.add_column("part", overflow="fold")
    for column in ("files", "packed", "unpacked"):
        table.add_column(column, justify="right")
    for part in size.parts[:_SHOWN]:
        table.add_row(part.name, str(part.files), _kib(part.packed), _kib(part.unpacked))
    rest = size.parts[_SHOWN:]
    if rest:
        sums = (
            sum(part.files for part in rest),
            sum(part.packed for part in rest),
            sum(part.unpacked for part in rest),
        )
        table.add_row(f"{len(rest)} more", str(sums[0]), _kib(sums[1]), _kib(sums[2]))
    Console().print(table)
    if size.packed > _LARGE_BYTES:
        typer.secho("FC takes packages of 500 MB at most, and of 100 MB in smaller regions.", fg="yellow")


def _kib(count: int) -> str:
    return f"{count / _KIB:,.0f} KiB"
