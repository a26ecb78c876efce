"""The documented quotas of calls, as token buckets.

Source: CloudFlow documentation, "Limits": StartExecution 100 and 100 a second, StartSyncExecution 1,000 a second (the size
of its bucket is inferred), DescribeExecution and
GetExecutionHistory 50 and 5 a second, all other operations together 10 and 2 a second, for each account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

_BUCKETS = {
    "StartExecution": ("start", 100.0, 100.0),
    "StartSyncExecution": ("start-sync", 1000.0, 1000.0),
    "DescribeExecution": ("describe", 50.0, 5.0),
    "GetExecutionHistory": ("history", 50.0, 5.0),
}
_OTHERS = ("others", 10.0, 2.0)


@attrs.define
class _Bucket:
    level: float
    filled_at: float


class Quota:
    """Limits the calls of each account, if `enabled`."""

    def __init__(self, now: Callable[[], float], *, enabled: bool) -> None:
        self.enabled = enabled
        self._now = now
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def take(self, account_id: str, action: str) -> bool:
        """Count one call; return whether it is within the quota."""
        if not self.enabled:
            return True
        name, size, refill_per_second = _BUCKETS.get(action, _OTHERS)
        now = self._now()
        bucket = self._buckets.setdefault((account_id, name), _Bucket(size, now))
        bucket.level = min(size, bucket.level + max(0.0, now - bucket.filled_at) * refill_per_second)
        bucket.filled_at = now
        if bucket.level < 1:
            return False
        bucket.level -= 1
        return True
