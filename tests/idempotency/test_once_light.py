"""What a cold start pays for `once=`."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOK = """
import sys
{code}
print(sorted(name for name in {names} if name in sys.modules))
"""
HEAVY = (
    "sqlite3",
    "redis",
    "cryptography",
    "asyncio",
    "ssl",
    "http",
    "email",
    "dataclasses",
    "pydantic",
    "requests",
)


ONCE = """
from fc_callback.idempotency import idempotent, once
handler = idempotent(once("order", store={store!r}))(lambda event, context: None)
"""


def loaded(code: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", LOOK.format(code=code, names=HEAVY)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ran.stdout.strip()


@pytest.mark.parametrize(
    ("store", "drivers"),
    [("memory:", []), (None, []), ("sqlite:////tmp/never-made.db", ["sqlite3"])],
    ids=["memory", "by the environment", "sqlite"],
)
def test_decorating_a_handler_loads_the_driver_of_its_store_and_nothing_else(
    store: str | None, drivers: list[str]
) -> None:
    assert loaded(ONCE.format(store=store)) == str(drivers)


@pytest.mark.parametrize(
    "store", ["sqlite:////nowhere/at/all.db", "redis://never.asked:6379/0"], ids=["sqlite", "redis"]
)
def test_decorating_a_handler_opens_nothing(store: str) -> None:
    code = "import socket\nsocket.getaddrinfo = None\n" + ONCE.format(store=store)
    assert store.partition(":")[0] in loaded(code)


def test_a_seal_loads_what_it_needs_where_it_is_made_and_not_at_the_first_event() -> None:
    code = f"""
from fc_callback.sealing import TokenSeal
TokenSeal({"A" * 43 + "="!r})
"""
    assert "cryptography" in loaded(code)


@pytest.mark.parametrize(
    ("package", "code", "extra"),
    [
        ("redis", 'once("order", store="redis://127.0.0.1:1/0").store.now()', "redis"),
        ("cryptography.fernet", 'TokenSeal("A" * 43 + "=").seal(TaskToken("token"))', "seal"),
        ("cryptography.fernet", 'TokenSeal("A" * 43 + "=").open("text")', "seal"),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_extra(package: str, code: str, extra: str) -> None:
    code = f"""
import sys
sys.modules[{package!r}] = None
from fc_callback.errors import SettingsError
from fc_callback.idempotency import once
from fc_callback.sealing import TokenSeal
from fc_callback.token import TaskToken
try:
    {code}
except SettingsError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert f"pip install 'fc-callback[{extra}]'" in ran.stdout
