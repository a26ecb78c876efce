"""Fixtures of the tests: a webhook, the settings of both functions, and the flows.

The fixtures `local_cloudflow` and `fc_context` come with fc-callback.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import yaml
from fc_callback.runtime import FunctionSpec
from fc_callback.sealing import TokenSeal

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleQueue[str]]:
    """Configure both functions and receive their messages; the result is the queue of received messages.

    The webhook answers like a robot of DingTalk, with the errcode of WEBHOOK_ERRCODE.
    """
    texts: SimpleQueue[str] = SimpleQueue()

    class Receive(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts.put(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]["content"])
            answer = json.dumps({"errcode": int(os.environ.get("WEBHOOK_ERRCODE", "0"))}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receive)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setenv("NOTIFY_URL", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("DECIDE_URL", "https://decide.example")
    monkeypatch.setenv("CLOUDFLOW_SEAL_KEY", TokenSeal.generate_key())
    yield texts
    server.shutdown()
    thread.join()
    server.server_close()


def function(resource: str, environment: dict[str, str]) -> FunctionSpec:
    """Return a function as s.yaml describes it, with settings of the test."""
    props = yaml.safe_load((PROJECT / "s.yaml").read_text("utf-8"))["resources"][resource]["props"]
    return FunctionSpec(
        name=props["functionName"],
        handler=props["handler"],
        initializer=props["instanceLifecycleConfig"]["initializer"]["handler"],
        runtime=props["runtime"],
        timeout_seconds=props["timeout"],
        code_dir=PROJECT / props["code"],
        environment=environment,
    )


def flow(language: str) -> dict[str, Any]:
    """Return a flow's definition: `legacy` or `cloudflow`."""
    definition: dict[str, Any] = yaml.safe_load((PROJECT / "flows" / f"{language}.yaml").read_text("utf-8"))
    return definition


def sealed_in(message: str) -> str:
    """Return the sealed token of the link in a message."""
    return message.rpartition("?request=")[2]
