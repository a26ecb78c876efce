"""Opens a TCP connection within one bound for the name's look-up and all of its addresses.

A socket's timeout holds for one address, and a look-up has no timeout. Without a bound, a host with four addresses that do
not answer takes four timeouts, and a silent name server takes up to half a minute.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fc_callback.values.forks import call_in_forked_child

if TYPE_CHECKING:
    from collections.abc import Sequence

_Address = tuple[int, int, int, str, Any]  # as socket.getaddrinfo returns them


def open_socket(
    host: str,
    port: int,
    *,
    until: float,
    family: int = socket.AF_UNSPEC,
    options: Sequence[tuple[int, int, Any]] = (),
) -> socket.socket:
    """Return a connected socket, whose timeout is the time left until the bound.

    Each address gets an equal share of the time left, so that an address that does not answer leaves time for the others.

    Args:
        host: A name or an address.
        port: The port.
        until: When it must be connected, on the clock of `time.monotonic()`.
        family: `AF_INET` if this machine has no IPv6.
        options: Arguments of `setsockopt`, which is called before connecting.

    Raises:
        socket.gaierror: The look-up of the name failed or did not end in time.
        TimeoutError: No address accepted the connection in time.
        OSError: The last address refused the connection.
    """
    addresses = look_up(host, port, until=until, family=family)
    problem: OSError = TimeoutError("timed out")
    for index, address in enumerate(addresses):
        left = until - time.monotonic()
        if left <= 0:
            break
        try:
            return _connected(address, left / (len(addresses) - index), until, options)
        except OSError as error:
            problem = error
    raise problem


def _connected(
    address: _Address, seconds: float, until: float, options: Sequence[tuple[int, int, Any]]
) -> socket.socket:
    family, kind, protocol, _, where = address
    opened = socket.socket(family, kind, protocol)
    try:
        for option in options:
            opened.setsockopt(*option)
        opened.settimeout(seconds)
        opened.connect(where)
        opened.settimeout(max(0.001, until - time.monotonic()))
    except BaseException:
        opened.close()
        raise
    return opened


class _LookUp(threading.Thread):
    """Looks a name up in a daemon thread. A look-up cannot be interrupted, but its caller can stop waiting for it."""

    def __init__(self, key: tuple[str, int, int]) -> None:
        super().__init__(name="fc_callback-look-up", daemon=True)
        self.addresses: list[_Address] = []
        self.problem: OSError | None = None
        self._key = key

    def run(self) -> None:
        try:
            self.addresses = _resolve(*self._key)
        except OSError as error:
            self.problem = error
        with _lock:
            _running.pop(self._key, None)


# One look-up for each name at a time: an attempt waits for the look-up that an earlier attempt began.
_running: dict[tuple[str, int, int], _LookUp] = {}
_lock = threading.Lock()


def look_up(host: str, port: int, *, until: float, family: int = socket.AF_UNSPEC) -> list[_Address]:
    """Return the addresses of a host. A name is looked up in a thread, or without a bound if no thread can be started.

    Raises:
        socket.gaierror: The name is not known, or no answer came in time.
    """
    host = host.strip("[]")
    try:
        with suppress(socket.gaierror):
            return _resolve(host, port, family, socket.AI_NUMERICHOST)
    except UnicodeError:  # from the codec of names; Python imports it here and not in the thread
        raise socket.gaierror(socket.EAI_NONAME, "no name of a host") from None
    looking = _look_up_in_thread((host, port, family))
    if looking is None:
        return _resolve(host, port, family)
    looking.join(max(0.0, until - time.monotonic()))
    if looking.problem is not None:
        raise type(looking.problem)(*looking.problem.args)
    if not looking.addresses:
        raise socket.gaierror(socket.EAI_AGAIN, "no answer in time")
    return looking.addresses


def _look_up_in_thread(key: tuple[str, int, int]) -> _LookUp | None:
    with _lock:
        looking = _running.get(key)
        if looking is None:
            looking = _LookUp(key)
            try:
                looking.start()
            except RuntimeError:  # no thread can be started
                return None
            _running[key] = looking
        return looking


def _resolve(host: str, port: int, family: int, flags: int = 0) -> list[_Address]:
    return list(socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags))


def _begin_again() -> None:
    """Forget, in a forked child, the threads that look names up in its parent."""
    global _lock  # noqa: PLW0603 - only the parent's thread can release a lock that it holds
    _lock = threading.Lock()
    _running.clear()


call_in_forked_child(_begin_again)
