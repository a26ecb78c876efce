"""A local CloudFlow behind a recorder: which key signed the report of which task."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from fc_callback.testing import TaskCloudFlow

if TYPE_CHECKING:
    from fc_callback.testing import WaitingTask
    from fc_callback.values.context import Credentials


class Recorder:
    """Passes calls on to a local CloudFlow, and remembers who made them.

    Attributes:
        signed_by: The access key id that signed, by task token, in the order of the calls.
        connections: How many connections were opened.
    """

    def __init__(self) -> None:
        self.cloudflow = TaskCloudFlow()
        self.cloudflow.start_service()
        self.signed_by: dict[str, list[str]] = {}
        self.connections = 0
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                recorder.connections += 1
                super().setup()

            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers.get("content-length", 0)))
                sent = parse_qs(form.decode())
                recorder.signed_by.setdefault(sent["TaskToken"][0], []).append(sent["AccessKeyId"][0])
                status, kind, answer = recorder.pass_on(self, form)
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def pass_on(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.cloudflow.endpoint).netloc, timeout=20)
        try:
            connection.request("POST", request.path, body, {"content-type": request.headers["content-type"]})
            answer = connection.getresponse()
            return answer.status, answer.headers["content-type"], answer.read()
        finally:
            connection.close()

    @property
    def environment(self) -> dict[str, str]:
        return {"CLOUDFLOW_ENDPOINT": self.endpoint}

    def new_task(self, **payload: Any) -> WaitingTask:
        return self.cloudflow.new_task(payload)

    def session(self) -> Credentials:
        return self.cloudflow.session()

    def signer(self, task: WaitingTask) -> list[str]:
        return self.signed_by.get(task.token.reveal(), [])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.cloudflow.close()
