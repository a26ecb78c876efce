"""`fc-callback redeliver`: report recorded results whose report is missing, or delete a record."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fc_callback import settings
from fc_callback.cli.usage import fail
from fc_callback.cloudflow.errors import CloudFlowError
from fc_callback.errors import FcCallbackError, SettingsError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.idempotency import Undelivered
    from fc_callback.idempotency.redelivery import Forgotten
    from fc_callback.idempotency.redis import RedisStore
    from fc_callback.idempotency.sqlite import SqliteStore
    from fc_callback.sealing import TokenSeal

_NOT_KEPT = "the record holds no token: FC's next delivery reports it"
_NOT_OPENED = "its token is sealed, and CLOUDFLOW_SEAL_KEY does not open it: set the key of the function"
# Results that need a person's action.
_WRONG = ("left", "refused", "undelivered", "unrecorded")
_KEY_DIGITS = 64


def command(
    store: Annotated[
        str | None,
        typer.Argument(
            help="The store's URL: sqlite:///path or redis://host:port/db.", show_default="CLOUDFLOW_ONCE_STORE"
        ),
    ] = None,
    region: Annotated[str | None, typer.Option(help="The flows' region.", show_default="CLOUDFLOW_REGION")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="CloudFlow's endpoint.", show_default="CLOUDFLOW_ENDPOINT")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be reported, and report nothing.")
    ] = False,
    forget: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Report nothing: delete the record under this key, so that the next delivery runs its work again.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each record.")] = False,
) -> None:
    """Report every recorded result whose task still waits, and print the outcome of each.

    CLOUDFLOW_SEAL_KEY opens the sealed tokens in the records.
    """
    if forget is not None and dry_run:
        raise typer.BadParameter("--forget and --dry-run exclude each other.")
    from fc_callback.cloudflow.client import CloudFlowClient

    try:
        opened = _open_store(store)
        if forget is not None:
            succeeded = _forget(opened, forget, as_json=as_json)
        else:
            client = None if dry_run else CloudFlowClient(region=region, endpoint=endpoint or "")
            succeeded = _redeliver(opened, client, as_json=as_json)
    except FcCallbackError as problem:
        fail("redeliver", problem)
    if not succeeded:
        raise typer.Exit(1)


def _open_store(url: str | None) -> SqliteStore | RedisStore:
    from fc_callback.idempotency.redelivery import open_existing

    named = settings.text("CLOUDFLOW_ONCE_STORE", url)
    if named is None:
        raise SettingsError("No store is given.", hint="Give its URL, or set CLOUDFLOW_ONCE_STORE.")
    return open_existing(named)


def _print_error(problem: object) -> None:
    typer.echo(f"fc-callback redeliver: {problem}", err=True)


def _redeliver(store: SqliteStore | RedisStore, client: CloudFlowClient | None, *, as_json: bool) -> bool:
    """Report each waiting result; return whether nothing is left for a person to do."""
    from fc_callback.idempotency import undelivered

    counts: Counter[str] = Counter()
    waiting, problem = _waiting_results(undelivered(store, _token_seal()))
    for number, one in enumerate(waiting, start=1):
        outcome, kind = _redelivered(one, client)
        counts[kind] += 1
        _print_outcome(one, number, len(waiting), outcome, kind, as_json=as_json)
    if not as_json:
        said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        typer.echo(f"{sum(counts.values())} waiting for a report{f': {said}' if said else ''}.")
    if problem is not None:
        _print_error(problem)
    return problem is None and not any(counts[kind] for kind in _WRONG)


def _forget(store: SqliteStore | RedisStore, key: str, *, as_json: bool) -> bool:
    """Delete one record and print which one; return whether it existed."""
    from fc_callback.idempotency.redelivery import forget

    forgotten = forget(store, key)
    if forgotten is None:
        # The key is not shown: it may be a task token that was given by mistake.
        hint = "" if len(key) == _KEY_DIGITS else f" A key has {_KEY_DIGITS} digits: give all of them."
        _print_error(f"There is no record under this key.{hint}")
        return False
    record = forgotten.record
    if as_json:
        scope, state = (None, None) if record is None else (record.scope, record.state)
        typer.echo(json.dumps({"key": key, "scope": scope, "state": state, "result": "forgotten"}))
    else:
        typer.echo(f"Forgotten: {_description(forgotten)} The next delivery runs the work again.")
    return True


def _description(forgotten: Forgotten) -> str:
    """Describe the deleted record and what is lost with it."""
    record = forgotten.record
    if record is None:
        return f"the record {forgotten.key}, which could not be read."
    text = f"the record {forgotten.key} of {record.scope}, which was {record.state}."
    if forgotten.is_running:
        text += " A delivery may still be running its work."
    waiting = sum(not receiver.reported for receiver in record.receivers) if record.is_pending else 0
    return f"{text} {waiting} of its tasks had no report yet." if waiting else text


def _waiting_results(found: Iterator[Undelivered]) -> tuple[list[Undelivered], StoreUnavailable | None]:
    """Return the waiting results and the store's error: one unreadable record must not stop the others."""
    waiting: list[Undelivered] = []
    try:
        for one in found:  # not extend: the results before the error count
            waiting.append(one)  # noqa: PERF402
    except StoreUnavailable as problem:
        return waiting, problem
    return waiting, None


def _token_seal() -> TokenSeal | None:
    from fc_callback.sealing import TokenSeal

    return TokenSeal() if settings.text("CLOUDFLOW_SEAL_KEY") else None


def _redelivered(one: Undelivered, client: CloudFlowClient | None) -> tuple[str, str]:
    """Report one result; return the outcome as a sentence and as one word."""
    if one.token is None:
        receiver = one.record.receiver(one.fingerprint)
        return (_NOT_OPENED if receiver is not None and receiver.sealed else _NOT_KEPT), "left"
    if client is None:
        return "would be reported", "waiting"
    try:
        if one.failure is not None:
            result = client.report_task_failed(one.token, *one.failure)
        else:
            result = client.report_task_succeeded(one.token, one.output)
    except CloudFlowError as problem:
        return str(problem), "refused"
    except (FcCallbackError, ValueError) as problem:
        return str(problem), "undelivered"
    outcome = "the task had already ended" if result.already_completed else f"reported (EventId {result.event_id})"
    try:
        one.reported()
    except StoreUnavailable as problem:
        return f"{outcome}, and the store could not record it: {problem}", "unrecorded"
    return outcome, "ended" if result.already_completed else "reported"


def _print_outcome(one: Undelivered, number: int, total: int, outcome: str, kind: str, *, as_json: bool) -> None:
    if as_json:
        line: dict[str, Any] = {
            "key": one.record.key,
            "scope": one.record.scope,
            "task": one.fingerprint,
            "result": kind,
            "detail": outcome,
        }
        typer.echo(json.dumps(line))
        return
    typer.echo(f"[{number}/{total}] {one.record.scope} {one.record.key}, task {one.fingerprint}: {outcome}")
