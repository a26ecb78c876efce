"""`fc-callback build`: put the dependencies into the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
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
    directory: Annotated[Path, typer.Argument(help="The directory of s.yaml.", exists=True, file_okay=False)] = Path(),
    fc_callback: Annotated[
        str | None,
        typer.Option(
            "--fc-callback",
            metavar="PATH",
            help="A wheel, a source tree or a URL to pack instead of the released package.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Install the dependencies of every function beside its code, for the function's Python and for Linux."""
    from fc_callback.building import BuildError, build_project

    console = Console(stderr=True, soft_wrap=True)
    try:
        with console.status("Building") as status:

            def on_progress(line: str) -> None:
                status.update(line)
                console.print(line, markup=False, highlight=False)

            built = build_project(directory.resolve(), fc_callback=fc_callback, on_progress=on_progress)
    except BuildError as error:
        typer.secho(error.summary, fg="red", err=True)
        if error.quotation:
            typer.echo(error.quotation, err=True)
        raise typer.Exit(1) from None
    except FcCallbackError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps([_as_json(one) for one in built], indent=2))
        return
    for one in built:
        if not one.is_unchanged:  # to measure one takes longer than to see that nothing has changed
            _show_package(one)


def _as_json(built: Built) -> dict[str, object]:
    size = built.measure()
    return {
        "codeDir": str(built.code_dir),
        "functions": built.functions,
        "python": built.target.version,
        "compiled": built.compiled,
        "unchanged": built.is_unchanged,
        "packed": size.packed,
        "unpacked": size.unpacked,
        "parts": [attrs.asdict(part) for part in size.parts],
    }


def _show_package(built: Built) -> None:
    size = built.measure()
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
        files, packed, unpacked = (
            sum(getattr(part, name) for part in rest) for name in ("files", "packed", "unpacked")
        )
        table.add_row(f"{len(rest)} more", str(files), _kib(packed), _kib(unpacked))
    Console().print(table)
    if size.packed > _LARGE_BYTES:
        typer.secho("FC accepts packages of up to 500 MB, and of up to 100 MB in smaller regions.", fg="yellow")


def _kib(count: int) -> str:
    return f"{count / _KIB:,.0f} KiB"
