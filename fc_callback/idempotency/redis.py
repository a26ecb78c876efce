"""Records in Redis or Tair, for functions with more than one instance.

Each record is one string: its revision, a line end, the record. Each change is a script that uses one key, so clusters and
proxies accept it. Redis removes expired records on its own clock, which is also the clock of the leases.
"""

from __future__ import annotations

import socket
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from fc_callback.errors import SettingsError, StoreUnavailable
from fc_callback.idempotency.bounded import call_within
from fc_callback.idempotency.record import read_record, read_records
from fc_callback.idempotency.store import CALL_SECONDS
from fc_callback.values import validators

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError:
    raise SettingsError(
        "The store is in Redis, and the package redis is not installed.",
        hint="Install it with the function's code: pip install 'fc-callback[redis]'.",
    ) from None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fc_callback.idempotency.record import Record

T = TypeVar("T")

_ADD = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
return 1
"""
_COMPARE = """
local value = redis.call('GET', KEYS[1])
if not value or string.sub(value, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
"""
_REPLACE = f"""{_COMPARE}
redis.call('SET', KEYS[1], ARGV[2])
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
return 1
"""
_DELETE = f"{_COMPARE} return redis.call('DEL', KEYS[1])"
_SCHEMES = frozenset({"redis", "rediss", "unix"})
_SCAN_COUNT = 1000
_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.05


class RedisStore:
    """A store in Redis or Tair, one node or a cluster behind a proxy.

    The eviction policy should be `noeviction` or `volatile-ttl`: work whose record is evicted runs again.

    Args:
        url: As `redis.Redis.from_url` reads it. Its password is never shown.
        prefix: The beginning of each key in Redis.
        timeout_seconds: For a connection and for an answer. After that, a call is repeated on a new connection, at most
            three times, and only within the call's own timeout.
        clock: Replaces the server's clock in tests.

    Raises:
        SettingsError: An argument cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "fc-callback:once:",
        timeout_seconds: float = 3.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        validators.text("url", url, "Give a URL, like redis://host:6379/0.")
        validators.text("prefix", prefix, "Give a text, like prefix='orders:'.")
        validators.number("timeout_seconds", timeout_seconds, above=0)
        self._address = _address(url)
        self._prefix = prefix
        self._clock = clock
        try:
            self._client = _client(url, timeout_seconds)
        except (TypeError, ValueError, redis.RedisError) as error:  # whose text may quote the password
            problem = type(error).__name__
        else:
            return
        raise SettingsError(
            f"The Redis URL {self._address} cannot be used: {problem}.",
            hint="Write it as redis-py reads it: redis://user:password@host:6379/0, rediss:// or unix:///path?db=0. After "
            "the ? come options of redis-py's connections.",
        )

    def now(self, *, timeout: float = CALL_SECONDS) -> float:
        """Return the server's time."""
        if self._clock is not None:
            return self._clock()
        seconds, microseconds = self._call(self._client.time, timeout)
        return float(seconds + microseconds / 1_000_000)

    def get(self, key: str, *, timeout: float = CALL_SECONDS) -> Record | None:
        """Return the record under this key."""
        row = self._row(key, timeout)
        return None if row is None else read_record(row[2], key=key, revision=row[1], store=self._name)

    def add(self, record: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Write the record if there is none under its key."""
        return self._run(_ADD, record.key, *_stored(record), timeout=timeout)

    def replace(self, old: Record, new: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Write `new` over the revision of `old`."""
        return self._run(_REPLACE, old.key, old.revision + "\n", *_stored(new), timeout=timeout)

    def delete(self, old: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Delete the revision of `old`."""
        return self._run(_DELETE, old.key, old.revision + "\n", timeout=timeout)

    def pending(self) -> Iterator[Record]:
        """Yield the records with `is_pending`, and then raise `StoreUnavailable` if some cannot be read.

        It scans the whole database, with many short commands.
        """
        rows = (row for key in self._keys() if (row := self._row(key, CALL_SECONDS)) is not None)
        yield from (record for record in read_records(rows, store=self._name) if record.is_pending)

    def forget(self, key: str) -> bool:
        """Delete the value under this key, of any type."""
        return bool(self._call(lambda: self._client.delete(self._prefix + key), CALL_SECONDS))

    def __repr__(self) -> str:
        return f"<RedisStore {self._address}>"

    @property
    def _name(self) -> str:
        return f"Redis at {self._address}"

    def _keys(self) -> Iterator[str]:
        cursor = 0
        while True:
            cursor, names = self._call(self._scan(cursor), CALL_SECONDS)
            for name in names:
                yield name.decode("utf-8", "replace").removeprefix(self._prefix)
            if not cursor:
                return

    def _scan(self, cursor: int) -> Callable[[], tuple[int, list[bytes]]]:
        return lambda: self._client.scan(cursor, match=self._prefix + "*", count=_SCAN_COUNT)

    def _row(self, key: str, timeout: float) -> tuple[str, str, str] | None:
        """Return the key, the revision and the record's text; a value of another type counts as an empty text."""

        def get() -> bytes | None:
            try:
                value: bytes | None = self._client.get(self._prefix + key)
            except redis.ResponseError as error:
                if not str(error).startswith("WRONGTYPE"):
                    raise
                return b""
            return value

        value = self._call(get, timeout)
        if value is None:
            return None
        revision, _, text = value.decode("utf-8", "replace").partition("\n")
        return key, revision, text

    def _run(self, script: str, key: str, *values: str | int, timeout: float) -> bool:
        return bool(self._call(lambda: self._client.eval(script, 1, self._prefix + key, *values), timeout))

    def _call(self, command: Callable[[], T], timeout: float) -> T:
        """Run one command, and repeat it after a connection fails: `Once` recognises its own writes.

        The thread of an abandoned command keeps its connection until the answer is read whole or the connection is closed,
        so no other command gets that answer.
        """
        ends_at = time.monotonic() + timeout
        pause = _FIRST_PAUSE_SECONDS
        for tries_left in reversed(range(_TRIES)):
            try:
                return call_within(ends_at - time.monotonic(), command)
            except TimeoutError:
                problem = f"gave no answer within {timeout:.1f} s"
                break
            except (redis.ConnectionError, redis.TimeoutError) as error:
                problem = f"cannot be used: {type(error).__name__}"
                # Where the server has closed one connection, it may have closed the idle ones as well.
                self._client.connection_pool.disconnect(inuse_connections=False)
                if not tries_left or ends_at - time.monotonic() <= pause:
                    break
            except redis.RedisError as error:
                problem = f"cannot be used: {type(error).__name__}"
                break
            time.sleep(pause)
            pause *= 2
        # Outside of the handlers: the errors of redis-py may quote the URL.
        raise StoreUnavailable(
            f"{self._name} {problem}.",
            hint="Check that the function is in the VPC of the instance, that its whitelist lets it in, and the password.",
        )


def _client(url: str, timeout_seconds: float) -> Any:
    # Commands run in threads, which must import nothing: a name look-up uses this codec, and redis-py looks up its own
    # version when it connects.
    "".encode("idna")
    import_module("email.parser")
    client = redis.Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),  # `_call` repeats, within its timeout
    )
    pool = client.connection_pool
    pool.connection_kwargs["decode_responses"] = False  # the options of the URL replace ours
    pool.connection_class(
        **pool.connection_kwargs
    )  # an unknown option of the URL is an error now, not at the first event
    return client


def _stored(record: Record) -> tuple[str, int]:
    """Return the value of a record, and when it expires, in milliseconds."""
    return f"{record.revision}\n{record.encode()}", int(record.expires_at * 1000)


def _address(url: str) -> str:
    """Return the URL's scheme, host, port and path: the parts that may be shown."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        is_readable = parts.scheme in _SCHEMES
    except ValueError:
        is_readable = False
    if not is_readable:
        # Not even a part is shown: the password may not be percent-encoded, or the whole text may be a secret.
        raise SettingsError(
            "The Redis URL cannot be read.",
            hint="Write redis://user:password@host:6379/0, with %-escapes for special characters in the password.",
        )
    if parts.scheme == "unix" and not hasattr(socket, "AF_UNIX"):
        raise SettingsError("This system has no Unix sockets: name the Redis server with redis:// or rediss://.")
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"
