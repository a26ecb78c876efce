"""Show the errors of functions to a person at a terminal.

FC reports an error as one line of JSON: in the log, and as the result. Here it looks like Python's own traceback, in colour.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

# The record in which FC's runtimes log an error, in their own format and in the console form of `Logger`.
_RECORD = re.compile(r'(?:\S+Z \S+ \[ERROR\]|[\d:]{8} ERROR +) (?=\{"errorMessage")')
_OF_FC = re.compile(r"(FC (Invoke|Initialize|PreStop) (Start|End) |FunctionCompute )")
_FRAME = re.compile(
    r'\s*File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>\S+))?\s*(?P<source>.*)', re.DOTALL
)
# A frame in an installed package, in the standard library or in this package is not a frame of the user's code.
_LIBRARY = re.compile(
    r".*/(?:site-packages|dist-packages)/(?P<package>[^/.]+)|.*/lib/python3\.\d+/(?P<module>[^/.]+)|<frozen"
)
_THIS_NAME = "fc_callback"
_THIS_PACKAGE = f"{Path(__file__).resolve().parents[1]}/"


def print_log(console: Console, log: str, *, prefix: str = "") -> bool:
    """Print a function's log. Its error records are printed as tracebacks.

    Args:
        console: The console that prints.
        log: The masked log.
        prefix: A text before each line, such as the function's name.

    Returns:
        Whether the log has an error record.
    """
    has_error = False
    for line in log.splitlines():
        document = _error_document(line)
        if document is not None:
            has_error = True
            print_error(console, document, prefix=prefix)
        else:
            _print_lines(console, [Text(line, style="dim" if _OF_FC.match(line) else "")], prefix)
    return has_error


def print_error(console: Console, document: dict[str, Any], *, prefix: str = "") -> None:
    """Print FC's masked error document as a traceback: the user's frames, and how many frames of libraries they called."""
    name, message = document.get("errorType", ""), document.get("errorMessage", "")
    lines = _frame_lines(document.get("stackTrace", ()))
    last = Text(str(name), style="bold red")
    last.append(f"{': ' if name else ''}{message}", style="" if name else "bold red")
    _print_lines(console, [*lines, *last.split("\n")], prefix)


def _error_document(line: str) -> dict[str, Any] | None:
    found = _RECORD.match(line)
    try:
        if found is not None:
            text = line[found.end() :]
        elif line.startswith("{"):  # a record of `Logger`
            record = json.loads(line)
            text = record.get("message", "") if record.get("level") == "ERROR" else ""
        else:
            return None
        document, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, TypeError):  # another record, or one that was cut
        return None
    return document if isinstance(document, dict) and "errorMessage" in document else None


def _frame_lines(trace: Any) -> list[Text]:
    lines = [Text("Traceback (most recent call last):", style="dim")] if trace else []
    libraries: list[str] = []
    for entry in trace:
        text = entry if isinstance(entry, str) else f"{', '.join(entry[:3])}\n{entry[3]}"
        frame = _FRAME.fullmatch(text)
        library = None if frame is None else _library_of(frame["file"])
        if library is not None:
            libraries.append(library)
            continue
        if len(lines) > 1 or set(libraries) != {_THIS_NAME}:  # on Python 3.10, FC's first frame is our handler's
            lines += _library_line(libraries)
        libraries = []
        lines += [Text(f"      {text.strip()}")] if frame is None else _own_frame(frame)
    return [*lines, *_library_line(libraries)]


def _own_frame(frame: re.Match[str]) -> list[Text]:
    place = Text("  ")
    place.append(f"{_shown_path(frame['file'])}:{frame['line']}", style="cyan")
    if frame["function"]:
        place.append(" in ").append(frame["function"], style="bold")
    return [place, *(Text(f"      {line.strip()}") for line in frame["source"].splitlines())]


def _library_line(libraries: list[str]) -> list[Text]:
    if not libraries:
        return []
    frames = "1 frame" if len(libraries) == 1 else f"{len(libraries)} frames"
    return [Text(f"  {frames} in {', '.join(dict.fromkeys(libraries))}", style="dim")]


def _library_of(file: str) -> str | None:
    """Return the name of the library that a file belongs to; None for the user's own file."""
    if file.startswith(_THIS_PACKAGE):
        return _THIS_NAME
    found = _LIBRARY.match(file)
    return None if found is None else found["package"] or found["module"] or "importlib"


def _shown_path(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _print_lines(console: Console, lines: list[Text], prefix: str) -> None:
    for line in lines:
        console.print(Text(prefix, style="dim") + line if prefix else line, soft_wrap=True, highlight=False)
