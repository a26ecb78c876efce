"""Results that stand in a store while a task still waits for its report: what `fc-callback redeliver` works through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from fc_callback.errors import SealError
from fc_callback.idempotency import echo
from fc_callback.idempotency.work import record_report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.idempotency.record import Record
    from fc_callback.idempotency.store import Store
    from fc_callback.sealing import TokenSeal
    from fc_callback.token import TaskToken


@attrs.frozen(kw_only=True)
class Undelivered:
    """A result, and one task that waits for it.

    Attributes:
        record: The record it stands in.
        fingerprint: Of the task's token.
        token: The token; None where none was kept, or the seal cannot be opened with this key.
        output: The Output to report; None for a failure.
        failure: (error, cause) to report instead.
    """

    record: Record
    fingerprint: str
    token: TaskToken | None
    output: str | None = attrs.field(repr=False)
    failure: tuple[str, str] | None = attrs.field(repr=False)
    _store: Store = attrs.field(repr=False)

    def reported(self) -> None:
        """Record that the report is in.

        Raises:
            StoreUnavailable: It could not be recorded; the next run will report again, and learn that it is done.
        """
        record_report(self._store, self.record, self.fingerprint)


def undelivered(store: Store, seal: TokenSeal | None = None) -> Iterator[Undelivered]:
    """Yield every result that a task still waits for.

    Args:
        store: Where to look.
        seal: Opens the tokens that were kept.

    Raises:
        StoreUnavailable: The store does not answer; or, after all others, it holds a record that cannot be read.
        SettingsError: The seal has no key, or the package cryptography is missing.
    """
    for record in store.pending():
        for receiver in record.receivers:
            if receiver.reported:
                continue
            token = None
            if seal is not None and receiver.sealed is not None:
                try:
                    token = seal.open(receiver.sealed)
                except SealError:
                    token = None
            output, failure = echo.result(record, token)
            yield Undelivered(
                record=record,
                fingerprint=receiver.fingerprint,
                token=token,
                output=output,
                failure=failure,
                store=store,
            )
