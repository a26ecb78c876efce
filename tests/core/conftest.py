"""What the tests of the core start from."""

from __future__ import annotations

import pytest

from fc_callback.cloudflow import transport


@pytest.fixture(autouse=True)
def _own_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test opens connections of its own: a port may come again."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    kept: dict[tuple[int, str], transport.HttpTransport] = {}
    monkeypatch.setattr(transport, "_transports", kept)
