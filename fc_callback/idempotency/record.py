"""What is remembered of one piece of work."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

State = Literal["RUNNING", "DEFERRED", "DONE", "REPORTED"]

_FORMAT = 1
_FAR_AWAY_SECONDS = 1e12  # in milliseconds, Redis still takes it


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
        failure: (error, cause) of a failure that is remembered, in the place of an Output.
        refusal: The error of a result that cannot be an Output, as JSON: later deliveries raise it again, and nothing is
            reported. None for every other failure.
        mark: Stands for the token in `output`, `failure` and `refusal`. New with every attempt, so it also tells whose
            result this is.
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
    refusal: str | None = attrs.field(default=None, repr=False)
    mark: str = ""
    receivers: tuple[Receiver, ...] = ()

    @property
    def is_pending(self) -> bool:
        """Whether there is something to report and a task still waits for it."""
        waits = any(not receiver.reported for receiver in self.receivers)
        return self.state == "DONE" and self.refusal is None and waits

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
        """Return the record that `encode` wrote. Unknown members are ignored; everything known must be as `encode` writes it.

        A record that is misread is work that runs twice, so nothing is guessed.

        Raises:
            ValueError: It is damaged, or of a later format; the text says which, without a value of the record.
        """
        try:
            members: Any = json.loads(text, parse_constant=_refuse_constant)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        except ValueError:
            raise ValueError("it is not JSON") from None
        if not isinstance(members, dict):
            raise ValueError("it is not a JSON object")  # noqa: TRY004 - it is a record that is wrong, not an argument
        if members.get("format") != _FORMAT or isinstance(members["format"], bool):
            raise ValueError("its format is not the one that this version of fc_callback reads")
        known = {field.name: members[field.name] for field in attrs.fields(cls) if field.name in members}
        wrong = [name for name, is_right in _MEMBERS.items() if not is_right(members.get(name))]
        if wrong:
            raise ValueError(f"its {wrong[0]} is damaged")
        known["receivers"] = tuple(Receiver(**_known_members(one)) for one in members["receivers"])
        known["failure"] = None if members.get("failure") is None else tuple(members["failure"])
        results = sum(known.get(name) is not None for name in ("output", "failure"))
        if results != (1 if known["state"] in {"DONE", "REPORTED"} else 0):
            raise ValueError("its state and its result do not agree")
        return cls(**known)


def read_record(text: str | bytes, *, key: str, revision: str, store: str) -> Record:
    """Return the record that a store holds, after a look at it.

    Args:
        text: What `Record.encode` wrote.
        key: The key it is stored under.
        revision: The revision that the store compares.
        store: The store, for the error.

    Raises:
        StoreUnavailable: It is damaged, or of a later format: work that may be done must not run because of that.
    """
    try:
        record = Record.decode(text)
        problem = "" if (record.key, record.revision) == (key, revision) else "its key or its revision is damaged"
    except ValueError as error:
        problem = str(error)
    if problem:
        raise StoreUnavailable(
            f"{store} holds a record that cannot be read: {problem}.",
            hint="If a later version of fc_callback wrote it, use that version. If the work may run again, forget it: "
            f"fc-callback redeliver STORE --forget {key}",
        )
    return record


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _known_members(receiver: dict[str, Any]) -> dict[str, Any]:
    return {name: receiver[name] for name in ("fingerprint", "sealed", "reported") if name in receiver}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _FAR_AWAY_SECONDS


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_failure(value: object) -> bool:
    return value is None or (isinstance(value, list) and len(value) == 2 and all(map(_is_text, value)))  # noqa: PLR2004


def _is_receiver(value: object) -> bool:
    return (
        isinstance(value, dict)
        and _is_name(value.get("fingerprint"))
        and (value.get("sealed") is None or _is_text(value["sealed"]))
        and isinstance(value.get("reported"), bool)
    )


_MEMBERS: dict[str, Callable[[object], bool]] = {
    "key": _is_name,
    "scope": _is_text,
    "state": lambda value: isinstance(value, str) and value in {"RUNNING", "DEFERRED", "DONE", "REPORTED"},
    "revision": _is_name,
    "payload_digest": _is_text,
    "attempt": _is_count,
    "started_at": _is_time,
    "lease_until": _is_time,
    "expires_at": _is_time,
    "finished_at": lambda value: value is None or _is_time(value),
    "reported_at": lambda value: value is None or _is_time(value),
    "output": lambda value: value is None or _is_text(value),
    "failure": _is_failure,
    "refusal": lambda value: value is None or _is_text(value),
    "mark": _is_text,
    "receivers": lambda value: isinstance(value, list) and all(map(_is_receiver, value)),
}
