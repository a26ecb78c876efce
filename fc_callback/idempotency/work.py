"""A delivery's hold on a piece of work: how the record moves on from RUNNING."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import attrs

from fc_callback.errors import LeaseLost, StoreUnavailable
from fc_callback.idempotency import echo
from fc_callback.idempotency.record import Record, State, new_revision

if TYPE_CHECKING:
    from fc_callback.idempotency.store import Store
    from fc_callback.token import TaskToken


_entered: ContextVar[tuple[str, ...]] = ContextVar("fc_callback_once", default=())


@attrs.frozen(kw_only=True)
class Stored:
    """What is remembered of work that need not run.

    Attributes:
        state: DONE or REPORTED; DEFERRED where the task was handed on, and there is nothing to report.
        output: The Output text, as the function gave it; the token of this delivery where it held its own.
        failure: (error, cause) of the business failure it ended in, in the place of an Output.
    """

    state: State
    output: str | None = attrs.field(default=None, repr=False)
    failure: tuple[str, str] | None = attrs.field(default=None, repr=False)


class Work:
    """One delivery's hold on a piece of work. Not to be shared between threads.

    Attributes:
        stored: What is remembered, if the work must not run.
        came_before: Whether an earlier delivery with this very token had the result: its report may be in, unrecorded.
    """

    def __init__(
        self,
        store: Store,
        record: Record,
        *,
        fingerprint: str | None,
        secret: TaskToken | None,
        expires_after_seconds: float,
        came_before: bool = False,
    ) -> None:
        self.stored: Stored | None = None
        self.came_before = came_before
        self._store = store
        self._standing = record
        self._secret = secret
        self._expires_after_seconds = expires_after_seconds
        self._fingerprint = fingerprint
        self._unwritten: Record | None = None
        self._runs = record.state == "RUNNING"
        if self._runs:
            _entered.set((*_entered.get(), record.revision))
        else:
            output, failure = echo.result(record, secret)
            self.stored = Stored(state=record.state, output=output, failure=failure)

    @property
    def record(self) -> Record:
        """The record, as this delivery last knew it."""
        return self._standing

    @property
    def is_reported(self) -> bool:
        """Whether the task of this very token has its report, from an earlier delivery of the same event."""
        receiver = self._standing.receiver(self._fingerprint)
        return receiver is not None and receiver.reported

    def done(self, output: str) -> None:
        """Record the Output: RUNNING becomes DONE.

        Raises:
            LeaseLost: Another delivery took the work over. Nothing was overwritten; let it pass through, and the next
                delivery gets the other's result.
            StoreUnavailable: It could not be recorded. Report all the same: a result that is reported and not recorded may
                at worst be worked out twice, one that is not reported is lost. `reported` tries to record it once more.
        """
        self._finish("DONE", output=echo.hide(output, self._secret, mark=self._standing.mark))

    def failed(self, error: str, cause: str) -> None:
        """Record a business failure, which is remembered like a result.

        Raises:
            LeaseLost, StoreUnavailable: As for `done`.
        """
        mark = self._standing.mark
        failure = (echo.hide(error, self._secret, mark=mark), echo.hide(cause, self._secret, mark=mark))
        self._finish("DONE", failure=failure)

    def deferred(self) -> None:
        """Record that the task was handed on, with its token: this token's deliveries have nothing left to do.

        Raises:
            LeaseLost, StoreUnavailable: As for `done`.
        """
        self._finish("DEFERRED")

    def abandon(self) -> None:
        """Forget this attempt after a technical failure, so that the next delivery runs.

        Does nothing once there is a result, or where this delivery never ran the work. Never raises, for it stands where
        another exception is on its way: if the store is down, the end of the lease does the same.
        """
        if self._runs and self._unwritten is None:
            self._runs = False
            self._leave()
            try:
                self._store.delete(self._standing)
            except StoreUnavailable:
                return

    def reported(self) -> None:
        """Record that this delivery's task has its report: DONE becomes REPORTED once no other task waits.

        Raises:
            StoreUnavailable: It could not be recorded. The report stands; log it and go on. At worst it is sent again, and
                answered with TaskAlreadyCompleted.
        """
        if self._unwritten is not None:
            try:
                self._write_result(self._unwritten)
            except LeaseLost:
                return
        self._standing = record_report(self._store, self._standing, self._fingerprint)

    def _finish(self, state: State, *, output: str | None = None, failure: tuple[str, str] | None = None) -> None:
        if not self._runs:
            raise RuntimeError("This delivery does not run the work: there is a result already, or it was given up.")
        self._leave()
        if self._unwritten is None:
            self._unwritten = attrs.evolve(
                self._standing, state=state, revision=new_revision(), output=output, failure=failure
            )
        self._write_result(self._unwritten)

    def _write_result(self, result: Record) -> None:
        now = self._store.now()
        result = attrs.evolve(result, finished_at=now, expires_at=now + self._expires_after_seconds)
        # The second: whoever took the work over failed technically and left nothing, so this result is the one.
        if not put(self._store, self._standing, result) and not put(self._store, None, result):
            self._unwritten = None
            raise LeaseLost(
                f"The lease of {result.scope} on this work ({result.key[:12]}) ended, and another delivery took it over."
            )
        self._standing, self._unwritten, self._runs = result, None, False

    def _leave(self) -> None:
        revision = self._standing.revision
        _entered.set(tuple(entered for entered in _entered.get() if entered != revision))


def runs_here(record: Record) -> bool:
    """Tell whether this very context is at this work: it would wait for itself."""
    return record.revision in _entered.get()


def record_report(store: Store, record: Record, fingerprint: str | None) -> Record:
    """Record in a store that one task has its report.

    Args:
        store: The store.
        record: The record, as it was last known.
        fingerprint: Of the task's token; None for work that no task asked for.

    Returns:
        The record as it is now known.

    Raises:
        StoreUnavailable: It could not be recorded.
    """
    standing: Record | None = record
    while standing is not None and standing.state == "DONE":
        receiver = standing.receiver(fingerprint)
        if fingerprint is not None and (receiver is None or receiver.reported):
            return standing
        reported = standing.with_report(fingerprint, now=store.now())
        if put(store, standing, reported):
            return reported
        # Another task's report, or another task that came for the result, was recorded in between.
        standing = store.get(record.key)
    return record if standing is None else standing


def put(store: Store, old: Record | None, new: Record) -> bool:
    """Write `new` where `old` stands; True as well if an earlier try of it went through and its answer was lost."""
    if store.add(new) if old is None else store.replace(old, new):
        return True
    standing = store.get(new.key)
    return standing is not None and standing.revision == new.revision
