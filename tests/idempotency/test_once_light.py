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
    "logging",
    "pydantic",
    "requests",
)


@pytest.mark.parametrize(
    "store",
    ["memory:", "sqlite:////tmp/never-made.db", "redis://never.asked:6379/0"],
    ids=["memory", "sqlite", "redis"],
)
def test_decorating_a_handler_loads_no_driver_and_nothing_heavy(store: str) -> None:
    code = f"""
from fc_callback.idempotency import idempotent, once
from fc_callback.sealing import TokenSeal
handler = idempotent(once("order", store={store!r}, seal=TokenSeal({"A" * 43 + "="!r})))(lambda event, context: None)
"""
    ran = subprocess.run(
        [sys.executable, "-c", LOOK.format(code=code, names=HEAVY)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout == "[]\n"


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
