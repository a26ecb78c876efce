"""The environment variables of fc_callback, in one table, and the functions that read them.

An argument always wins over a variable. The names begin with `CLOUDFLOW_`, because FC deletes variables that begin with `FC_`.
The first read in a process logs a warning about each unknown variable with this prefix.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger("fc_callback")

KIB = 1024
CLOUDFLOW_OUTPUT_LIMIT_BYTES = 64 * KIB
LEGACY_OUTPUT_LIMIT_BYTES = 32 * KIB


class Variable(NamedTuple):
    """One environment variable: its name, its meaning, its default in words, and a pattern of its values.

    The pattern is for editors, and may accept more than the functions that read the variable. Empty: any text.
    """

    name: str
    meaning: str
    default: str
    pattern: str = ""


_NUMBER = r"[ \d_.eE+-]*[1-9][ \d_.eE+-]*"  # whatever Python may read as a number above zero
VARIABLES: tuple[Variable, ...] = (
    Variable(
        "CLOUDFLOW_ENDPOINT",
        "The endpoint of CloudFlow: a host or a URL (plain http only to loopback)",
        "from the region",
    ),
    Variable(
        "CLOUDFLOW_REGION", "The region of the flow, if it differs from the function's region", "the function's region"
    ),
    Variable("CLOUDFLOW_NETWORK", "`public`, or `internal` for the `-internal` host", "public", "public|internal"),
    Variable(
        "CLOUDFLOW_SIGNATURE",
        "`v1` (HMAC-SHA1, which every fnf SDK sends) or `v3` (ACS3-HMAC-SHA256, with the task token in the URL)",
        "v1",
        "v1|v3",
    ),
    Variable(
        "CLOUDFLOW_CONNECT_TIMEOUT",
        "Seconds to open a connection: name lookup, all addresses, proxy and TLS together",
        "3",
        _NUMBER,
    ),
    Variable("CLOUDFLOW_READ_TIMEOUT", "Seconds to wait for an answer", "10", _NUMBER),
    Variable(
        "CLOUDFLOW_OUTPUT_LIMIT",
        "The largest Output in bytes. Set 32768 for Serverless Workflow flows",
        "65536",
        r"[ \d_+]*[1-9][ \d_]*",
    ),
    Variable("CLOUDFLOW_LOG_LEVEL", "The level of `Logger`: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`", "INFO"),
    Variable(
        "CLOUDFLOW_LOG_FORM",
        "The form of `Logger`: `json`, or `console` for people",
        "`console` at a terminal",
        "json|console",
    ),
    Variable(
        "CLOUDFLOW_ONCE_STORE",
        "The store for the records of `once=`: `sqlite:///...` or `redis://...`",
        "none",
        "memory:|sqlite:///.+|(?:redis|rediss|unix)://.*",
    ),
    Variable("CLOUDFLOW_SEAL_KEY", "The keys that seal task tokens, separated by commas, the newest first", "none"),
)
# They decide the fields of a client, and the limit of an Output, that no argument gives. A decorated function keeps its client
# as long as these values stay the same. FC itself sets FC_REGION.
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
PREFIX = "CLOUDFLOW_"
_KNOWN = frozenset(variable.name for variable in VARIABLES)
# The first read in a process acquires it. It is never released.
_first_reader = threading.Lock()


def text(name: str, argument: str | None = None, *, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the argument if it is given, else the value of the variable, else None. An empty variable is not set."""
    assert name in _KNOWN, name
    if _first_reader.acquire(blocking=False):
        _warn_of_unknown_variables()
    if argument is not None:
        return argument
    return (os.environ if environ is None else environ).get(name) or None


def _warn_of_unknown_variables() -> None:
    """Warn about each variable that has the prefix of a setting but is not one. Its value may be a secret and is not shown."""
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name not in _KNOWN:
            nearest = _nearest(name)
            # `values.safe_log` stands on this module. A user's log filter that raises must not fail the event.
            with suppress(Exception):
                logger.warning(
                    "The environment variable %s is not a setting of fc_callback and has no effect.%s",
                    name,
                    f" Did you mean {nearest}?" if nearest else "",
                )


def _nearest(name: str) -> str | None:
    from difflib import get_close_matches  # a cold start without such a variable does not load it

    known = [each.removeprefix(PREFIX) for each in sorted(_KNOWN)]
    found = get_close_matches(name.upper()[len(PREFIX) :], known, n=1)
    return f"{PREFIX}{found[0]}" if found else None


def choice(name: str, argument: str | None, *, of: tuple[str, ...]) -> str:
    """Return a setting that is one of the words in `of`. The first word is the default.

    Raises:
        SettingsError: The setting is another word.
    """
    value = text(name, argument) or of[0]
    if value not in of:
        raise _invalid(name, argument, value, f"Use one of {', '.join(map(repr, of))}.")
    return value


def seconds(name: str, argument: float | None, *, default: float) -> float:
    """Return a setting that is a number of seconds above zero.

    Raises:
        SettingsError: The setting is not a number above zero.
    """
    return _positive(name, argument, default=default, convert=float)


def byte_count(name: str, argument: int | None, *, default: int) -> int:
    """Return a setting that is a number of bytes above zero.

    Raises:
        SettingsError: The setting is not a whole number above zero.
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
        raise _invalid(name, argument, given, "Give a number above zero.")
    return value


def _invalid(name: str, argument: object, value: object, hint: str) -> SettingsError:
    source = f"The variable {name}" if argument is None else f"The argument that replaces {name}"
    return SettingsError(f"{source} is {value!r}.", hint=hint)
