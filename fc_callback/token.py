"""The task token: the capability that names one waiting task."""

from __future__ import annotations

import binascii
from base64 import b64decode
from functools import cached_property

import attrs

from fc_callback.secret import Masked

_LAYOUT_PARTS = 5


@attrs.frozen(repr=False, slots=False)
class TaskToken(Masked):
    """A task token; its text forms never show it.

    A token seen in the wild is `base64("v1#" flow "#" execution "#" event id "#" base64(20 bytes))`. The layout is no
    documented contract: where it does not hold, `flow`, `execution` and `event_id` are None and nothing else changes.

    Args:
        secret: The token as CloudFlow gave it.
    """

    secret: str = attrs.field(validator=attrs.validators.instance_of(str))

    def reveal(self) -> str:
        """Return the token itself, to hand it on or to put it away somewhere safe."""
        return self.secret

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits of the token's SHA-256: the same for the same token, of no use to anyone else."""
        from hashlib import sha256

        return sha256(self.secret.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    @cached_property
    def _parts(self) -> tuple[str, str, int] | None:
        try:
            parts = b64decode(self.secret, validate=True).decode().split("#", _LAYOUT_PARTS - 1)
        except (binascii.Error, ValueError):
            return None
        if len(parts) != _LAYOUT_PARTS or parts[0] != "v1" or not parts[3].isascii() or not parts[3].isdigit():
            return None
        return parts[1], parts[2], int(parts[3])

    @property
    def flow(self) -> str | None:
        """The flow's name, where the token shows it."""
        return self._parts[0] if self._parts else None

    @property
    def execution(self) -> str | None:
        """The execution's name, where the token shows it."""
        return self._parts[1] if self._parts else None

    @property
    def event_id(self) -> int | None:
        """The id of the history event the task began with, where the token shows it."""
        return self._parts[2] if self._parts else None

    def __repr__(self) -> str:
        parts = f"{self.flow}/{self.execution}/{self.event_id} " if self._parts else ""
        return f"<TaskToken {parts}{self.fingerprint}>"
