"""One delivery's hold on a piece of work: how the record changes from RUNNING on."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import attrs

from fc_callback.errors import LeaseLost, StoreUnavailable
from fc_callback.idempotency.bounded import BoundedStore
from fc_callback.idempotency.record import Record, State, new_revision
from fc_callback.idempotency.token_placeholders import mask_token, restore_token

if TYPE_CHECKING:
    from fc_callback.idempotency.store import Store
    from fc_callback.values.context import Deadline
    from fc_callback.values.token import TaskToken


# The revisions of the records whose work runs around this code.
_entered: ContextVar[tuple[str, ...]] = ContextVar("fc_callback_once", default=())


@attrs.frozen(kw_only=True)
class Stored:
    """The stored result of work that must not run.

    Attributes:
        state: DONE or REPORTED; DEFERRED if other code reports the task, so that there is nothing to report here.
        output: The Output text, as the function returned it; with this delivery's token if it held its own.
        failure: (error, cause) of a failure. There is an `output` or a `failure`, not both.
        refusal: The error of a result that cannot be an Output, as `Work.refused` got it: it must be raised again.
    """

    state: State
    output: str | None = attrs.field(default=None, repr=False)
    failure: tuple[str, str] | None = attrs.field(default=None, repr=False)
    refusal: str | None = attrs.field(default=None, repr=False)

    @classmethod
    def read(cls, record: Record, token: TaskToken | None) -> Stored:
        """Return a record's result, with this token in the place of each placeholder."""

        def restored(text: str | None) -> str | None:
            return None if text is None else restore_token(text, token, mark=record.mark)

        error, cause = map(restored, record.failure or (None, None))
        failure = None if error is None or cause is None else (error, cause)
        return cls(
            state=record.state, output=restored(record.output), failure=failure, refusal=restored(record.refusal)
        )


