"""The option `once=`: one piece of work, and what each delivery of it does with the record it finds.

    no record               runs
    RUNNING, lease over     runs: the delivery that wrote it was killed
    RUNNING                 waits for the result, or raises WorkInProgress
    DONE, REPORTED          replays: the stored Output, with the token of this delivery
    DEFERRED, same token    replays: other code reports the task, and nothing is left to do
    DEFERRED, other token   runs: the code that was to report has the wrong token

At whatever moment a process is killed, its record is one of these, so the next delivery does the right thing.
"""

from __future__ import annotations

import threading
import time
from random import uniform
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback import settings
from fc_callback.errors import PayloadChanged, PayloadInvalid, SettingsError, StoreUnavailable, WorkInProgress
from fc_callback.idempotency.bounded import BoundedStore
from fc_callback.idempotency.key import KEY_HINT, Paths, checked_paths, payload_digest, scope_of, token_in, work_key
from fc_callback.idempotency.opening import open_store
from fc_callback.idempotency.record import Receiver, Record, new_revision
from fc_callback.idempotency.store import Seal, Store
from fc_callback.idempotency.work import Work, runs_here
from fc_callback.values import validators
from fc_callback.values.context import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fc_callback.values.token import TaskToken

Duplicate = Literal["wait", "raise"]

# As long as FC keeps an asynchronous event, at most: 604,800 s (FC documentation, PutAsyncInvokeConfig).
EXPIRES_AFTER_SECONDS = 7 * 24 * 3600.0
LEASE_SECONDS = 15 * 60.0

# FC ends the function at its deadline. The clocks of hosts that share a file may differ by a second.
_LEASE_GRACE_SECONDS = 2.0
# Before the work, a silent store may take this part of the invocation's time; the rest is for a retry.
_ENTRY_SHARE = 1 / 3
# A record that could not be replaced so many times is damaged.
_MOST_ROUNDS = 40
# A waiting duplicate keeps this much time to end with an error of its own.
_WAIT_MARGIN_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_CHECK_HINT = 'Use "payload", name fields of it, like check=("order.id", "amount"), or use None.'


