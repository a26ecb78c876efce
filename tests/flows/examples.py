"""The example flows of both languages in `tests/local/data/flows`, with the functions that they call and the expected ends.

A `.cases` file has one case in each line: `INPUT -> STATUS OUTPUT-OR-ERROR`. A trailing ` I` says that the expectation is
inferred; the others are documented. The key `#` of an input says what the third party reports.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

FLOWS = Path(__file__).parents[1] / "local" / "data" / "flows"
NAMES = [f"{language}{number}" for language in "LC" for number in range(1, 11)]
CHILD = {"version": "v1", "type": "flow", "steps": [{"type": "fail", "name": "f", "error": "ChildBad", "cause": "why"}]}
PAGES: dict[str, dict[str, Any]] = {
    "": {"marker": "p2", "hasMore": True, "seen": 1},
    "p2": {"marker": "", "hasMore": False, "seen": 2},
}


class Temporary(Exception):
    pass


def add(event: bytes) -> dict[str, int]:
    numbers = json.loads(event)
    return {"sum": numbers["a"] + numbers["b"]}


def upper(event: bytes) -> dict[str, str]:
    return {"name": json.loads(event)["name"].upper()}


def page(event: bytes) -> dict[str, Any]:
    return PAGES[json.loads(event)["marker"]]


def boom(event: bytes) -> None:
    raise Temporary("try later")


FUNCTIONS = (add, upper, page, boom)


@attrs.frozen(kw_only=True)
class Example:
    """One case of an example flow.

    Attributes:
        name: Like `L1`.
        given: The input, with the key `#`.
        status: The status at the end.
        output: The output; None unless it succeeds.
        error: The error's name; empty unless it fails.
    """

    name: str
    given: dict[str, Any]
    status: str
    output: dict[str, Any] | None
    error: str

    @property
    def definition(self) -> str:
        return (FLOWS / f"{self.name}.yaml").read_text()

    @property
    def reported_error(self) -> str:
        """The error that the third party reports; empty if it reports a result."""
        return str(self.given.get("#", "")).partition(":")[2]

    @classmethod
    def read(cls, name: str, line: str) -> Example:
        given, _, expected = line.removesuffix(" I").partition(" -> ")
        status, _, rest = expected.partition(" ")
        succeeded = status == "Succeeded"
        return cls(
            name=name,
            given=json.loads(given),
            status=status,
            output=json.loads(rest) if succeeded else None,
            error="" if succeeded else rest,
        )


def examples(*names: str) -> list[Any]:
    """Return the cases of some flows, or of all, as pytest's parameters."""
    return [
        pytest.param(Example.read(name, line), id=f"{name}-{number}")
        for name in names or NAMES
        for number, line in enumerate((FLOWS / f"{name}.cases").read_text().splitlines())
    ]
