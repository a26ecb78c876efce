"""The record of one piece of work, and its encoding as one line of JSON."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Literal

import attrs

from fc_callback.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

State = Literal["RUNNING", "DEFERRED", "DONE", "REPORTED"]

_FORMAT = 1
_FAR_AWAY_SECONDS = 1e12  # in milliseconds, Redis still takes it
_MOST_NAMED = 20  # unreadable records in one error


def new_revision() -> str:
    """Return a random name for one write of a record."""
    return os.urandom(16).hex()


@attrs.frozen(kw_only=True)
class Receiver:
    """One task that asked for the work's result.

    Attributes:
        fingerprint: `TaskToken.fingerprint` of its token.
        sealed: The sealed token, for a later report; None without a seal, and after the report.
        reported: Whether the task has its report.
    """

    fingerprint: str
    sealed: str | None = attrs.field(default=None, repr=False)
    reported: bool = False


@attrs.frozen(kw_only=True)
class Record:
    """One record. It holds no task token in clear, and nothing of the payload but its digest.

    Times are seconds since 1970 on the store's clock.

    Attributes:
        key: SHA-256 of the scope and the key's values, in hex.
        scope: The function (or name) that the work belongs to, in clear.
        state: RUNNING, DEFERRED (other code reports the task), DONE, REPORTED.
        revision: New with every write; compare-and-set compares it.
        payload_digest: SHA-256 of the part of the payload that must not change; empty where nothing is checked.
        attempt: The number of deliveries that began this work since it last failed or expired.
        started_at: When this attempt began.
        lease_until: When other deliveries may take over a RUNNING record.
        expires_at: When the record is to be forgotten.
        finished_at: When the result was recorded.
        reported_at: When the last report was recorded.
        output: The Output text, with `mark` in the place of the token.
        failure: (error, cause) of a remembered failure. A record has an `output` or a `failure`, not both.
        refusal: The error of a result that cannot be an Output, as JSON: later deliveries raise it again, and nothing is
            reported. None for every other failure.
        mark: The placeholder of the token in `output`, `failure` and `refusal`. It is new with every attempt, so it also
            tells which attempt a result belongs to.
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
    def label(self) -> str:
        """The scope and the key, for errors: `fc-callback redeliver --forget` takes this key."""
        return f"{self.scope} ({self.key})"

    @property
    def is_pending(self) -> bool:
        """Whether a task still waits for a report of this result."""
        waits = any(not receiver.reported for receiver in self.receivers)
        return self.state == "DONE" and self.refusal is None and waits

    def receiver(self, fingerprint: str | None) -> Receiver | None:
        """Return the receiver whose token has this fingerprint, if there is one."""
        return next((receiver for receiver in self.receivers if receiver.fingerprint == fingerprint), None)

    def with_receiver(self, receiver: Receiver) -> Record:
        """Return the record with one more task that waits for its result."""
        return attrs.evolve(
            self, revision=new_revision(), state="DONE", receivers=(*self.receivers, receiver), reported_at=None
        )

    def with_report(self, fingerprint: str | None, *, now: float) -> Record:
        """Return the record after the report to one task: REPORTED if no other task waits."""
        receivers = tuple(
            attrs.evolve(receiver, reported=True, sealed=None) if receiver.fingerprint == fingerprint else receiver
            for receiver in self.receivers
        )
        state: State = "REPORTED" if all(receiver.reported for receiver in receivers) else "DONE"
        return attrs.evolve(self, revision=new_revision(), state=state, receivers=receivers, reported_at=now)

    def encode(self) -> str:
        """Return the record as one line of JSON, in ASCII."""
        return json.dumps({"format": _FORMAT, **attrs.asdict(self)}, separators=(",", ":"), allow_nan=False)

    @classmethod
    def decode(cls, text: str | bytes) -> Record:
        """Return the record that `encode` wrote. Unknown members are ignored; each known member must be as `encode` writes it.

        Nothing is guessed: a misread record would let work run twice.

        Raises:
            ValueError: The record is damaged, or of a later format. The text gives the reason, and no value of the record.
        """
        try:
            members: Any = json.loads(text, parse_constant=_refuse_constant)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        except ValueError:
            raise ValueError("it is not JSON") from None
        if not isinstance(members, dict):
            raise ValueError("it is not a JSON object")  # noqa: TRY004 - the record is wrong, not an argument
        if members.get("format") != _FORMAT or isinstance(members["format"], bool):
            raise ValueError("its format is not the one that this version of fc_callback reads")
        for name, is_right in _MEMBERS.items():
            if not is_right(members.get(name)):
                raise ValueError(f"its {name} is damaged")
        results = sum(members.get(name) is not None for name in ("output", "failure"))
        if results != (1 if members["state"] in {"DONE", "REPORTED"} else 0):
            raise ValueError("its state and its result do not agree")
        failure = members.get("failure")
        receivers = tuple(Receiver(**_known_members(Receiver, one)) for one in members["receivers"])
        known = {**_known_members(cls, members), "receivers": receivers, "failure": failure and tuple(failure)}
        return cls(**known)


