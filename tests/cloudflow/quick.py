"""Clients that wait for almost nothing between attempts."""

from __future__ import annotations

from typing import Any

from fc_callback import CloudFlowClient, Credentials
from fc_callback.cloudflow.retry import RetryPolicy

KEY = Credentials(
    access_key_id="LTAI4FakeKeyId", access_key_secret="the-secret-of-the-key", security_token="the-sts-token"
)
TOKEN = "djEjZGVtby1mbG93I3J1bi0xIzUjNit6dDd1L3c4Zkx6OVBYMjkvajUrdnY4L2Y0PQ=="

QUICK = RetryPolicy(
    total_seconds=30,
    base_seconds=0.001,
    cap_seconds=0.002,
    throttled_base_seconds=0.001,
    throttled_cap_seconds=0.002,
    reserve_seconds=0.01,
)


def client_of(endpoint: str, **options: Any) -> CloudFlowClient:
    return CloudFlowClient(**{"endpoint": endpoint, "credentials": KEY, "retry": QUICK, **options})
