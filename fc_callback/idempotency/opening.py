"""The store that a URL names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from fc_callback.idempotency.store import Store


def open_store(url: str) -> Store:
    """Return the store that a URL names. Its driver is imported; nothing is opened yet.

    Args:
        url: `memory:` (this process only, for tests); `sqlite:///once.db` (a file in the working directory) or
            `sqlite:////mnt/nas/once.db` (four slashes: an absolute path); `redis://`, `rediss://` or `unix://` as redis-py
            reads them (Redis, Tair).

    Raises:
        SettingsError: The URL names none of these, or the package of its driver is not installed.
    """
    scheme, colon, rest = url.partition(":")
    if url == "memory:":
        from fc_callback.idempotency.memory import MemoryStore

        return MemoryStore()
    if scheme == "sqlite" and rest.startswith("///") and len(rest) > len("///"):
        from fc_callback.idempotency.sqlite import SqliteStore

        return SqliteStore(rest.removeprefix("///"))
    if scheme in {"redis", "rediss", "unix"} and rest.startswith("//"):
        from fc_callback.idempotency.redis import RedisStore

        return RedisStore(url)
    # The rest of the URL may hold a password.
    raise SettingsError(
        f"The store's URL begins with {scheme + colon!r}, which names no kind of store."
        if colon
        else "The store's URL has no scheme.",
        hint="Use memory:, sqlite:///file.db, sqlite:////absolute/file.db or redis://host:6379/0.",
    )
