"""Match a value with a template's pattern, in bounded time: a pattern like `(a+)+` can take years for a short value."""

from __future__ import annotations

import json
import subprocess
import sys

from fc_callback.scaffolding.errors import TemplateError

MATCH_SECONDS = 5.0
_MATCHED, _NOT_MATCHED = 10, 11  # Python itself exits with 1 for an error
_PROGRAM = (
    "import json, re, sys\n"
    "pattern, value = json.load(sys.stdin)\n"
    f"sys.exit({_MATCHED} if re.fullmatch(pattern, value) else {_NOT_MATCHED})"
)


def matches_in_time(pattern: str, value: str) -> bool:
    """Whether a pattern matches the whole value. Another process matches, because a running match cannot be interrupted.

    Raises:
        TemplateError: The pattern is not a regular expression, or it takes longer than five seconds.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own program; the pattern and the value are its input
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            input=json.dumps([pattern, value]),
            timeout=MATCH_SECONDS,
            text=True,
            capture_output=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TemplateError(
            f"The pattern {pattern!r} takes longer than {MATCH_SECONDS:g} seconds to match.",
            hint="Write it without a repetition inside of a repetition, in publish.yaml.",
        ) from None
    if done.returncode not in {_MATCHED, _NOT_MATCHED}:
        raise TemplateError(f"{pattern!r} is not a regular expression.", hint="Correct the pattern in publish.yaml.")
    return done.returncode == _MATCHED
