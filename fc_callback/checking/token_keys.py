"""Compare the key under which a step passes the token with the places where the function looks for it.

Only what is certain is found: the step calls the function itself or sends it a message, the key is plain to see, and the
decorator of the imported handler names its places, or none. A key that is almost a usual one is found for any function.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from fc_callback.checking.findings import Finding
from fc_callback.checking.flows import reaches
from fc_callback.payload.paths import parse_path
from fc_callback.payload.token_search import TOKEN_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fc_callback.checking.flows import CheckedFlow
    from fc_callback.checking.importing import Imported
    from fc_callback.flows import TaskOutline
    from fc_callback.project import Project

_ALMOST = 0.85


def check(project: Project, flows: Sequence[CheckedFlow], imported: Mapping[str, Imported]) -> Iterator[Finding]:
    """Find tokens that a function gets and does not find.

    Args:
        project: The project.
        flows: Its flows.
        imported: The result of importing each function's handler, by resource.
    """
    for flow in flows:
        for step in flow.tasks:
            if not step.callback or not step.token_keys:
                continue
            called = [function for function in project.functions if reaches(step, function)]
            seen = imported.get(called[0].key) if len(called) == 1 else None
            name = called[0].name if len(called) == 1 else ""
            yield from _judged(flow, step, name, seen)


def _judged(flow: CheckedFlow, step: TaskOutline, name: str, seen: Imported | None) -> Iterator[Finding]:
    keys = step.token_keys or ()
    if seen is not None and seen.token_paths is not None:
        looked_for = [_last_key(path) for path in seen.token_paths] or list(TOKEN_KEYS)
        wrong = keys if all(key not in looked_for for key, _ in keys) else ()
        where = f"{name!r} looks for {' or '.join(looked_for)}"
    else:
        looked_for = list(TOKEN_KEYS)
        wrong = tuple((key, place) for key, place in keys if len(keys) == 1 and _almost(key))
        where = f"a handler looks for {' or '.join(looked_for)}, unless its decorator names another place"
    for key, place in wrong[:1]:
        file, line = flow.locate(*place)
        close = difflib.get_close_matches(key, looked_for, n=1, cutoff=0.0)
        yield Finding(
            rule="flow-token-key",
            file=file,
            line=line,
            message=f"The step {step.name!r} passes the token as {key!r}, and {where}.",
            hint=f"Name it {(close or looked_for)[0]}, or give the decorator its place: @task_callback(token={key!r}).",
        )


def _last_key(path: str) -> str:
    return str(parse_path(path)[-1])


def _almost(key: str) -> bool:
    """Whether a key is one of the usual keys with a mistake."""
    return key not in TOKEN_KEYS and bool(difflib.get_close_matches(key, TOKEN_KEYS, n=1, cutoff=_ALMOST))
