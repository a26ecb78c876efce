"""The settings that come from the environment, and their one table.

An argument always wins over a variable. Names begin with `CLOUDFLOW_`: FC deletes variables that begin with `FC_`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
_KNOWN = frozenset(variable.name for variable in VARIABLES)


def text(name: str, argument: str | None = None, *, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the argument where there is one, else the variable's value, else None; empty means not set."""
    assert name in _KNOWN, name
    if argument is not None:
        return argument
    return (os.environ if environ is None else environ).get(name) or None


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
