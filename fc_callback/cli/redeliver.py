"""`fc-callback redeliver`: report what is done but not reported."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fc_callback.errors import FcCallbackError, SettingsError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.idempotency import Undelivered
    from fc_callback.sealing import TokenSeal

_NOT_KEPT = "no token was kept: FC's next delivery reports it"
_NOT_OPENED = "its token is sealed, and CLOUDFLOW_SEAL_KEY does not open it: set the key that the function has"


def command(
    store: Annotated[
        str | None,
        typer.Argument(
            help="The store's URL: sqlite:///path or redis://host:port/db.", show_default="CLOUDFLOW_ONCE_STORE"
        ),
    ] = None,
    region: Annotated[str | None, typer.Option(help="The flows' region.", show_default="CLOUDFLOW_REGION")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Where CloudFlow is.", show_default="CLOUDFLOW_ENDPOINT")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what there is, and report nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each record.")] = False,
) -> None:
    """Report every result that stands in a store while its task still waits, and say what became of each.

    CLOUDFLOW_SEAL_KEY opens the tokens that were kept with the records.
    """
    from fc_callback import settings
    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.idempotency import open_store, undelivered

    counts: Counter[str] = Counter()
    try:
        url = settings.text("CLOUDFLOW_ONCE_STORE", store)
        if url is None:
            raise SettingsError("No store is named.", hint="Give its URL, or set CLOUDFLOW_ONCE_STORE.")
        waiting, trouble = _waiting(undelivered(open_store(url), _seal()))
        client = None if dry_run else CloudFlowClient(region=region, endpoint=endpoint or "")
        for number, one in enumerate(waiting, start=1):
            became, kind = _redelivered(one, client)
            counts[kind] += 1
            _show(one, number, len(waiting), became, kind, as_json=as_json)
    except FcCallbackError as problem:
        typer.echo(f"fc-callback redeliver: {problem}", err=True)
        raise typer.Exit(1) from None
    if not as_json:
        said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        typer.echo(f"{sum(counts.values())} waiting for a report{f': {said}' if said else ''}.")
    if trouble is not None:
        typer.echo(f"fc-callback redeliver: {trouble}", err=True)
    if trouble is not None or counts["refused"] or counts["undelivered"] or counts["left"]:
        raise typer.Exit(1)


def _waiting(found: Iterator[Undelivered]) -> tuple[list[Undelivered], StoreUnavailable | None]:
    """Return what waits, and what went wrong on the way: one unreadable record must not keep the others waiting."""
    waiting: list[Undelivered] = []
    try:
        for one in found:  # not extend: what came before the trouble counts
            waiting.append(one)  # noqa: PERF402
    except StoreUnavailable as trouble:
        return waiting, trouble
    return waiting, None


def _seal() -> TokenSeal | None:
    from fc_callback import settings
    from fc_callback.sealing import TokenSeal

    return TokenSeal() if settings.text("CLOUDFLOW_SEAL_KEY") else None


def _redelivered(one: Undelivered, client: CloudFlowClient | None) -> tuple[str, str]:
    """Report one result; return what became of it, in words and in one word."""
    from fc_callback.cloudflow.errors import CloudFlowError

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
    except FcCallbackError as problem:
        return str(problem), "undelivered"
    one.reported()
    if result.already_completed:
        return "the task had an end already", "ended"
    return f"reported (EventId {result.event_id})", "reported"


def _show(one: Undelivered, number: int, total: int, became: str, kind: str, *, as_json: bool) -> None:
    if as_json:
        line: dict[str, Any] = {
            "key": one.record.key,
            "scope": one.record.scope,
            "task": one.fingerprint,
            "result": kind,
            "detail": became,
        }
        typer.echo(json.dumps(line))
        return
    typer.echo(f"[{number}/{total}] {one.record.scope} {one.record.key[:12]}, task {one.fingerprint}: {became}")
