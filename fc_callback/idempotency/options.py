"""One piece of work, and what each delivery of it does with the state it finds.

    nothing                 runs
    RUNNING, lease over     runs: whoever had it was killed
    RUNNING                 waits for the result, or raises WorkInProgress
    DONE, REPORTED          replays: the stored Output, with the token of this delivery
    DEFERRED, same token    replays: the task was handed on, and nothing is left to do
    DEFERRED, other token   runs: whoever was handed the task has the wrong token

Whatever moment a process is killed at, the record it leaves is one of these, so the next delivery does the right thing.
"""

from __future__ import annotations

import threading
import time
from random import uniform
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback import settings
from fc_callback.errors import PayloadChanged, PayloadInvalid, SettingsError, StoreUnavailable, WorkInProgress
from fc_callback.idempotency.bounded import CALL_SECONDS, BoundedStore
from fc_callback.idempotency.key import KEY_HINT, Fields, Key, fields, payload_digest, scope_of, token_in, work_key
from fc_callback.idempotency.record import Receiver, Record, new_revision
from fc_callback.idempotency.store import Store, open_store
from fc_callback.idempotency.work import Work, put, runs_here
from fc_callback.values import validators
from fc_callback.values.context import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fc_callback.sealing import TokenSeal
    from fc_callback.values.token import TaskToken

Duplicate = Literal["wait", "raise"]

# As long as FC keeps an asynchronous event, at most: 604,800 s (FC documentation, PutAsyncInvokeConfig).
EXPIRES_AFTER_SECONDS = 7 * 24 * 3600.0
LEASE_SECONDS = 15 * 60.0

# FC ends the function at its deadline; the hosts of a shared file may not agree on the second.
_LEASE_GRACE_SECONDS = 2.0
# A store that is silent may take this part of an invocation's time before the work, and leaves the rest to a retry.
_ENTRY_SHARE = 1 / 3
# A record that changes whenever it is to be replaced is damaged, or contended beyond sense.
_MOST_ROUNDS = 40
# A waiting duplicate leaves itself this long to end in an error of its own.
_WAIT_MARGIN_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_CHECK_HINT = 'Use "payload", name fields of it, like check=("order.id", "amount"), or use None.'


def once(
    key: str | Fields | Callable[[Mapping[str, Any]], Any],
    *,
    store: Store | str | None = None,
    expires_after_seconds: float = EXPIRES_AFTER_SECONDS,
    duplicate: Duplicate = "wait",
    name: str | None = None,
    check: str | Fields | None = "payload",
    seal: TokenSeal | None = None,
    lease_seconds: float = LEASE_SECONDS,
) -> Once:
    """Say what makes two deliveries the same work, and where it is remembered.

    A result is remembered, a business failure (`TaskFailed`) like a result; any other exception is not, so the next
    delivery runs again.

    Args:
        key: A path into the payload (`"order.id"`), several, or a callable that gets the payload without its token and
            returns a JSON value. Never the task token.
        store: A `Store`, or the URL of one (see `open_store`). CLOUDFLOW_ONCE_STORE if it is left out.
        expires_after_seconds: How long a result is remembered; seven days by default.
        duplicate: What a delivery does while another one runs the work: "wait" for its result, or "raise" WorkInProgress.
        name: What separates these keys from those of other functions in the same store; by default the function's name in
            FC and in Python. Give one to share results between functions, or to rename a function without forgetting.
        check: What must not change under the same key: "payload" for all of it, the paths of some fields, or None.
        seal: Seals the task tokens that go into the records, so that `fc-callback redeliver` can make up for a report.
            Without one, no token is stored in any form.
        lease_seconds: How long a delivery without a known deadline may take, before the next one takes its work over.

    Raises:
        SettingsError: An option cannot be used.
    """
    validators.number("expires_after_seconds", expires_after_seconds, above=0)
    validators.number("lease_seconds", lease_seconds, above=0)
    validators.one_of("duplicate", duplicate, ("wait", "raise"))
    opened = open_store(store) if isinstance(store, str) else store
    if opened is not None:
        validators.instance_of("store", opened, Store, "Give a Store, or the URL of one, like sqlite:///once.db.")
    if name is not None:
        validators.text("name", name, "Give a text, or leave it out.")
    if seal is not None:
        from fc_callback.sealing import TokenSeal  # with cryptography, which only a seal needs

        validators.instance_of("seal", seal, TokenSeal, "Give a TokenSeal: seal=TokenSeal().")
    if callable(key):
        validators.function("key", key, gets=("payload",), give=KEY_HINT)
    return Once(
        key=key if callable(key) else fields(key, option="key"),
        given_store=opened,
        expires_after_seconds=expires_after_seconds,
        duplicate=duplicate,
        name=name,
        check=None if check is None or check == "payload" else fields(check, option="check", hint=_CHECK_HINT),
        checks=check is not None,
        seal=seal,
        lease_seconds=lease_seconds,
    )