class Work:
    """One delivery's hold on a piece of work. Threads must not share it.

    Each method that writes takes `until`: when all the calls and repeats of this step must have ended; ten seconds from
    now by default.

    Attributes:
        is_remembered: Always True; False for `NO_WORK`.
        stored: The stored result if the work must not run.
        came_before: Whether an earlier delivery with the same token may have reported the task without a record of it: it
            had the result, or it was killed while it worked.
    """

    is_remembered = True

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
        self._current = record
        self._secret = secret
        self._expires_after_seconds = expires_after_seconds
        self._fingerprint = fingerprint
        self._unwritten: Record | None = None
        self._runs = record.state == "RUNNING"
        if self._runs:
            _entered.set((*_entered.get(), record.revision))
        else:
            self.stored = Stored.read(record, secret)

    @property
    def record(self) -> Record:
        """The record, as this delivery last read or wrote it."""
        return self._current

    def __str__(self) -> str:
        """Return the scope and the key, for a log line or an error."""
        return f"the work of {self._current.label}"

    @property
    def release_hint(self) -> str:
        """How to release the work if its result cannot be used, for an error's hint."""
        return (
            "The function has run and will not run again for this work. "
            f"To release it: fc-callback redeliver STORE --forget {self._current.key}"
        )

    @property
    def is_reported(self) -> bool:
        """Whether an earlier delivery of the same event has reported the task of this token."""
        receiver = self._current.receiver(self._fingerprint)
        return receiver is not None and receiver.reported

    @property
    def is_written(self) -> bool:
        """Whether the end of this delivery is certainly recorded."""
        return self._unwritten is None

    def done(self, output: str, *, until: Deadline | None = None) -> None:
        """Record the Output: RUNNING becomes DONE.

        Raises:
            LeaseLost: Another delivery took the work over. Nothing was overwritten. Let the error pass through: the next
                delivery gets the other delivery's result.
            StoreUnavailable: The record is uncertain. Report the result all the same, then call `write_again`: a reported
                result without a record may cause a second run at worst, and an unreported result is lost.
        """
        self._finish(attrs.evolve(self._current, state="DONE", output=self._masked(output)), until)

    def failed(self, error: str, cause: str, *, until: Deadline | None = None) -> None:
        """Record a failure, which is remembered like a result.

        Raises:
            LeaseLost, StoreUnavailable: As for `done`.
        """
        failure = self._masked(error), self._masked(cause)
        self._finish(attrs.evolve(self._current, state="DONE", failure=failure), until)

    def refused(self, error: str, cause: str, refusal: str, *, until: Deadline | None = None) -> None:
        """Record that the work ran and its result cannot be an Output: later deliveries raise the same error.

        Args:
            error: The error's name.
            cause: Its text.
            refusal: The error, as JSON.
            until: When this step must have ended.

        Raises:
            LeaseLost, StoreUnavailable: As for `done`.
        """
        failure = self._masked(error), self._masked(cause)
        result = attrs.evolve(self._current, state="DONE", failure=failure, refusal=self._masked(refusal))
        self._finish(result, until)

    def deferred(self, *, until: Deadline | None = None) -> None:
        """Record that other code has the task's token and reports it: this token's deliveries have nothing left to do.

        Raises:
            LeaseLost, StoreUnavailable: As for `done`.
        """
        self._finish(attrs.evolve(self._current, state="DEFERRED"), until)

    def write_again(self, *, until: Deadline | None = None) -> None:
        """Repeat what `done`, `failed`, `refused` or `deferred` could not record.

        Raises:
            LeaseLost, StoreUnavailable: As for `done`.
        """
        if self._unwritten is not None:
            self._write(self._unwritten, until)

    def abandon(self, *, until: Deadline | None = None) -> None:
        """Forget this attempt after a technical failure, so that the next delivery runs.

        It does nothing after a result, or where this delivery did not run the work. It raises nothing, because its caller
        is raising another exception: without a store, the end of the lease has the same effect.
        """
        if self._runs and self._unwritten is None:
            self._runs = False
            self._leave()
            try:
                BoundedStore(self._store, until).delete(self._current)
            except StoreUnavailable:
                return

    def reported(self, *, until: Deadline | None = None) -> None:
        """Record that this delivery's task has its report: DONE becomes REPORTED if no other task waits.

        Raises:
            LeaseLost: The result itself was not recorded yet, and another delivery took the work over.
            StoreUnavailable: It could not be recorded. The report is valid: log the error and continue. A second report is
                answered with TaskAlreadyCompleted.
        """
        self.write_again(until=until)
        self._current = record_report(BoundedStore(self._store, until), self._current, self._fingerprint)

    def _finish(self, result: Record, until: Deadline | None) -> None:
        if not self._runs:
            raise RuntimeError("This delivery does not run the work: there is a result already, or it was abandoned.")
        self._leave()
        if self._unwritten is None:
            self._unwritten = attrs.evolve(result, revision=new_revision())
        self._write(self._unwritten, until)

    def _masked(self, text: str) -> str:
        return mask_token(text, self._secret, mark=self._current.mark)

    def _write(self, result: Record, until: Deadline | None) -> None:
        store = BoundedStore(self._store, until)
        now = store.now()
        result = attrs.evolve(result, finished_at=now, expires_at=now + self._expires_after_seconds)
        if not store.replace(self._current, result):
            found = store.get(result.key)
            if found is not None and found.mark == result.mark and found.state != "RUNNING":
                # An earlier try succeeded and its answer was lost; another task may have joined since.
                result = found
            elif found is not None or not store.put(None, result):
                self._unwritten = None
                raise LeaseLost(f"The lease on the work of {result.label} ended, and another delivery took it over.")
            # Else the delivery that took the work over failed technically and left no record: this result counts.
        self._current, self._unwritten, self._runs = result, None, False

    def _leave(self) -> None:
        revision = self._current.revision
        _entered.set(tuple(entered for entered in _entered.get() if entered != revision))


def runs_here(record: Record) -> bool:
    """Say whether this context runs the work of a record, so that it would wait for itself."""
    return record.revision in _entered.get()


def record_report(store: BoundedStore, record: Record, fingerprint: str | None) -> Record:
    """Record that one task has its report.

    Args:
        store: The store.
        record: The record, as it was last read or written.
        fingerprint: The fingerprint of the task's token; None for work without a task.

    Returns:
        The record as it is now.

    Raises:
        StoreUnavailable: The report could not be recorded.
    """
    current: Record | None = record
    while current is not None and current.state == "DONE":
        receiver = current.receiver(fingerprint)
        if fingerprint is not None and (receiver is None or receiver.reported):
            return current
        reported = current.with_report(fingerprint, now=store.now())
        if store.put(current, reported):
            return reported
        # In between, another task's report was recorded, or another task asked for the result.
        current = store.get(record.key)
    return record if current is None else current
