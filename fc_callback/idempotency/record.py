"""What is remembered of one piece of work."""

from __future__ import annotations

import json
import os
from typing import Literal

import attrs

State = Literal["RUNNING", "DEFERRED", "DONE", "REPORTED"]

_FORMAT = 1


def new_revision() -> str:
    """Return a name that no other write of a record has."""
    return os.urandom(16).hex()


@attrs.frozen(kw_only=True)
class Receiver:
    """One task that waits for the work's result.

    Attributes:
        fingerprint: `TaskToken.fingerprint` of its token.
        sealed: The token, sealed, so that the report can be made up for; None where no seal is configured, and once the
            report is in.
        reported: Whether its report is in.
    """

    fingerprint: str
    sealed: str | None = attrs.field(default=None, repr=False)
    reported: bool = False


@attrs.frozen(kw_only=True)
class Record:
    """One record. Never a task token in clear, and nothing of the payload but its digest.

    Times are seconds since 1970 on the store's clock.

    Attributes:
        key: SHA-256 over the scope and the key's values, in hex.
        scope: The function (or name) that the work belongs to, in clear.
        state: RUNNING, DEFERRED (handed on: somebody else reports), DONE, REPORTED.
        revision: New with every write; what compare-and-set compares.
        payload_digest: SHA-256 of the part of the payload that must not change; empty where nothing is checked.
        attempt: How many deliveries have begun this work since it last failed or expired.
        started_at: When this attempt began.
        lease_until: Until when a RUNNING record belongs to whoever wrote it.
        expires_at: From when on the record is as good as gone.
        finished_at: When the result was recorded.
        reported_at: When the last report was recorded.
        output: The Output text, with `mark` where it held the token.
        failure: (error, cause) of a business failure, in the place of an Output.
        mark: Stands for the token in `output` and `failure`.
        receivers: The tasks that asked for the result, in order.
    """

    key: str
    scope: str
    state: State
    revision: str
    payload_digest: str = ""
    attempt: int = 1
    started_at: float
    lease_until: float
    expires_at: float
    finished_at: float | None = None
    reported_at: float | None = None
    output: str | None = attrs.field(default=None, repr=False)
    failure: tuple[str, str] | None = attrs.field(default=None, repr=False)
    mark: str = ""
    receivers: tuple[Receiver, ...] = ()

    @property
    def is_pending(self) -> bool:
        """Whether the result stands and a task still waits for it."""
        return self.state == "DONE" and any(not receiver.reported for receiver in self.receivers)

    def receiver(self, fingerprint: str | None) -> Receiver | None:
        """Return the receiver with this token, if it is known."""
        return next((receiver for receiver in self.receivers if receiver.fingerprint == fingerprint), None)

    def with_receiver(self, receiver: Receiver) -> Record:
        """Return the record with one more task waiting for its result."""
        return attrs.evolve(
            self, revision=new_revision(), state="DONE", receivers=(*self.receivers, receiver), reported_at=None
        )

    def with_report(self, fingerprint: str | None, *, now: float) -> Record:
        """Return the record after the report to one task: REPORTED once none is left waiting."""
        receivers = tuple(
            attrs.evolve(receiver, reported=True, sealed=None) if receiver.fingerprint == fingerprint else receiver
            for receiver in self.receivers
        )
        left = any(not receiver.reported for receiver in receivers)
        return attrs.evolve(
            self,
            revision=new_revision(),
            state="DONE" if left else "REPORTED",
            receivers=receivers,
            reported_at=now,
        )

    def encode(self) -> str:
        """Return the record as one line of JSON, in ASCII."""
        return json.dumps({"format": _FORMAT, **attrs.asdict(self)}, separators=(",", ":"), allow_nan=False)

    @classmethod
    def decode(cls, text: str | bytes) -> Record:
        """Return the record that `encode` wrote; members added by a later version are passed over.

        Raises:
            ValueError: It is none.
        """
        try:
            members = json.loads(text)
            known = {field.name: members[field.name] for field in attrs.fields(cls) if field.name in members}
            known["receivers"] = tuple(Receiver(**receiver) for receiver in members["receivers"])
            if members["failure"] is not None:
                error, cause = members["failure"]
                known["failure"] = (error, cause)
            return cls(**known)
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError("This is not an idempotency record that this version can read.") from error
