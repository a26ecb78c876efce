"""A hunt for secrets in everything that a run writes: see `leak_run`."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SINKS = ("stdout", "stderr", "records.txt", "errors.txt", "spans.txt", "once.db", "service.db")


@pytest.fixture(scope="module")
def haul(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], dict[str, bytes]]:
    """The secrets of the run, and what each sink took."""
    directory = tmp_path_factory.mktemp("hunt")
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-m", "tests.leak_run", str(directory)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr.decode()[-3000:]
    sinks = {"stdout": ran.stdout, "stderr": ran.stderr}
    for name in SINKS[2:]:
        sinks[name] = b"".join(path.read_bytes() for path in sorted(directory.glob(f"{name}*")))
    return json.loads((directory / "secrets.json").read_text()), sinks


def leaked(secrets: list[str], content: bytes) -> list[str]:
    """Return those secrets that stand in something, as they are, URL-encoded, or inside of base64."""
    decoded = b"\n".join(_decoded(content))
    return [
        secret for secret in secrets if any(form in content for form in _forms(secret)) or secret.encode() in decoded
    ]


def _forms(secret: str) -> set[bytes]:
    quoted = quote(secret, safe="")
    return {secret.encode(), quoted.encode(), re.sub("%..", lambda code: code[0].lower(), quoted).encode()}


def _decoded(content: bytes) -> Iterator[bytes]:
    for run in re.findall(rb"[A-Za-z0-9+/_-]{40,}={0,2}", content):
        plain = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        for start in range(4):
            part = plain[start:]
            yield base64.b64decode(part[: len(part) // 4 * 4])


@pytest.mark.parametrize("sink", SINKS)
def test_no_secret_is_in(sink: str, haul: tuple[list[str], dict[str, bytes]]) -> None:
    secrets, sinks = haul

    assert [f"{secret[:6]}..." for secret in leaked(secrets, sinks[sink])] == []


def test_the_hunt_had_secrets_to_find_and_places_to_look(haul: tuple[list[str], dict[str, bytes]]) -> None:
    secrets, sinks = haul

    assert len(secrets) > 50
    assert all(len(content) > 300 for name, content in sinks.items() if name != "stderr"), {
        name: len(content) for name, content in sinks.items()
    }
    for line in (b"from a bare thread", b"from asyncio", b"the same again", b"fc_callback.metrics", b"plain"):
        assert line in sinks["stdout"]
    assert b"urllib3" in sinks["stdout"]


def test_the_hunt_finds_what_is_there() -> None:
    secret = "djEjZGVtby1mbG93I3J1bi0xIzUjNit6dDd1L3c4Zkx6"

    for before in (b"", b"x", b"xy"):
        event = before + json.dumps({"taskToken": secret}).encode()
        assert leaked([secret], b"log " + event)
        assert leaked([secret], b"log " + quote(event.decode(), safe="").encode())
        assert leaked([secret], b'{"messageBody": "' + base64.b64encode(event) + b'"}')
    assert not leaked([secret], b"log ***")