def read_record(text: str, *, key: str, revision: str, store: str) -> Record:
    """Return the record that a store holds, after strict checks.

    Args:
        text: What `Record.encode` wrote.
        key: The key it is stored under.
        revision: The revision that the store compares.
        store: The store, for the error.

    Raises:
        StoreUnavailable: The record is damaged, or of a later format. Its work may be done, so it must not run.
    """
    (record,) = read_records([(key, revision, text)], store=store)
    return record


def read_records(rows: Iterable[tuple[str, str, str]], *, store: str) -> Iterator[Record]:
    """Yield each record that can be read, and then raise one error that names all others.

    Args:
        rows: The key, the revision and the text of each record, as for `read_record`.
        store: The store, for the error.

    Raises:
        StoreUnavailable: Some records are damaged, or of a later format. It names the first 20, and counts the others.
    """
    problems: dict[str, str] = {}
    unreadable = 0
    for key, revision, text in rows:
        record, problem = _decoded(key, revision, text)
        if record is not None:
            yield record
            continue
        unreadable += 1
        if unreadable <= _MOST_NAMED:
            problems[key] = problem
    if problems:
        more = f"; and {unreadable - _MOST_NAMED} more" if unreadable > _MOST_NAMED else ""
        records, forgotten = ("a record", *problems) if unreadable == 1 else (f"{unreadable} records", "KEY")
        raise StoreUnavailable(
            f"{store} holds {records} that cannot be read: {'; '.join(map(': '.join, problems.items()))}{more}.",
            hint="If a later version of fc_callback wrote this, use that version. If the work may run again, forget the "
            f"record: fc-callback redeliver STORE --forget {forgotten}",
        )


def _decoded(key: str, revision: str, text: str) -> tuple[Record | None, str]:
    """Return the record, or None and the reason why it cannot be read."""
    try:
        record = Record.decode(text)
    except ValueError as error:
        return None, str(error)
    is_right = (record.key, record.revision) == (key, revision)
    return (record, "") if is_right else (None, "its key or its revision is damaged")


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _known_members(kind: type[attrs.AttrsInstance], members: dict[str, Any]) -> dict[str, Any]:
    return {field.name: members[field.name] for field in attrs.fields(kind) if field.name in members}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _FAR_AWAY_SECONDS


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_failure(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_text, value))  # noqa: PLR2004 - error, cause


def _is_receiver(value: object) -> bool:
    return (
        isinstance(value, dict)
        and _is_name(value.get("fingerprint"))
        and _or_none(_is_text)(value.get("sealed"))
        and isinstance(value.get("reported"), bool)
    )


def _or_none(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


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
    "finished_at": _or_none(_is_time),
    "reported_at": _or_none(_is_time),
    "output": _or_none(_is_text),
    "failure": _or_none(_is_failure),
    "refusal": _or_none(_is_text),
    "mark": _is_text,
    "receivers": lambda value: isinstance(value, list) and all(map(_is_receiver, value)),
}