class Once:
    """Define which deliveries are the same work, and where its result is stored.

    A result is stored, and so is a business failure (`TaskFailed`). After any other exception, the next delivery runs the
    work again.

    Args:
        key: A path into the payload (`"order.id"`), several, or a callable that gets the payload without its token and
            returns a JSON value. Never the task token.
        store: A store, or its URL as `open_store` reads it. The default is CLOUDFLOW_ONCE_STORE.
        expires_after_seconds: How long a result is stored. The default is seven days.
        duplicate: What a delivery does while another one runs the work: `"wait"` for the result, or `"raise"` WorkInProgress.
        name: Separates these keys from those of other functions in the same store. The default is the function's name in FC
            and in Python. With a name, functions can share results, and a renamed function keeps its results.
        check: What must not change under the same key: the whole `"payload"` without its token, some fields, or None.
        seal: A `TokenSeal` that encrypts the tokens of waiting tasks, so that `fc-callback redeliver` can report them.
            Without a seal, no token is stored in any form.
        lease_seconds: How long a delivery without a known deadline may take before another one takes its work over.

    Raises:
        SettingsError: An option cannot be used.
    """

    scope_of = staticmethod(scope_of)

    def __init__(
        self,
        key: str | Paths | Callable[[Mapping[str, Any]], Any],
        *,
        store: Store | str | None = None,
        expires_after_seconds: float = EXPIRES_AFTER_SECONDS,
        duplicate: Duplicate = "wait",
        name: str | None = None,
        check: str | Paths | None = "payload",
        seal: Seal | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        validators.number("expires_after_seconds", expires_after_seconds, above=0)
        validators.number("lease_seconds", lease_seconds, above=0)
        validators.one_of("duplicate", duplicate, ("wait", "raise"))
        self._store = open_store(store) if isinstance(store, str) else store
        if self._store is not None:
            validators.instance_of("store", self._store, Store, "Give a Store, or its URL, like sqlite:///once.db.")
        if name is not None:
            validators.text("name", name, "Give a text, or leave it out.")
        if seal is not None:
            validators.instance_of("seal", seal, Seal, "Give a TokenSeal: seal=TokenSeal().")
        if callable(key):
            validators.function("key", key, gets=("payload",), give=KEY_HINT)
        self._key = key if callable(key) else checked_paths(key, option="key")
        self._checks = check is not None
        self._check = (
            None if check is None or check == "payload" else checked_paths(check, option="check", hint=_CHECK_HINT)
        )
        self._expires_after_seconds = expires_after_seconds
        self._duplicate = duplicate
        self._name = name
        self._seal = seal
        self._lease_seconds = lease_seconds
        self._opening = threading.Lock()

    @property
    def store(self) -> Store:
        """The store of the records.

        Raises:
            SettingsError: There was no `store=`, and CLOUDFLOW_ONCE_STORE is not set.
        """
        with self._opening:
            if self._store is None:
                url = settings.text("CLOUDFLOW_ONCE_STORE")
                if url is None:
                    raise SettingsError(
                        "once= has no store.",
                        hint="Pass store=, or set CLOUDFLOW_ONCE_STORE, like redis://host:6379/0 or sqlite:////mnt/nas/once.db.",
                    )
                self._store = open_store(url)
            return self._store

    def enter(
        self,
        payload: Mapping[str, Any],
        *,
        scope: str,
        deadline: Deadline | None = None,
        token: TaskToken | None = None,
        secret: TaskToken | None = None,
    ) -> Work:
        """Begin the work, or find its result.

        Args:
            payload: The source of the key and the check.
            scope: The function (see `key.scope_of`), unless there is a `name`.
            deadline: When this invocation ends; the lease and the waiting end with it.
            token: The token of the task that this delivery is for, if there is one.
            secret: A token that the record must not hold, of a task that is reported elsewhere.

        Returns:
            The work. With `stored`, it must not run; without, it must end in one of `done`, `failed`, `refused`, `deferred`,
            `abandon`.

        Raises:
            IdempotencyKeyMissing: The payload holds no value for the key.
            PayloadInvalid: The payload is nested too deeply for a digest.
            PayloadChanged: The key is known with another payload.
            WorkInProgress: Another delivery runs the work, and did not end in time.
            StoreUnavailable: The store does not answer within a third of the time that is left, or its record cannot be
                read. Nothing ran.
            SettingsError: The key holds the token, or a package or setting for the store or the seal is missing.
        """
        try:
            wanted = self._wanted(payload, self._name or scope, token)
        except RecursionError:
            raise PayloadInvalid(
                "The payload is nested too deeply for once= to compare it.",
                hint="Send it less deeply nested: a few hundred levels are too many.",
            ) from None
        found, record = self._take(wanted, deadline)
        fingerprint = None if token is None else token.fingerprint
        return Work(
            self.store,
            record,
            fingerprint=fingerprint,
            secret=token or secret or token_in(payload),
            expires_after_seconds=self._expires_after_seconds,
            came_before=found is not None and token is not None and found.receiver(fingerprint) is not None,
        )

    def _take(self, wanted: Record, deadline: Deadline | None) -> tuple[Record | None, Record]:
        """Return the record as it was found, and as it is now for this delivery, after waiting for other deliveries."""
        for _ in range(_MOST_ROUNDS):
            bounded, found, now = self._look(wanted, deadline)
            record = self._next(found, wanted, deadline, now)
            if record is found or bounded.put(found, record):
                return found, record
            if deadline is not None and deadline.remaining_seconds() <= 0:
                break
            time.sleep(uniform(0, _FIRST_PAUSE_SECONDS))  # noqa: S311 - separates deliveries
        raise StoreUnavailable(
            f"The record of the work of {wanted.label} could not be replaced.",
            hint="It may be damaged. If the work may run again, forget the record: "
            f"fc-callback redeliver STORE --forget {wanted.key}",
        )

    def _look(self, wanted: Record, deadline: Deadline | None) -> tuple[BoundedStore, Record | None, float]:
        """Return the record once no other delivery runs the work, and the store's time."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            # Each look at the store has a time limit of its own, which does not count the waiting for another delivery.
            bounded = BoundedStore(self.store, _entry_deadline(deadline))
            found, now = bounded.get(wanted.key), bounded.now()
            if found is None or (found.state == "RUNNING" and found.lease_until <= now):
                return bounded, found, now
            if found.payload_digest != wanted.payload_digest:
                age = max(now - found.started_at, 0.0)
                raise PayloadChanged(f"The work of {wanted.label} began with another payload, {age:.0f} s ago.")
            if found.state != "RUNNING":
                return bounded, found, now
            self._wait(found, deadline, now, uniform(pause / 2, pause))  # noqa: S311 - separates deliveries
            pause = min(pause * 1.6, _LONGEST_PAUSE_SECONDS)

    def _next(self, found: Record | None, wanted: Record, deadline: Deadline | None, now: float) -> Record:
        """Return the record of this delivery: a new attempt, or the result with this delivery's task among its receivers."""
        new = [one for one in wanted.receivers if found is None or not found.receiver(one.fingerprint)]
        if found is not None and found.state in {"DONE", "REPORTED"}:
            return found.with_receiver(new[0]) if new else found
        if found is not None and found.state == "DEFERRED" and not new:
            return found
        lease = self._lease_seconds if deadline is None else max(deadline.remaining_seconds(), 0.0)
        lease_until = now + lease + _LEASE_GRACE_SECONDS
        return attrs.evolve(
            wanted,
            attempt=1 if found is None else found.attempt + 1,
            started_at=now,
            lease_until=lease_until,
            expires_at=lease_until + self._expires_after_seconds,
        )

    def _wanted(self, payload: Mapping[str, Any], scope: str, token: TaskToken | None) -> Record:
        """Return the record of a new attempt, without its times."""
        receivers: tuple[Receiver, ...] = ()
        if token is not None:
            sealed = None if self._seal is None else self._seal.seal(token)
            receivers = (Receiver(fingerprint=token.fingerprint, sealed=sealed),)
        return Record(
            key=work_key(scope, self._key, payload, token),
            scope=scope,
            state="RUNNING",
            revision=new_revision(),
            payload_digest=payload_digest(payload, self._check, token) if self._checks else "",
            started_at=0.0,
            lease_until=0.0,
            expires_at=0.0,
            mark=new_revision(),
            receivers=receivers,
        )

    def _wait(self, found: Record, deadline: Deadline | None, now: float, pause: float) -> None:
        left = max(found.lease_until - now, 0.0)
        if runs_here(found):
            raise WorkInProgress(
                f"The work of {found.label} was requested again inside itself.",
                retry_after_seconds=left,
                hint="Give the inner function's once= a name of its own, or another key.",
            )
        patience = float("inf") if deadline is None else deadline.remaining_seconds() - _WAIT_MARGIN_SECONDS
        if self._duplicate == "raise" or patience <= 0:
            raise WorkInProgress(
                f"Another delivery runs the work of {found.label}; its lease lasts {left:.0f} s more.",
                retry_after_seconds=left,
            )
        time.sleep(min(pause, patience, left + 0.001))


once = Once  # in lower case, because it reads as the value of an option


def _entry_deadline(deadline: Deadline | None) -> Deadline | None:
    return None if deadline is None else Deadline.after(max(0.0, deadline.remaining_seconds()) * _ENTRY_SHARE)