@attrs.frozen(kw_only=True)
class Once:
    """The options of `once()`, checked."""

    key: Key
    given_store: Store | None
    expires_after_seconds: float
    duplicate: Duplicate
    name: str | None
    check: Fields | None
    checks: bool
    seal: TokenSeal | None = attrs.field(repr=False)
    lease_seconds: float
    _opened: list[Store] = attrs.field(factory=list, init=False, repr=False, eq=False)
    _opening: Any = attrs.field(factory=threading.Lock, init=False, repr=False, eq=False)

    scope_of = staticmethod(scope_of)

    @property
    def store(self) -> Store:
        """Where the records are.

        Raises:
            SettingsError: None was given, and CLOUDFLOW_ONCE_STORE is not set.
        """
        if self.given_store is not None:
            return self.given_store
        with self._opening:
            if not self._opened:
                url = settings.text("CLOUDFLOW_ONCE_STORE")
                if url is None:
                    raise SettingsError(
                        "once= has no store.",
                        hint="Pass store=, or set CLOUDFLOW_ONCE_STORE, like redis://host:6379/0 or sqlite:////mnt/nas/once.db.",
                    )
                self._opened.append(open_store(url))
            return self._opened[0]

    def enter(
        self,
        payload: Mapping[str, Any],
        *,
        scope: str,
        deadline: Deadline | None = None,
        token: TaskToken | None = None,
        secret: TaskToken | None = None,
    ) -> Work:
        """Begin the work, or find that it is done.

        Args:
            payload: What the key and the check are read from.
            scope: The function (see `key.scope_of`), unless `name` was given.
            deadline: When this invocation ends; the lease and the waiting end with it.
            token: The token of the task that this delivery is for, if there is one.
            secret: A token that the record must not hold, of a task that is reported elsewhere.

        Returns:
            The work. With `stored`, it must not run; without, it must end in one of `done`, `failed`, `deferred`, `abandon`.

        Raises:
            IdempotencyKeyMissing: The payload holds no value for the key.
            PayloadInvalid: The payload is nested too deeply to be told from others.
            PayloadChanged: The key is known with another payload.
            WorkInProgress: Another delivery runs it, and did not end in time.
            StoreUnavailable: The store does not answer within a third of the time that is left, or holds a record that
                cannot be read. Nothing ran.
            SettingsError: The key holds the token, or a package or setting for the store or the seal is missing.
        """
        try:
            wanted = self._wanted(payload, self.name or scope, token)
        except RecursionError:
            raise PayloadInvalid(
                "The payload is nested too deeply to tell which work it asks for.",
                hint="Send it less deeply nested: a few hundred levels are too many.",
            ) from None
        store = self.store
        pauses = _pauses()
        refusals = 0
        while True:
            # Waiting for another delivery's lease does not count: each look at the store has a bound of its own.
            bounded = BoundedStore(store, _entry_deadline(deadline))
            standing = bounded.get(wanted.key)
            now = bounded.now()
            if standing is not None and not _is_left_behind(standing, now):
                _compare(standing, wanted, now)
                if standing.state == "RUNNING":
                    self._wait(standing, deadline, now, next(pauses))
                    continue
            record = self._next(standing, wanted, deadline, now)
            if record is standing or put(bounded, standing, record):
                fingerprint = None if token is None else token.fingerprint
                return Work(
                    store,
                    record,
                    fingerprint=fingerprint,
                    secret=token or secret or token_in(payload),
                    expires_after_seconds=self.expires_after_seconds,
                    # Found as it is, this task was known. Left behind by a delivery for this task, its report may be in.
                    came_before=record is standing
                    or (
                        standing is not None and fingerprint is not None and standing.receiver(fingerprint) is not None
                    ),
                )
            refusals += 1
            if refusals >= _MOST_ROUNDS or (deadline is not None and deadline.remaining_seconds() <= 0):
                raise StoreUnavailable(
                    f"The record of this work of {wanted.scope} ({wanted.key[:12]}) could not be replaced, {refusals} times.",
                    hint="It may be damaged. If the work may run again, forget it: "
                    f"fc-callback redeliver STORE --forget {wanted.key}",
                )
            time.sleep(uniform(0, _FIRST_PAUSE_SECONDS))  # noqa: S311 - it keeps deliveries apart, and guards nothing

    def _next(self, standing: Record | None, wanted: Record, deadline: Deadline | None, now: float) -> Record:
        """Return the record as this delivery makes it: its own turn to run, or the result, with its task waiting."""
        strangers = [one for one in wanted.receivers if standing is None or not standing.receiver(one.fingerprint)]
        if standing is not None and standing.state in {"DONE", "REPORTED"}:
            return standing.with_receiver(strangers[0]) if strangers else standing
        if standing is not None and standing.state == "DEFERRED" and not strangers:
            return standing
        lease = self.lease_seconds if deadline is None else max(deadline.remaining_seconds(), 0.0)
        return attrs.evolve(
            wanted,
            attempt=1 if standing is None else standing.attempt + 1,
            started_at=now,
            lease_until=now + lease + _LEASE_GRACE_SECONDS,
            expires_at=now + lease + _LEASE_GRACE_SECONDS + self.expires_after_seconds,
        )

    def _wanted(self, payload: Mapping[str, Any], scope: str, token: TaskToken | None) -> Record:
        """Return the record that this delivery would write; its times are still open."""
        receivers: tuple[Receiver, ...] = ()
        if token is not None:
            sealed = None if self.seal is None else self.seal.seal(token)
            receivers = (Receiver(fingerprint=token.fingerprint, sealed=sealed),)
        digest = payload_digest(payload, self.check, token) if self.checks else ""
        return Record(
            key=work_key(scope, self.key, payload, token),
            scope=scope,
            state="RUNNING",
            revision=new_revision(),
            payload_digest=digest,
            started_at=0.0,
            lease_until=0.0,
            expires_at=0.0,
            mark=new_revision(),
            receivers=receivers,
        )

    def _wait(self, standing: Record, deadline: Deadline | None, now: float, pause: float) -> None:
        left = max(standing.lease_until - now, 0.0)
        if runs_here(standing):
            raise WorkInProgress(
                f"{standing.scope} came upon its own work ({standing.key[:12]}) again, inside of it.",
                retry_after_seconds=left,
                hint="Give the inner function's once= a name of its own, or another key.",
            )
        patience = float("inf") if deadline is None else deadline.remaining_seconds() - _WAIT_MARGIN_SECONDS
        if self.duplicate == "raise" or patience <= 0:
            raise WorkInProgress(
                f"Another delivery is at this work of {standing.scope} ({standing.key[:12]}), "
                f"and may be for {left:.0f} s more.",
                retry_after_seconds=left,
            )
        time.sleep(min(pause, patience, left + 0.001))


def _entry_deadline(deadline: Deadline | None) -> Deadline:
    if deadline is None:
        return Deadline.after(CALL_SECONDS)
    return Deadline.after(max(0.0, deadline.remaining_seconds()) * _ENTRY_SHARE)


def _is_left_behind(record: Record, now: float) -> bool:
    return record.state == "RUNNING" and record.lease_until <= now


def _compare(standing: Record, wanted: Record, now: float) -> None:
    if standing.payload_digest != wanted.payload_digest:
        raise PayloadChanged(
            f"{wanted.scope} got this key ({wanted.key[:12]}) with another payload, "
            f"{max(now - standing.started_at, 0.0):.0f} s ago."
        )


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield uniform(pause / 2, pause)  # noqa: S311 - spreads the waiting ones, guards nothing
        pause = min(pause * 1.6, _LONGEST_PAUSE_SECONDS)
