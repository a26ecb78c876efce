"""Encrypts a task token, so that it can be stored or sent.

A deferred task needs its token later, a link in a mail carries one, and `once=` stores one for a late report. The sealed
text is a Fernet token (AES-128-CBC with HMAC-SHA256, and the time of sealing) without its padding, so that it is safe in a
URL. Source: github.com/fernet/spec.
"""

from __future__ import annotations

import binascii
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

import attrs

from fc_callback import settings
from fc_callback.errors import SealExpired, SealInvalid, SettingsError
from fc_callback.values import validators
from fc_callback.values.masked import Masked
from fc_callback.values.token import TaskToken

try:
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet

    _has_cryptography = True
except ImportError:
    _has_cryptography = False

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY_BYTES = 32
_KEY_HINT = "Make one with TokenSeal.generate_key(), keep it as a secret, and set it as CLOUDFLOW_SEAL_KEY."
# The prefix of every sealed content: a text that the same key encrypted for another purpose is no task token.
_PURPOSE = b"fc_callback task token\0"


def _keys(given: str | bytes | Sequence[str | bytes] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    each = (given,) if isinstance(given, (str, bytes)) else given
    if not isinstance(each, (tuple, list)):
        validators.refuse("key", given, _KEY_HINT)
    for one in each:
        if not isinstance(one, (str, bytes)):
            raise SettingsError(f"key= contains {validators.kind_of(one)}.", hint=_KEY_HINT)
    texts = (one.decode("ascii", "replace") if isinstance(one, bytes) else one for one in each)
    keys = tuple(key for text in texts for part in text.split(",") if (key := part.strip()))
    for number, key in enumerate(keys, 1):
        try:
            size = len(urlsafe_b64decode(key))
        except (binascii.Error, ValueError):
            size = 0
        if size != _KEY_BYTES:
            raise SettingsError(
                f"Seal key {number} of {len(keys)} is not {_KEY_BYTES} bytes in base64.", hint=_KEY_HINT
            )
    if not keys:
        raise SettingsError("The given seal key is empty.", hint=_KEY_HINT)
    return keys


@attrs.frozen(repr=False)
class TokenSeal(Masked):
    """Seals task tokens and opens them.

    Args:
        key: 32 bytes in URL-safe base64, as `generate_key` makes them. Several keys, in a list or separated by commas,
            allow rotation: the first one seals, and each of them opens. The default is CLOUDFLOW_SEAL_KEY.

    Raises:
        SettingsError: A key is invalid.
    """

    key: tuple[str, ...] | None = attrs.field(default=None, converter=_keys)

    @staticmethod
    def generate_key() -> str:
        """Return a new random key."""
        return urlsafe_b64encode(os.urandom(_KEY_BYTES)).decode()

    def seal(self, token: TaskToken) -> str:
        """Return the sealed token: letters, digits, `-` and `_`; a third longer than the token, plus 100 characters.

        Raises:
            SettingsError: There is no key, or the package cryptography is not installed.
        """
        content = _PURPOSE + token.reveal().encode("utf-8", "surrogatepass")
        return self._fernet().encrypt(content).decode().rstrip("=")

    def open(self, text: str, *, max_age_seconds: float | None = None) -> TaskToken:
        """Return the token of a sealed text.

        Args:
            text: The text that `seal` returned.
            max_age_seconds: The largest accepted age of the text, to the second.

        Raises:
            SealInvalid: The text was not sealed with any of the keys, or it was changed. The reason is withheld so that it
                does not help an attacker.
            SealExpired: The text is older.
            SettingsError: There is no key, or the package cryptography is not installed.
        """
        if max_age_seconds is not None:
            validators.number("max_age_seconds", max_age_seconds, above=0)
        fernet = self._fernet()
        padded = text.encode("ascii", "replace") + b"=" * (-len(text) % 4)
        try:
            content = fernet.decrypt(padded)
        except InvalidToken:
            content = b""
        if not content.startswith(_PURPOSE):
            raise SealInvalid("This text is no sealed task token, or another key sealed it.")
        if max_age_seconds is not None:
            try:
                fernet.decrypt(padded, ttl=max_age_seconds)  # type: ignore[arg-type]  # compared only; fractions are fine
            except InvalidToken:
                raise SealExpired("This sealed task token has expired.") from None
        return TaskToken(content[len(_PURPOSE) :].decode("utf-8", "surrogatepass"))

    def __repr__(self) -> str:
        return "<TokenSeal>"

    def _fernet(self) -> MultiFernet:
        keys = self.key or _keys(settings.text("CLOUDFLOW_SEAL_KEY"))
        if keys is None:
            raise SettingsError("There is no key for sealing task tokens.", hint=_KEY_HINT)
        if not _has_cryptography:
            raise SettingsError(
                "Sealing a task token needs the package cryptography, which is not installed.",
                hint="Install it with the function's code: pip install 'fc-callback[seal]'.",
            )
        return MultiFernet([Fernet(key) for key in keys])
