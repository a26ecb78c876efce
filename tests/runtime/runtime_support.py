"""What the tests of this room share: credentials, the types of their fixtures, looking at processes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fc_callback.values.context import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.runtime import FunctionInstance, FunctionPool, FunctionSpec

CREDENTIALS = Credentials(access_key_id="STS.key-1", access_key_secret="secret-one", security_token="token-one")
ROTATED = Credentials(access_key_id="STS.key-2", access_key_secret="secret-two", security_token="token-two")


class MakeSpec(Protocol):
    def __call__(self, code: str, **options: object) -> FunctionSpec: ...


class MakeInstance(Protocol):
    def __call__(self, code: str, **options: object) -> FunctionInstance: ...


class MakePool(Protocol):
    def __call__(self, code: str, *, max_instances: int, **options: object) -> FunctionPool: ...


def lives(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet collected does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def eventually(condition: Callable[[], bool], *, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
