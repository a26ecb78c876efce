"""Records in Redis, or Tair: for functions with more than one instance.

One string a record: the revision, a line end, the record. Every change is a script that touches one key, so clusters and
proxies take it; Redis itself removes what has expired, on its own clock, which is the clock of the leases, too.
"""

from __future__ import annotations

import os
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fc_callback.errors import SettingsError, StoreUnavailable
from fc_callback.idempotency.bounded import CALL_SECONDS, call_within
from fc_callback.idempotency.record import read_record
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
_REPLACE = """
local value = redis.call('GET', KEYS[1])
if not value or string.sub(value, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
return 1
"""
_DELETE = """
local value = redis.call('GET', KEYS[1])
if not value or string.sub(value, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
_SCHEMES = frozenset({"redis", "rediss", "unix"})
_SCAN_COUNT = 1000
_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.05


class RedisStore:
    """A store in Redis or Tair, one node or a cluster behind a proxy.

    The eviction policy should be `noeviction` or `volatile-ttl`: a record evicted early is work forgotten.

    Args:
        url: As `redis.Redis.from_url` reads it; its password is never shown.
        prefix: What the keys in Redis begin with.
        timeout_seconds: For a connection and for an answer; after that a call is tried again on a new connection, three
            times at most and only while the call's own timeout lasts.
        clock: In the place of the server's clock, for tests.

    Raises:
        SettingsError: An argument cannot be used, or the package redis is not installed.
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
        self._place = _place(url)
        self._prefix = prefix
        self._clock = clock
        try:
            self._clients = _Clients(url, timeout_seconds)
        except (TypeError, ValueError, redis.RedisError) as error:  # whose text may quote the password
            problem = type(error).__name__
        else:
            return
        raise SettingsError(
            f"The Redis URL {self._place} cannot be used: {problem}.",
            hint="Write it as redis-py reads it: redis://user:password@host:6379/0, rediss:// or unix:///path?db=0; behind "
            "the ? stand options of a connection of redis-py.",
        )

    def now(self, *, timeout: float = CALL_SECONDS) -> float:
        """Return the server's time."""
        if self._clock is not None:
            return self._clock()
        seconds, microseconds = self._call(lambda client: client.time(), timeout)
        return float(seconds + microseconds / 1_000_000)

    def get(self, key: str, *, timeout: float = CALL_SECONDS) -> Record | None:
        """Return the record under this key."""
        value = self._call(lambda client: client.get(self._prefix + key), timeout)
        return None if value is None else self._read(key, value)

    def add(self, record: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Write the record if there is none under its key."""
        return self._run(_ADD, record.key, _value(record), _milliseconds(record), timeout=timeout)

    def replace(self, old: Record, new: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Write `new` over the revision of `old`."""
        return self._run(_REPLACE, old.key, old.revision + "\n", _value(new), _milliseconds(new), timeout=timeout)

    def delete(self, old: Record, *, timeout: float = CALL_SECONDS) -> bool:
        """Delete the revision of `old`."""
        return self._run(_DELETE, old.key, old.revision + "\n", timeout=timeout)

    def pending(self) -> Iterator[Record]:
        """Yield the records with `is_pending`; one that cannot be read is raised after the others.

        Walks through the whole database, gently.
        """
        unreadable: StoreUnavailable | None = None
        cursor = 0
        while True:
            cursor, names = self._call(self._scan(cursor), CALL_SECONDS)
            for name in names:
                key = name.decode("utf-8", "replace").removeprefix(self._prefix)
                try:
                    record = self.get(key)
                except StoreUnavailable as error:
                    unreadable = error
                    continue
                if record is not None and record.is_pending:
                    yield record
            if not cursor:
                break
        if unreadable is not None:
            raise unreadable

    def forget(self, key: str) -> bool:
        """Delete the value under this key, of whatever type."""
        return bool(self._call(lambda client: client.delete(self._prefix + key), CALL_SECONDS))

    def __repr__(self) -> str:
        return f"<RedisStore {self._place}>"

    def _scan(self, cursor: int) -> Callable[[Any], tuple[int, list[bytes]]]:
        return lambda client: client.scan(cursor, match=self._prefix + "*", count=_SCAN_COUNT)

    def _run(self, script: str, key: str, *values: str | int, timeout: float) -> bool:
        return bool(self._call(lambda client: client.eval(script, 1, self._prefix + key, *values), timeout))

    def _call(self, use: Callable[[Any], T], timeout: float) -> T:
        """Make one call, again where a connection fails: `Once` knows its own writes, so one that ran twice does no harm."""
        ends_at = time.monotonic() + timeout
        pause = _FIRST_PAUSE_SECONDS
        for tries_left in reversed(range(_TRIES)):
            exchange = _Exchange(self._clients, use)
            try:
                return call_within(ends_at - time.monotonic(), exchange.run)
            except TimeoutError:
                exchange.give_up()
                problem = f"gave no answer within {timeout:.1f} s"
                break
            except (redis.ConnectionError, redis.TimeoutError) as error:
                problem = f"cannot be used: {type(error).__name__}"
                if not tries_left or ends_at - time.monotonic() <= pause:
                    break
            except redis.RedisError as error:
                problem = f"cannot be used: {type(error).__name__}"
                break
            time.sleep(pause)
            pause *= 2
        # Outside of the handlers: the errors of redis-py may quote the URL.
        raise StoreUnavailable(
            f"Redis at {self._place} {problem}.",
            hint="Check that the function is in the VPC of the instance, that its whitelist lets it in, and the password.",
        )

    def _read(self, key: str, value: bytes) -> Record:
        revision, _, text = value.decode("utf-8", "replace").partition("\n")
        return read_record(text, key=key, revision=revision, store=f"Redis at {self._place}")


class _Clients:
    """Clients of one connection each, kept for the next call; those of a parent process are not used after a fork."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._owner = os.getpid()
        # Calls run in threads, which must import nothing: a name look-up uses this codec, and redis-py looks its version up
        # when it connects.
        "".encode("idna")
        import_module("email.parser")
        client = self._made()
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # an option of the URL that there is not: now, not at an event
        self._idle = [client]

    def take(self) -> Any:
        """Return an idle client, else a new one. It opens its connection at its first call."""
        if self._owner != os.getpid():
            self._idle, self._owner = [], os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return self._made()

    def _made(self) -> Any:
        # Repeats are ours, so that they end with the call.
        client = redis.Redis.from_url(
            self._url,
            socket_timeout=self._timeout_seconds,
            socket_connect_timeout=self._timeout_seconds,
            retry=Retry(NoBackoff(), 0),
        )
        client.connection_pool.connection_kwargs["decode_responses"] = False  # the URL's options come before ours
        return client

    def put_back(self, client: Any) -> None:
        """Keep a client whose last answer has been read whole."""
        self._idle.append(client)

    def drop_idle(self) -> None:
        """Close the clients that wait: where one connection was closed by the server, the others may be as well."""
        idle, self._idle = self._idle, []
        for client in idle:
            client.close()


class _Exchange(Generic[T]):
    """One call on a client that nothing else uses meanwhile."""

    def __init__(self, clients: _Clients, use: Callable[[Any], T]) -> None:
        self._clients = clients
        self._client = clients.take()
        self._use = use
        self._given_up = False

    def run(self) -> T:
        """Make the call. A client whose call failed, or came too late, is closed and never used again."""
        try:
            value = self._use(self._client)
        except BaseException:
            self._client.close()
            self._clients.drop_idle()
            raise
        if self._given_up:
            self._client.close()
        else:
            self._clients.put_back(self._client)
        return value

    def give_up(self) -> None:
        """Let the call end in its own time, and its client with it."""
        self._given_up = True


def _value(record: Record) -> str:
    return f"{record.revision}\n{record.encode()}"


def _milliseconds(record: Record) -> int:
    return int(record.expires_at * 1000)


def _place(url: str) -> str:
    """Return the URL's scheme, host, port and path: what may be shown of it."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        is_readable = parts.scheme in _SCHEMES
    except ValueError:
        is_readable = False
    if not is_readable:
        # The error's text would quote a password that was not percent-encoded; what is no URL may be a secret as a whole.
        raise SettingsError(
            "The Redis URL cannot be read.",
            hint="Write redis://user:password@host:6379/0, with %-escapes for special characters in the password.",
        )
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"
