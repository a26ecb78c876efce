"""Import handlers, and write a line of JSON about each: the program that `importing` runs.

Run as `python probe.py CODE_DIR RUNTIME PAYLOADS_FILE RESULT_FILE HANDLER...`. It imports the handlers as FC's runtime does,
and compares the payloads with the type that the first one asks for. The user's code may print, hang or end the process without
an effect on the check.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any


def describe_handler(code_dir: str, handler: str, runtime: str, payloads: list[dict[str, Any]]) -> dict[str, Any]:
    """Import a handler and return the attributes of its `Imported`."""
    from fc_callback.runtime.worker import LoadError, load_handler

    try:
        function: Any = load_handler(handler, runtime)
    except LoadError as error:
        cause = error.__cause__ or error
        file, line = _place_in_code(cause, code_dir)
        module = cause.name if isinstance(cause, ImportError) else None
        causes = [each.__name__ for each in type(cause).__mro__]
        problem = {"problem": str(error), "kind": error.kind, "file": file, "line": line}
        return {**problem, "module": module, "causes": causes}
    if not callable(function):
        return {"problem": "It exists, and is not a function.", "kind": "HandlerNotFound"}
    code = getattr(_innermost(function), "__code__", None)
    return {
        "on_failure": _on_failure(function),
        "token_paths": _token_paths(function),
        "line": getattr(code, "co_firstlineno", 1),
        "file": getattr(code, "co_filename", ""),
        "mismatches": _mismatches(function, payloads),
    }


def _place_in_code(error: BaseException, code_dir: str) -> tuple[str, int]:
    """Return the file and line of the user's code where an import failed."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 1
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(code_dir)]
    return (frames[-1].filename, frames[-1].lineno or 1) if frames else ("", 1)


def _mismatches(function: Any, payloads: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    if not payloads or not _on_failure(function):
        return []
    from fc_callback.payload.mismatches import mismatches_of, payload_type

    kind = payload_type(function)
    if kind is None:
        return []
    return [[one._asdict() for one in mismatches_of(kind, **payload)] for payload in payloads]


def _innermost(function: Any) -> Any:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


def _on_failure(function: Any) -> str:
    """Return the mark of task_callback; empty for a plain function."""
    return str(getattr(_decorated(function), "__task_callback__", ""))


def _decorated(function: Any) -> Any:
    """Return what task_callback returned, below any number of other decorators; None for a plain function."""
    while function is not None:
        own = vars(type(function)).get("__call__")  # of an object whose __call__ is decorated
        for each in (function, own):
            if isinstance(getattr(each, "__task_callback__", None), str):
                return each
        function = getattr(function, "__wrapped__", None) or getattr(function, "func", None)
    return None


def _token_paths(function: Any) -> list[str] | None:
    """Return the places of the token that the decorator names; none for its default, and None for any other."""
    options = getattr(_decorated(function), "__task_options__", None)
    token = getattr(options, "token", callable)
    if token is None or isinstance(token, str):
        return [token] if token else []
    return None if callable(token) else list(token)


def main(code_dir: str, runtime: str, payloads: str, result: str, *handlers: str) -> None:
    """Describe each handler. A handler that ends the process leaves the lines of those before it."""
    # Python puts this file's directory first; the code directory replaces it, as /code is first on FC. The packages that
    # were built for FC come last, because they may be for another platform than this one.
    sys.path[0] = code_dir
    sys.path.append(str(Path(code_dir) / "python"))
    with Path(result).open("w", encoding="utf-8") as lines:
        sent = json.loads(Path(payloads).read_text("utf-8"))
        for handler in handlers:
            print(json.dumps(describe_handler(code_dir, handler, runtime, sent)), file=lines, flush=True)
            sent = []


if __name__ == "__main__":
    main(*sys.argv[1:])
