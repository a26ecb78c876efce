"""The settings that come from the environment, and their one table.

An argument always wins over a variable. Names begin with `CLOUDFLOW_`: FC deletes variables that begin with `FC_`. An unknown
variable with this prefix is warned about once in a process, when the first setting is read.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger("fc_callback")

KIB = 1024
CLOUDFLOW_OUTPUT_LIMIT_BYTES = 64 * KIB
LEGACY_OUTPUT_LIMIT_BYTES = 32 * KIB


class Variable(NamedTuple):
    """One environment variable: its name, what it means, and its default in words."""

    name: str
    meaning: str
    default: str


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "CLOUDFLOW_ENDPOINT", "Where CloudFlow is: a host, or a URL (plain http only to loopback)", "by the region"
    ),
    Variable("CLOUDFLOW_REGION", "The flow's region, where it is not the function's", "the function's region"),
    Variable("CLOUDFLOW_NETWORK", "`public`, or `internal` for the `-internal` host", "public"),
    Variable(
        "CLOUDFLOW_SIGNATURE",
        "`v1` (HMAC-SHA1, what every fnf SDK sends) or `v3` (ACS3-HMAC-SHA256; puts the task token into the URL)",
        "v1",
    ),
    Variable(
        "CLOUDFLOW_CONNECT_TIMEOUT",
        "Seconds for a connection: name look-up, all addresses, proxy and TLS together",
        "3",
    ),
    Variable("CLOUDFLOW_READ_TIMEOUT", "Seconds to wait for an answer", "10"),
    Variable("CLOUDFLOW_OUTPUT_LIMIT", "Bytes an Output may have; 32768 for Serverless Workflow flows", "65536"),
    Variable("CLOUDFLOW_LOG_LEVEL", "What `Logger` writes: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`", "INFO"),
    Variable("CLOUDFLOW_ONCE_STORE", "Where `once=` keeps its records: `sqlite:///...`, `redis://...`", "none"),
    Variable("CLOUDFLOW_SEAL_KEY", "The key that seals task tokens put away; newest first, commas between", "none"),
)
# What a client and the limit of its Outputs follow from where no argument says otherwise. FC itself sets FC_REGION.
CLIENT_VARIABLES = (
    "CLOUDFLOW_ENDPOINT",
    "CLOUDFLOW_REGION",
    "CLOUDFLOW_NETWORK",
    "CLOUDFLOW_SIGNATURE",
    "CLOUDFLOW_CONNECT_TIMEOUT",
    "CLOUDFLOW_READ_TIMEOUT",
    "CLOUDFLOW_OUTPUT_LIMIT",
    "FC_REGION",
)
_PREFIX = "CLOUDFLOW_"
_KNOWN = frozenset(variable.name for variable in VARIABLES)
# Acquired by the first reader in a process and never released.
_first_reader = threading.Lock()


def snapshot() -> tuple[str | None, ...]:
    """Return the texts of the variables in `CLIENT_VARIABLES`, unchecked and in that order; None where one is not set.

    A decorated function keeps its client, and the limit of its Outputs, under this key. As long as the key is the same,
    the client is, so that an event reads the settings once.
    """
    _warn_once()
    return tuple(map(os.environ.get, CLIENT_VARIABLES))


def text(name: str, argument: str | None = None, *, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the argument where there is one, else the variable's value, else None; empty means not set."""
    assert name in _KNOWN, name
    _warn_once()
    if argument is not None:
        return argument
    return (os.environ if environ is None else environ).get(name) or None


def _warn_once() -> None:
    """Warn about each variable that has the prefix of a setting but is not one. Its value may be a secret and is not shown."""
    if not _first_reader.acquire(blocking=False):
        return
    for name in sorted(os.environ):
        if name.upper().startswith(_PREFIX) and name not in _KNOWN:
            nearest = _nearest(name)
            logger.warning(
                "The environment variable %s is not a setting of fc_callback and has no effect.%s",
                name,
                f" Did you mean {nearest}?" if nearest else "",
            )


def _nearest(name: str) -> str | None:
    from difflib import get_close_matches  # not loaded in a cold start without such a variable

    known = [each.removeprefix(_PREFIX) for each in sorted(_KNOWN)]
    found = get_close_matches(name.upper()[len(_PREFIX) :], known, n=1)
    return f"{_PREFIX}{found[0]}" if found else None


def choice(name: str, argument: str | None, *, of: tuple[str, ...]) -> str:
    """Return one of the words in `of`; the first is the default.

    Raises:
        SettingsError: It is none of them.
    """
    value = text(name, argument) or of[0]
    if value not in of:
        words = ", ".join(repr(word) for word in of)
        raise SettingsError(f"{name} (or the argument for it) is {value!r}.", hint=f"Use one of {words}.")
    return value


def seconds(name: str, argument: float | None, *, default: float) -> float:
    """Return a number of seconds above zero.

    Raises:
        SettingsError: It is not a number, or not above zero.
    """
    return _positive(name, argument, default=default, convert=float)


def byte_count(name: str, argument: int | None, *, default: int) -> int:
    """Return a number of bytes above zero.

    Raises:
        SettingsError: It is not a whole number, or not above zero.
    """
    return int(_positive(name, argument, default=default, convert=int))


def _positive(name: str, argument: float | None, *, default: float, convert: Callable[[str], float]) -> float:
    given: float | str | None = argument if argument is not None else text(name)
    if given is None:
        return default
    try:
        value = convert(given) if isinstance(given, str) else given
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        raise SettingsError(f"{name} (or the argument for it) is {given!r}.", hint="Give a number above zero.")
    return value
