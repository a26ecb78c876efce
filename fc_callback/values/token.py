"""The task token: a secret that identifies one waiting task and permits to report it."""

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
    """A task token. Its text forms never show the secret.

    Observed tokens are `base64("v1#" flow "#" execution "#" event id "#" base64(20 bytes))`. This layout is not documented.
    If a token has another layout, `flow`, `execution` and `event_id` are None, and everything else works.

    Args:
        secret: The token from CloudFlow.
    """

    secret: str

    def __init__(self, secret: str) -> None:
        if not isinstance(secret, str):
            raise TypeError(f"A task token is a str, not {type(secret).__name__}.")
        vars(self)["secret"] = secret

    def reveal(self) -> str:
        """Return the token itself, to store it in a safe place or to send it to another process."""
        return self.secret

    # Stored by hand: up to Python 3.11 a cached_property takes a lock, and each log line of a task reads this.
    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the token's SHA-256. They identify the task in logs, and they are not a secret."""
        kept = self.__dict__
        if "fingerprint" not in kept:
            digest = _empty_sha256().copy()
            digest.update(self.secret.encode("utf-8", "surrogatepass"))
            kept["fingerprint"] = digest.hexdigest()[:12]
        return kept["fingerprint"]  # type: ignore[no-any-return]  # it is a str

    @property
    def layout(self) -> tuple[str, str, int] | None:
        """The flow's name, the execution's name and the event id. None if the token has another layout."""
        kept = self.__dict__
        if "layout" not in kept:
            kept["layout"] = self._read_layout()
        return kept["layout"]  # type: ignore[no-any-return]  # it is the result of _read_layout

    def _read_layout(self) -> tuple[str, str, int] | None:
        if not self.secret.startswith(TOKEN_START):
            return None
        try:
            _, flow, execution, number, _ = _decode_base64(self.secret).decode().split("#", _LAYOUT_PARTS - 1)
        except ValueError:  # no base64, no UTF-8, or fewer parts
            return None
        # Log lines contain these names, and a token may come from an attacker.
        if not (0 < len(flow) <= _NAME_CHARACTERS and 0 < len(execution) <= _NAME_CHARACTERS):
            return None
        if not (flow.isprintable() and execution.isprintable() and number.isascii() and number.isdigit()):
            return None
        return (flow, execution, int(number)) if len(number) <= _NUMBER_DIGITS else None

    @property
    def flow(self) -> str | None:
        """The flow's name. None if the token has another layout."""
        return self.layout[0] if self.layout else None

    @property
    def execution(self) -> str | None:
        """The execution's name. None if the token has another layout."""
        return self.layout[1] if self.layout else None

    @property
    def event_id(self) -> int | None:
        """The id of the history event that started the task. None if the token has another layout."""
        return self.layout[2] if self.layout else None

    def __repr__(self) -> str:
        shown = f"{self.flow}/{self.execution}/{self.event_id} " if self.layout else ""
        return f"<TaskToken {shown}{self.fingerprint}>"


if sys.version_info >= (3, 11):

    def _decode_base64(text: str) -> bytes:
        return binascii.a2b_base64(text, strict_mode=True)

else:

    def _decode_base64(text: str) -> bytes:
        from base64 import b64decode

        return b64decode(text, validate=True)


@cache
def _empty_sha256() -> Any:
    """Return a hash that is copied and never updated. For each new hash, OpenSSL looks up the algorithm again."""
    return sha256()
