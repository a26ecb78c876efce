"""What the actions of s.yaml put into a package before a deployment."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.project import Function

_INSTALLS_REQUIREMENTS = re.compile(
    r"fc-callback\s+build|(?:pip3?|uv)\s.*\binstall\b.*\s(?:-r|--requirement)|\bs\s+build|fc3(?:@\S+)?\s+build"
)
_INTO_PYTHON = re.compile(
    r"fc-callback\s+build|\bs\s+build|fc3(?:@\S+)?\s+build|\binstall\b.*\s(?:-t|--target)[ =](?:\S*/)?python/?(?:\s|$)"
)
_HARMLESS = re.compile(r"fc3(?:@\S+)?\s+(?:info|version|alias|verify|plan)\b")


class Built(Enum):
    """What a package has besides its code when it is deployed."""

    REQUIREMENTS = "the requirements"
    UNKNOWN = "what other commands put into it"
    NOTHING = "nothing"


def built_before_deploy(function: Function) -> Built:
    """Return what the actions before a deployment put into a function's package."""
    steps = list(_deploy_steps(function))
    if any(map(_INSTALLS_REQUIREMENTS.search, steps)):
        return Built.REQUIREMENTS
    return Built.UNKNOWN if any(map(_is_unknown, steps)) else Built.NOTHING


def fills_python_dir(function: Function) -> bool:
    """Whether an action before a deployment puts packages into the directory `python` of the code."""
    return any(map(_INTO_PYTHON.search, _deploy_steps(function)))


def may_make_code(function: Function) -> bool:
    """Whether an action before a deployment may create the directory of the code."""
    return any(map(_is_unknown, _deploy_steps(function)))


def _is_unknown(step: str) -> bool:
    return not _INSTALLS_REQUIREMENTS.search(step) and not _HARMLESS.search(step)


def _deploy_steps(function: Function) -> Iterator[str]:
    document = function.document
    for actions in (document.get("actions"), document.get("resources", function.key, "actions")):
        for name, steps in actions.items() if isinstance(actions, dict) else ():
            if name.startswith("pre-") and "deploy" in name and isinstance(steps, list):
                yield from (" ".join(map(str, step.values())) for step in steps if isinstance(step, dict))
