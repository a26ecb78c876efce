"""The task token: the capability that names one waiting task."""

from __future__ import annotations

import binascii
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from fc_callback.secret import Masked
from fc_callback.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_START = "djEj"  # noqa: S105 - base64 of "v1#", with which the layout begins
_LAYOUT_PARTS = 5
_NAME_CHARACTERS = 256


class TaskToken(Masked, Value):
    """A task token; its text forms never show it.

    A token seen in the wild is `base64("v1#" flow "#" execution "#" event id "#" base64(20 bytes))`. The layout is no
    documented contract: where it does not hold, `flow`, `execution` and `event_id` are None and nothing else changes.

    Args:
        secret: The token as CloudFlow gave it.
    """

    secret: str

    def __init__(self, secret: str) -> None:
        if not isinstance(secret, str):
            raise TypeError(f"A task token is a str, not {type(secret).__name__}.")
        vars(self)["secret"] = secret

    def reveal(self) -> str:
        """Return the token itself, to hand it on or to put it away somewhere safe."""
        return self.secret

    # Kept by hand: up to Python 3.11 a cached_property takes a lock, and a token's lines all ask.
    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the token's SHA-256: the same for the same token, of no use to anyone else."""
        kept = self.__dict__
        if "fingerprint" not in kept:
            kept["fingerprint"] = _sha256()(self.secret.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        return kept["fingerprint"]  # type: ignore[no-any-return]  # what stands there is a text

    @property
    def _parts(self) -> tuple[str, str, int] | None:
        kept = self.__dict__
        if "_parts" not in kept:
            kept["_parts"] = self._read()
        return kept["_parts"]  # type: ignore[no-any-return]  # what stands there is what _read gives

    def _read(self) -> tuple[str, str, int] | None:
        if not self.secret.startswith(TOKEN_START):
            return None
        try:
            parts = _decoded(self.secret).decode().split("#", _LAYOUT_PARTS - 1)
        except ValueError:  # binascii.Error is one
            return None
        if len(parts) != _LAYOUT_PARTS or not parts[3].isascii() or not parts[3].isdigit():
            return None
        flow, execution = parts[1], parts[2]
        if not (0 < len(flow) <= _NAME_CHARACTERS and 0 < len(execution) <= _NAME_CHARACTERS):
            return None
        if not (flow.isprintable() and execution.isprintable()):
            return None  # they stand in log lines, and anyone can write a token
        return flow, execution, int(parts[3])

    @property
    def flow(self) -> str | None:
        """The flow's name, where the token shows it."""
        parts = self._parts
        return parts[0] if parts else None

    @property
    def execution(self) -> str | None:
        """The execution's name, where the token shows it."""
        parts = self._parts
        return parts[1] if parts else None

    @property
    def event_id(self) -> int | None:
        """The id of the history event the task began with, where the token shows it."""
        return self._parts[2] if self._parts else None

    def __repr__(self) -> str:
        parts = f"{self.flow}/{self.execution}/{self.event_id} " if self._parts else ""
        return f"<TaskToken {parts}{self.fingerprint}>"


def _decoded(text: str) -> bytes:
    if sys.version_info >= (3, 11):
        return binascii.a2b_base64(text, strict_mode=True)
    from base64 import b64decode

    return b64decode(text, validate=True)


@cache
def _sha256() -> Callable[[bytes], Any]:
    from hashlib import sha256

    return sha256
