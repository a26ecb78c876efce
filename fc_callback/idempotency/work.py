"""A delivery's hold on a piece of work: how the record moves on from RUNNING."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import attrs

from fc_callback.errors import LeaseLost, StoreUnavailable
from fc_callback.idempotency import echo
from fc_callback.idempotency.bounded import CALL_SECONDS, BoundedStore
from fc_callback.idempotency.record import Record, State, new_revision
from fc_callback.values.context import Deadline

if TYPE_CHECKING:
    from fc_callback.idempotency.store import Store
    from fc_callback.values.token import TaskToken


_entered: ContextVar[tuple[str, ...]] = ContextVar("fc_callback_once", default=())


@attrs.frozen(kw_only=True)
class Stored:
    """What is remembered of work that need not run.

    Attributes:
        state: DONE or REPORTED; DEFERRED where the task was handed on, and there is nothing to report.
        output: The Output text, as the function gave it; the token of this delivery where it held its own.
        failure: (error, cause) of the failure it ended in, in the place of an Output.
        refusal: The error of a result that could not be an Output, as `Work.refused` got it: to be raised again.
    """

    state: State
    output: str | None = attrs.field(default=None, repr=False)
    failure: tuple[str, str] | None = attrs.field(default=None, repr=False)
    refusal: str | None = attrs.field(default=None, repr=False)


class Work:
    """One delivery's hold on a piece of work. Not to be shared between threads.

    Each step that writes takes `until`: when all the calls and repeats of this step must have ended. Without it, a step
    takes 10 seconds at most.

    Attributes:
        is_remembered: Always True; False for `NO_WORK`.
        stored: What is remembered, if the work must not run.
        came_before: Whether an earlier delivery with this very token may have reported its task already, without a record
            of it: it had the result, or it was killed while it worked.
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
            refusal = None if record.refusal is None else echo.show(record.refusal, secret, mark=record.mark)
            self.stored = Stored(state=record.state, output=output, failure=failure, refusal=refusal)

    @property
    def record(self) -> Record:
        """The record, as this delivery last knew it."""
        return self._standing

    def __str__(self) -> str:
        """Return the scope and the digest of the key, for a log line or an error."""
        return f"the work of {self._standing.scope} ({self._standing.key})"

    @property
    def release_hint(self) -> str:
        """What to do about a result that is kept and cannot be used, for an error's hint."""
        return (
            "The function has run and will not run again for this work. "
            f"To release it: fc-callback redeliver STORE --forget {self._standing.key}"
        )

    @property
    def is_reported(self) -> bool:
        """Whether the task of this very token has its report, from an earlier delivery of the same event."""
        receiver = self._standing.receiver(self._fingerprint)
        return receiver is not None and receiver.reported

    @property
    def is_written(self) -> bool:
        """Whether what this delivery ended in is certainly recorded."""
        return self._unwritten is None

    def done(self, output: str, *, until: Deadline | None = None) -> None:
        """Record the Output: RUNNING becomes DONE.

        Raises:
            LeaseLost: Another delivery took the work over. Nothing was overwritten; let it pass through, and the next
                delivery gets the other's result.
            StoreUnavailable: It is not certain that it is recorded. Report all the same: a result that is reported and not
                recorded may at worst be worked out twice, one that is not reported is lost. Then `write_again`.
        """
        self._finish("DONE", until, output=self._hidden(output))

    def failed(self, error: str, cause: str, *, until: Deadline | None = None) -> None:
        """Record a failure, which is remembered like a result.

        Raises:
            LeaseLost, StoreUnavailable: As for `done`.
        """
        self._finish("DONE", until, failure=(self._hidden(error), self._hidden(cause)))

    def refused(self, error: str, cause: str, refusal: str, *, until: Deadline | None = None) -> None:
        """Record that the work ran and its result cannot be an Output: later deliveries raise the same error.

        Args:
            error: The error's name.
            cause: What it says.
            refusal: The error, as JSON.
            until: When this step must have ended.

        Raises:
            LeaseLost, StoreUnavailable: As for `done`.
        """
        self._finish("DONE", until, failure=(self._hidden(error), self._hidden(cause)), refusal=self._hidden(refusal))

    def deferred(self, *, until: Deadline | None = None) -> None:
        """Record that the task was handed on, with its token: this token's deliveries have nothing left to do.

        Raises:
            LeaseLost, StoreUnavailable: As for `done`.
        """
        self._finish("DEFERRED", until)

    def write_again(self, *, until: Deadline | None = None) -> None:
        """Try once more to record what `done`, `failed`, `refused` or `deferred` could not.

        Raises:
            LeaseLost, StoreUnavailable: As for `done`.
        """
        if self._unwritten is not None:
            self._write(self._unwritten, until)

    def abandon(self, *, until: Deadline | None = None) -> None:
        """Forget this attempt after a technical failure, so that the next delivery runs.

        Does nothing once there is a result, or where this delivery never ran the work. Never raises, for it stands where
        another exception is on its way: if the store is down, the end of the lease does the same.
        """
        if self._runs and self._unwritten is None:
            self._runs = False
            self._leave()
            try:
                self._bounded(until).delete(self._standing)
            except StoreUnavailable:
                return

    def reported(self, *, until: Deadline | None = None) -> None:
        """Record that this delivery's task has its report: DONE becomes REPORTED once no other task waits.

        Raises:
            LeaseLost: The result itself was still to be recorded, and another delivery took the work over.
            StoreUnavailable: It could not be recorded. The report stands; log it and go on. At worst it is sent again, and
                answered with TaskAlreadyCompleted.
        """
        if self._unwritten is not None:
            self._write(self._unwritten, until)
        self._standing = record_report(self._bounded(until), self._standing, self._fingerprint)

    def _bounded(self, until: Deadline | None) -> BoundedStore:
        return BoundedStore(self._store, Deadline.after(CALL_SECONDS) if until is None else until)

    def _hidden(self, text: str) -> str:
        return echo.hide(text, self._secret, mark=self._standing.mark)

    def _finish(
        self,
        state: State,
        until: Deadline | None,
        *,
        output: str | None = None,
        failure: tuple[str, str] | None = None,
        refusal: str | None = None,
    ) -> None:
        if not self._runs:
            raise RuntimeError("This delivery does not run the work: there is a result already, or it was given up.")
        self._leave()
        if self._unwritten is None:
            self._unwritten = attrs.evolve(
                self._standing, state=state, revision=new_revision(), output=output, failure=failure, refusal=refusal
            )
        self._write(self._unwritten, until)

    def _write(self, result: Record, until: Deadline | None) -> None:
        store = self._bounded(until)
        now = store.now()
        result = attrs.evolve(result, finished_at=now, expires_at=now + self._expires_after_seconds)
        if not store.replace(self._standing, result):
            standing = store.get(result.key)
            if standing is not None and standing.mark == result.mark and standing.state != "RUNNING":
                # An earlier try went through and its answer was lost; another task may have joined since.
                result = standing
            elif standing is not None or not put(store, None, result):
                self._unwritten = None
                raise LeaseLost(
                    f"The lease of {result.scope} on this work ({result.key[:12]}) ended, and another delivery took it over."
                )
            # Else whoever took the work over failed technically and left nothing, so this result is the one.
        self._standing, self._unwritten, self._runs = result, None, False

    def _leave(self) -> None:
        revision = self._standing.revision
        _entered.set(tuple(entered for entered in _entered.get() if entered != revision))


def runs_here(record: Record) -> bool:
    """Tell whether this very context is at this work: it would wait for itself."""
    return record.revision in _entered.get()


def record_report(store: Store | BoundedStore, record: Record, fingerprint: str | None) -> Record:
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


def put(store: Store | BoundedStore, old: Record | None, new: Record) -> bool:
    """Write `new` where `old` stands; True as well if an earlier try of it went through and its answer was lost."""
    if store.add(new) if old is None else store.replace(old, new):
        return True
    standing = store.get(new.key)
    return standing is not None and standing.revision == new.revision
