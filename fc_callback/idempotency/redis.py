"""Records in Redis, or Tair: for functions with more than one instance.

One string a record: the revision, a line end, the record. Every change is a script that touches one key, so clusters and
proxies take it; Redis itself removes what has expired, on its own clock, which is the clock of the leases, too.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fc_callback import validators
from fc_callback.errors import SettingsError, StoreUnavailable
from fc_callback.idempotency.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
_SCAN_COUNT = 1000


class RedisStore:
    """A store in Redis or Tair, one node or a cluster behind a proxy.

    The eviction policy should be `noeviction` or `volatile-ttl`: a record evicted early is work forgotten.

    Args:
        url: As `redis.Redis.from_url` reads it; its password is never shown.
        prefix: What the keys in Redis begin with.
        timeout_seconds: For a connection and for an answer; a call is tried three times more.
        clock: In the place of the server's clock, for tests.

    Raises:
        SettingsError: The URL cannot be read, or another argument cannot be used.
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
        self._url = url
        self._prefix = prefix
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._client: Any = None

    def now(self) -> float:
        """Return the server's time."""
        if self._clock is not None:
            return self._clock()
        with self._calling() as client:
            seconds, microseconds = client.time()
        return float(seconds + microseconds / 1_000_000)

    def get(self, key: str) -> Record | None:
        """Return the record under this key."""
        with self._calling() as client:
            value = client.get(self._prefix + key)
        return None if value is None else self._read(value)

    def add(self, record: Record) -> bool:
        """Write the record if there is none under its key."""
        return self._run(_ADD, record.key, _value(record), _milliseconds(record))

    def replace(self, old: Record, new: Record) -> bool:
        """Write `new` over the revision of `old`."""
        return self._run(_REPLACE, old.key, old.revision + "\n", _value(new), _milliseconds(new))

    def delete(self, old: Record) -> bool:
        """Delete the revision of `old`."""
        return self._run(_DELETE, old.key, old.revision + "\n")

    def pending(self) -> Iterator[Record]:
        """Yield the records with `is_pending`; one that cannot be read is raised after the others.

        Walks through the whole database, gently.
        """
        unreadable: StoreUnavailable | None = None
        with self._calling() as client:
            for name in client.scan_iter(match=self._prefix + "*", count=_SCAN_COUNT):
                value = client.get(name)
                try:
                    record = None if value is None else self._read(value)
                except StoreUnavailable as error:
                    unreadable = error
                    continue
                if record is not None and record.is_pending:
                    yield record
        if unreadable is not None:
            raise unreadable

    def __repr__(self) -> str:
        return f"<RedisStore {self._place}>"

    def _run(self, script: str, key: str, *values: str | int) -> bool:
        with self._calling() as client:
            return bool(client.register_script(script)(keys=[self._prefix + key], args=values))

    @contextmanager
    def _calling(self) -> Iterator[Any]:
        try:
            from redis.exceptions import RedisError
        except ImportError:
            raise SettingsError(
                "The store is in Redis, and the package redis is not installed.",
                hint="Install it with the function's code: pip install 'fc-callback[redis]'.",
            ) from None
        try:
            yield self._connected()
        except RedisError as error:
            raise StoreUnavailable(
                f"Redis at {self._place} cannot be used: {type(error).__name__}.",
                hint="Check that the function is in the VPC of the instance, that its whitelist lets it in, and the password.",
            ) from error

    def _connected(self) -> Any:
        # Two threads may each make a client at first; the one that is dropped has no connection yet.
        if self._client is None:
            from redis import Redis
            from redis.backoff import ExponentialBackoff
            from redis.exceptions import ConnectionError as Disconnected
            from redis.exceptions import TimeoutError as TimedOut
            from redis.retry import Retry

            # An answer may be lost and the script run twice: `Once` tells its own write by the revision.
            self._client = Redis.from_url(
                self._url,
                socket_timeout=self._timeout_seconds,
                socket_connect_timeout=self._timeout_seconds,
                retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3),
                retry_on_error=[Disconnected, TimedOut],
            )
        return self._client

    def _read(self, value: bytes | str) -> Record:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        try:
            return Record.decode(text.partition("\n")[2])
        except ValueError as error:
            raise StoreUnavailable(
                f"Redis at {self._place} holds a record under {self._prefix}... that cannot be read.",
                hint="A later version of fc_callback may have written it: use that version, or another prefix.",
            ) from error


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
    except ValueError:
        # Its text would quote a password that was not percent-encoded.
        raise SettingsError(
            "The Redis URL cannot be read.",
            hint="Write redis://user:password@host:6379/0, with %-escapes for special characters in the password.",
        ) from None
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"
