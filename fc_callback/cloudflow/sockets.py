"""Opening a TCP connection within one bound: the look-up of the name and all of its addresses together.

A socket's timeout holds for one address, and a look-up has none at all: a host with four addresses that do not answer
takes four timeouts, and a silent name server up to half a minute.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

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
    """Return a connected socket; its timeout is what is left until the bound.

    Each address gets an equal share of the time that is left, so that one that does not answer leaves some for the rest.

    Args:
        host: A name or an address.
        port: The port.
        until: When it must be connected, on the clock of `time.monotonic()`.
        family: `AF_INET` where this machine has no IPv6.
        options: What `setsockopt` gets before connecting.

    Raises:
        socket.gaierror: The name cannot be looked up, or not in time.
        TimeoutError: No address accepted the connection in time.
        OSError: The last address refused it.
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
    """A name being looked up. Nothing can interrupt that, so a daemon thread waits for it, and its callers do not."""

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


# One look-up for each name at a time: an attempt that begins while an earlier one's is still running waits for that.
_running: dict[tuple[str, int, int], _LookUp] = {}
_lock = threading.Lock()


def look_up(host: str, port: int, *, until: float, family: int = socket.AF_UNSPEC) -> list[_Address]:
    """Return the addresses of a host. A name takes a thread; where none can be started, it is looked up without a bound.

    Raises:
        socket.gaierror: The name is not known, or there was no answer in time.
    """
    host = host.strip("[]")
    try:
        with suppress(socket.gaierror):
            return _resolve(host, port, family, socket.AI_NUMERICHOST)
    except UnicodeError:  # from the codec of names, which is imported here: the thread imports nothing
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
            except RuntimeError:  # no thread is to be had
                return None
            _running[key] = looking
        return looking


def _resolve(host: str, port: int, family: int, flags: int = 0) -> list[_Address]:
    return list(socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags))


def _begin_again() -> None:
    """Forget, in a forked child, the threads that look names up in its parent."""
    global _lock  # noqa: PLW0603 - a lock that was held while forking is never released
    _lock = threading.Lock()
    _running.clear()


os.register_at_fork(after_in_child=_begin_again)
