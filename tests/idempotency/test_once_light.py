"""What a cold start pays for `once=`."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fc_callback import SettingsError
from fc_callback.idempotency import once

if TYPE_CHECKING:
    from pathlib import Path

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
from fc_callback.values.token import TaskToken
try:
    {code}
except SettingsError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert f"pip install 'fc-callback[{extra}]'" in ran.stdout


IN_THREADS = """
import sys, threading
from fc_callback.idempotency import once
imported = []
def hook(event, arguments):
    if event == "import" and threading.current_thread() is not threading.main_thread():
        imported.append(arguments[0])
options = once("order", store={url!r})
sys.addaudithook(hook)
for order in (1, 2):
    work = options.enter({{"order": order}}, scope="shop.handler")
    work.done("{{}}")
    work.reported()
print(imported)
"""


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_store_imports_nothing_in_a_thread(tmp_path: Path, redis_url: str, kind: str) -> None:
    url = f"sqlite:///{tmp_path}/once.db" if kind == "sqlite" else redis_url.replace("127.0.0.1", "localhost")
    ran = subprocess.run(
        [sys.executable, "-c", IN_THREADS.format(url=url)], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize(
    "url", ["redis://host:6379/0?socket_timeout=soon", "redis://user:hunter2secret@host:6379/0?db=x"]
)
def test_a_redis_url_that_cannot_be_used_is_an_error_where_it_is_given(url: str) -> None:
    with pytest.raises(SettingsError, match="cannot be used") as caught:
        once("order", store=url)
    assert "hunter2secret" not in str(caught.value)
