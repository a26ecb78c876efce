"""The task token: the capability that names one waiting task."""

from __future__ import annotations

import binascii
import sys
from functools import cache
from hashlib import sha256
from typing import Any

from fc_callback.values.base import Value
from fc_callback.values.masked import Masked

TOKEN_START = "djEj"  # noqa: S105 - base64 of "v1#", with which the layout begins
_LAYOUT_PARTS = 5
_NAME_CHARACTERS = 256
_NUMBER_DIGITS = 19  # of 64 bits


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
            digest = _empty_sha256().copy()
            digest.update(self.secret.encode("utf-8", "surrogatepass"))
            kept["fingerprint"] = digest.hexdigest()[:12]
        return kept["fingerprint"]  # type: ignore[no-any-return]  # what stands there is a text

    @property
    def layout(self) -> tuple[str, str, int] | None:
        """The flow's name, the execution's name and the event id, where the token shows them."""
        kept = self.__dict__
        if "layout" not in kept:
            kept["layout"] = self._read()
        return kept["layout"]  # type: ignore[no-any-return]  # what stands there is what _read gives

    def _read(self) -> tuple[str, str, int] | None:
        if not self.secret.startswith(TOKEN_START):
            return None
        try:
            _, flow, execution, number, _ = _decoded(self.secret).decode().split("#", _LAYOUT_PARTS - 1)
        except ValueError:  # no base64, no UTF-8, or fewer parts
            return None
        # They stand in log lines, and anyone can write a token.
        if not (0 < len(flow) <= _NAME_CHARACTERS and 0 < len(execution) <= _NAME_CHARACTERS):
            return None
        if not (flow.isprintable() and execution.isprintable() and number.isascii() and number.isdigit()):
            return None
        return (flow, execution, int(number)) if len(number) <= _NUMBER_DIGITS else None

    @property
    def flow(self) -> str | None:
        """The flow's name, where the token shows it."""
        return self.layout[0] if self.layout else None

    @property
    def execution(self) -> str | None:
        """The execution's name, where the token shows it."""
        return self.layout[1] if self.layout else None

    @property
    def event_id(self) -> int | None:
        """The id of the history event the task began with, where the token shows it."""
        return self.layout[2] if self.layout else None

    def __repr__(self) -> str:
        shown = f"{self.flow}/{self.execution}/{self.event_id} " if self.layout else ""
        return f"<TaskToken {shown}{self.fingerprint}>"


if sys.version_info >= (3, 11):

    def _decoded(text: str) -> bytes:
        return binascii.a2b_base64(text, strict_mode=True)

else:

    def _decoded(text: str) -> bytes:
        from base64 import b64decode

        return b64decode(text, validate=True)


@cache
def _empty_sha256() -> Any:
    """Return a hash to copy, and never to update: for a new one, OpenSSL looks the algorithm up each time."""
    return sha256()
