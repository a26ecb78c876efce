"""Whom TLS trusts: Python's default context, over the certificates that requests brings, or a bundle of the person's own.

Reading a bundle takes a third as long as importing requests does. It needs no interpreter meanwhile, so a thread reads it
beside the rest.
"""

from __future__ import annotations

import os
import ssl
import threading
from contextlib import suppress

from certifi import where

from fc_callback.errors import SettingsError


def _make_context() -> ssl.SSLContext:
    """Return a context for TLS 1.2 and later, that checks certificates and host names.

    The bundle is the one that `REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE` names, as for requests.

    Raises:
        SettingsError: The bundle cannot be read.
    """
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or where()
    try:
        if os.path.isdir(bundle):  # noqa: PTH112 - pathlib is not loaded in a cold start
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:  # ssl.SSLError, for a file without certificates, is one
        raise SettingsError(
            f"The CA bundle {bundle} cannot be read: {error.strerror or type(error).__name__}.",
            hint="Check REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE: a PEM file or a directory of them, shipped with the function.",
        ) from None


class _Reading(threading.Thread):
    """A context being made."""

    def __init__(self) -> None:
        super().__init__(name="fc_callback-trust", daemon=True)
        self.context: ssl.SSLContext | None = None

    def run(self) -> None:
        with suppress(SettingsError):  # whoever needs the context meets it again
            self.context = _make_context()


_readings: list[_Reading] = []


def read_ahead() -> None:
    """Begin to make the context that `context` will return; where no thread is to be had, that makes it itself."""
    reading = _Reading()
    with suppress(RuntimeError):
        reading.start()
        _readings.append(reading)


def context() -> ssl.SSLContext:
    """Return the context that was read ahead, or make one.

    Raises:
        SettingsError: The bundle cannot be read.
    """
    with suppress(IndexError):  # taken once: by the one endpoint that there is, nearly always
        reading = _readings.pop()
        reading.join()
        if reading.context is not None:
            return reading.context
    return _make_context()
