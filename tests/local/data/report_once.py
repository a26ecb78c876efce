"""Starts a service, breaks a connection, reports a task, and ends: all of it without a word."""

from __future__ import annotations

import sys
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).parents[3]))

from fc_callback.local import Fault, LocalCloudFlow
from tests.local.raw_client import CALLBACK_FLOW, Inbox, RawClient

with LocalCloudFlow() as service:
    inbox = Inbox()
    service.add_function(inbox, name="notify")
    service.create_flow("approve", CALLBACK_FLOW)
    service.start("approve", {"order": 1}, execution_name="ask")
    client = RawClient(service.endpoint, service.credentials)
    service.inject(Fault("close"), Fault("reset", takes_effect=False))
    for _ in range(2):
        try:
            client.report(inbox.token())
        except requests.RequestException:
            continue
        raise SystemExit("the connection was to break")
    assert client.report(inbox.token()).status_code == 200
    assert client.report("nonsense").status_code == 400
    client.session.close()
