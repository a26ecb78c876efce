"""FC's context objects for a handler called by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.waiting import WaitingTasks


def fc_context(
    tasks: WaitingTasks, *, timeout: float | None = 60, request_id: str = "r-1", **changed: Any
) -> SimpleNamespace:
    """The context of an invocation of a function with a role, as the runtimes up to Python 3.10 give it."""
    session = tasks.service.session()
    credentials = SimpleNamespace(
        access_key_id=session.access_key_id,
        access_key_secret=session.access_key_secret,
        security_token=session.security_token,
    )
    function = SimpleNamespace(name="f", handler="index.handler", memory=512, timeout=timeout)
    given = {"request_id": request_id, "credentials": credentials, "function": function, "region": "cn-hangzhou"}
    return SimpleNamespace(**{**given, "account_id": tasks.service.account_id, **changed})
