"""Connections: kept, found dead, replaced, bounded."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from fc_callback import ReportUndelivered, RetryPolicy
from fc_callback.cloudflow.errors import TaskAlreadyCompleted
from fc_callback.cloudflow.transport import MAX_ANSWER_BYTES, transport_for
from fc_callback.errors import ServiceUnreachable, SettingsError
from fc_callback.values.context import Deadline
from tests.cloudflow.certificates import server_context
from tests.cloudflow.quick import KEY, TOKEN, client_of
from tests.cloudflow.scripted import Reply, ScriptedService, error


def reported(service: ScriptedService, **options: Any) -> int:
    return client_of(service.endpoint, **options).report_task_succeeded(TOKEN, {}).attempts


def reported_to(endpoint: str) -> None:
    client_of(endpoint).report_task_succeeded(TOKEN, {})


def unreachable(endpoint: str, **options: Any) -> ServiceUnreachable:
    with pytest.raises(ServiceUnreachable) as caught:
        client_of(endpoint, **options).call("ReportTaskSucceeded", query={"TaskToken": TOKEN})
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert TOKEN[:20] not in str(caught.value)
    return caught.value


def test_reports_share_one_connection() -> None:
    with ScriptedService() as service:
        assert [reported(service) for _ in range(5)] == [1] * 5
        assert (service.connections, service.calls) == (1, 5)


def test_a_connection_that_the_service_closed_while_idle_costs_no_attempt() -> None:
    with ScriptedService() as service:
        reported(service)
        service.drop_connections()
        assert reported(service) == 1
        assert (service.connections, service.calls) == (2, 2)


@pytest.mark.parametrize("step", ["close", "reset"])
def test_a_kept_connection_that_breaks_under_the_request_costs_no_attempt(step: str) -> None:
    with ScriptedService(Reply(), step, Reply()) as service:
        reported(service)
        assert reported(service) == 1
        assert (service.connections, service.calls) == (2, 3)


@pytest.mark.parametrize("step", ["close", "reset"])
def test_a_new_connection_that_breaks_is_an_attempt(step: str) -> None:
    with ScriptedService(step, Reply()) as service:
        assert reported(service) == 2


def test_what_is_sent_again_on_a_new_connection_has_a_nonce_of_its_own() -> None:
    with ScriptedService(Reply(), "close", Reply()) as service:
        reported(service)
        reported(service)
        nonces = {one.parameters["SignatureNonce"] for one in service.requests}
        assert len(nonces) == 3


@pytest.mark.parametrize("policy", ["accept", "raise"])
def test_a_report_that_was_taken_before_its_kept_connection_broke_is_ours(policy: str) -> None:
    with ScriptedService(Reply(), "close", error("TaskAlreadyCompleted", 400)) as service:
        client = client_of(service.endpoint, already_completed=policy)
        client.report_task_succeeded(TOKEN, {})
        result = client.report_task_succeeded(TOKEN, {})
        assert (result.attempts, result.already_completed) == (1, False)


def test_a_single_call_says_that_it_was_sent_twice() -> None:
    with ScriptedService(Reply(), "close", error("TaskAlreadyCompleted", 400)) as service:
        client = client_of(service.endpoint)
        client.call("ReportTaskSucceeded")
        with pytest.raises(TaskAlreadyCompleted) as caught:
            client.call("ReportTaskSucceeded")
        assert caught.value.ambiguous


def test_the_replacement_of_a_dead_connection_is_replaced_no_further() -> None:
    with ScriptedService(Reply(), "close") as service:
        client = client_of(service.endpoint)
        client.call("ReportTaskSucceeded")
        with pytest.raises(ServiceUnreachable) as caught:
            client.call("ReportTaskSucceeded")
        assert caught.value.ambiguous
        assert service.calls == 3


def test_a_service_that_came_back_on_the_same_port_costs_no_attempt() -> None:
    with ScriptedService() as first:
        reported(first)
    with ScriptedService(port=first.port) as second:
        assert reported(second) == 1
        assert second.calls == 1


@pytest.mark.parametrize("seconds", [-31, 100])
def test_a_connection_that_was_frozen_is_not_trusted(seconds: float) -> None:
    with ScriptedService() as service:
        reported(service)
        transport_for(service.endpoint)._last_used += seconds
        assert reported(service) == 1
        assert service.connections == 2


def test_a_pause_that_is_short_keeps_the_connection() -> None:
    with ScriptedService() as service:
        reported(service)
        transport_for(service.endpoint)._last_used -= 20
        reported(service)
        assert service.connections == 1


def test_threads_share_a_transport_and_mix_nothing_up() -> None:
    with ScriptedService() as service, ThreadPoolExecutor(8) as threads:
        client = client_of(service.endpoint)
        list(threads.map(lambda n: client.report_task_succeeded(TOKEN, {"n": n}), range(64)))
        assert sorted(one.parameters["Output"] for one in service.requests) == sorted(f'{{"n":{n}}}' for n in range(64))


def test_threads_that_find_their_connections_dead_at_once_all_deliver() -> None:
    with ScriptedService() as service, ThreadPoolExecutor(8) as threads:
        client, barrier = client_of(service.endpoint), threading.Barrier(8)

        def deliver(_: int) -> int:
            barrier.wait(10)
            return client.report_task_succeeded(TOKEN, {}).attempts

        for _ in range(5):
            list(threads.map(deliver, range(8)))
            transport_for(service.endpoint)._last_used -= 31
        assert service.calls == 40


# Bounds


def test_an_answer_that_does_not_come_is_given_up_and_ambiguous() -> None:
    with ScriptedService("hang") as service:
        problem = unreachable(service.endpoint, read_timeout=0.05)
    assert problem.ambiguous
    assert "did not come in time" in str(problem)


@pytest.mark.parametrize("step", ["trickle", "trickle-header", "trickle-continue"])
def test_an_answer_that_trickles_in_is_given_up_as_well(step: str) -> None:
    with ScriptedService(step) as service:
        problem = unreachable(service.endpoint, read_timeout=0.1)
    assert "did not come in time" in str(problem)
    assert problem.ambiguous


def test_an_answer_that_never_ends_is_not_read_to_the_end() -> None:
    with ScriptedService(Reply(b" " * (MAX_ANSWER_BYTES + 100_000), close=True)) as service:
        assert unreachable(service.endpoint).ambiguous


def test_an_answer_cut_short_is_ambiguous() -> None:
    with ScriptedService(Reply(cut=5)) as service:
        assert unreachable(service.endpoint).ambiguous


@pytest.fixture
def full() -> Iterator[str]:
    """A service that accepts no more connections."""
    with socket.socket() as listening, ExitStack() as fillers:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_connection_that_nobody_accepts_is_given_up_and_was_never_sent(full: str) -> None:
    problem = unreachable(full, connect_timeout=0.05)
    assert not problem.ambiguous
    assert "not accepted in time" in str(problem)


def test_waiting_for_a_connection_ends_with_the_deadline(full: str) -> None:
    deadline = Deadline.after(1.5)
    with pytest.raises(ReportUndelivered) as caught:
        client_of(full, connect_timeout=30, retry=RetryPolicy(reserve_seconds=0.8)).report_task_succeeded(
            TOKEN, {}, deadline=deadline
        )
    assert deadline.remaining_seconds() > 0
    assert not caught.value.ambiguous


def test_a_refused_connection_was_never_sent() -> None:
    with ScriptedService() as gone:
        pass
    problem = unreachable(gone.endpoint)
    assert not problem.ambiguous
    assert problem.endpoint == gone.endpoint
    assert "the connection was refused" in str(problem)
    assert "CLOUDFLOW_NETWORK=internal may reach it too" in str(problem)  # it is not documented that it does


def test_a_name_that_is_not_known_was_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    problem = unreachable("https://cn-nowhere.fnf.aliyuncs.com")
    assert not problem.ambiguous
    assert "name cannot be resolved. Check the region (CLOUDFLOW_REGION)" in str(problem)


def test_something_that_does_not_speak_http_is_no_answer() -> None:
    class Mute(Reply):
        def content(self) -> bytes:
            return b"SSH-2.0-OpenSSH_9.0\r\n"

    with ScriptedService(Mute(close=True)) as service:
        assert unreachable(service.endpoint).ambiguous


def test_a_redirect_is_not_followed() -> None:
    with (
        ScriptedService() as elsewhere,
        ScriptedService(Reply(b"", status=302, headers={"Location": elsewhere.endpoint}), Reply()) as service,
    ):
        reported(service)
        assert elsewhere.calls == 0


# TLS


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    context, trusted = server_context(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    return context


def test_a_report_goes_over_tls(tls: ssl.SSLContext) -> None:
    with ScriptedService(tls=tls) as service:
        assert [reported(service), reported(service)] == [1, 1]
        assert service.connections == 1


def test_reconnecting_reads_the_ca_bundle_no_second_time(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[object] = []
    real = ssl.SSLContext.load_verify_locations

    def counting(self: ssl.SSLContext, *given: Any, **named: Any) -> None:
        loads.append(self)
        real(self, *given, **named)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counting)
    with ScriptedService(tls=tls) as service:
        for _ in range(4):
            reported(service)
            service.drop_connections()
        assert service.connections == 4
    assert len(loads) == 1


@pytest.mark.parametrize("step", ["close", "reset"])
def test_a_kept_tls_connection_that_breaks_costs_no_attempt(tls: ssl.SSLContext, step: str) -> None:
    with ScriptedService(Reply(), step, Reply(), tls=tls) as service:
        reported(service)
        assert reported(service) == 1


def untrusted(service: ScriptedService) -> ServiceUnreachable:
    """What a report ends in that meets a certificate which is not trusted: at once, and before anything is sent."""
    with pytest.raises(ServiceUnreachable) as caught:
        client_of(service.endpoint).report_task_succeeded(TOKEN, {}, deadline=Deadline.after(60))
    assert service.calls == 0
    assert (caught.value.ambiguous, caught.value.retryable) == (False, False)
    return caught.value


def test_a_certificate_of_an_unknown_issuer_is_said_to_be_that(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with ScriptedService(tls=tls) as service:
        problem = str(untrusted(service))
    assert "from an unknown issuer" in problem
    assert "REQUESTS_CA_BUNDLE" in problem


@pytest.mark.parametrize(
    ("made", "said", "hint"),
    [
        ({"host": "127.0.0.9"}, "is for another host", "CLOUDFLOW_ENDPOINT"),
        ({"valid_hours": (-48, -24)}, "has expired", "Renew"),
        ({"valid_hours": (24, 48)}, "is not valid yet", "clock"),
    ],
)
def test_a_certificate_that_is_not_trusted_says_why_and_ends_the_report(
    made: Any, said: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = server_context(tmp_path, **made)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    with ScriptedService(tls=context) as service:
        problem = str(untrusted(service))
    assert said in problem
    assert hint in problem


def test_a_service_that_speaks_no_tls_is_tried_again(tls: ssl.SSLContext) -> None:
    with ScriptedService() as service:
        problem = unreachable(service.endpoint.replace("http", "https"))
    assert "TLS failed" in str(problem)
    assert (problem.ambiguous, problem.retryable) == (False, True)


@pytest.mark.parametrize("place", ["nowhere.pem", "empty.pem"])
def test_a_ca_bundle_that_cannot_be_read_is_named(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty.pem").touch()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / place))
    with pytest.raises(SettingsError, match=f"{place}.*REQUESTS_CA_BUNDLE"):
        reported_to("https://127.0.0.1:1")


def test_a_folder_of_certificates_is_a_ca_bundle_too(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Path(os.environ["REQUESTS_CA_BUNDLE"])
    hashed = subprocess.run(  # the name by which OpenSSL looks a certificate up
        ["openssl", "x509", "-hash", "-noout", "-in", str(bundle)], capture_output=True, text=True, check=True
    )
    folder = bundle.parent / "certificates"
    folder.mkdir()
    (folder / f"{hashed.stdout.strip()}.0").write_bytes(bundle.read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder))
    with ScriptedService(tls=tls) as service:
        assert reported(service) == 1


FIRST_REPORT = """
import threading
started = []
class Thread(threading.Thread):
    def start(self):
        {start}
threading.Thread = Thread
from fc_callback import CloudFlowClient, task_callback
{report}
print(*started)
"""


def first_report(service: ScriptedService, start: str, report: str) -> str:
    code = FIRST_REPORT.format(start=start, report=report)
    environ = {
        **os.environ,
        "CLOUDFLOW_ENDPOINT": service.endpoint,
        "ALIBABA_CLOUD_ACCESS_KEY_ID": KEY.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": KEY.access_key_secret,
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_first_report_starts_no_thread(tls: ssl.SSLContext) -> None:
    with ScriptedService(tls=tls) as service:
        report = "CloudFlowClient().report_task_succeeded('token-of-a-task')"
        assert first_report(service, "started.append(self.name); super().start()", report) == ""
        assert service.calls == 1


@pytest.mark.parametrize("options", ["", "on_failure='report'"])
def test_where_no_thread_is_to_be_had_a_first_report_goes_out_all_the_same(tls: ssl.SSLContext, options: str) -> None:
    with ScriptedService(tls=tls) as service:
        report = f"""
from types import SimpleNamespace
threading.Timer.start = Thread.start
handler = task_callback({options})(lambda event, context: {{}})
handler({{'taskToken': 'token-of-a-task'}}, SimpleNamespace(function=SimpleNamespace(timeout=60)))
"""
        assert first_report(service, "raise RuntimeError('cannot start new thread')", report) == ""
        assert service.calls == 1


# Proxies and processes


def test_a_proxy_that_cannot_be_used_is_a_setting_and_its_password_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2@127.0.0.1:port")
    with pytest.raises(SettingsError, match="Check HTTPS_PROXY") as caught:
        reported_to("https://127.0.0.1:1")
    assert "hunter2" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_plain_http_to_this_machine_passes_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedService() as proxy, ScriptedService() as service:
        monkeypatch.setenv("HTTP_PROXY", proxy.endpoint)
        monkeypatch.setenv("ALL_PROXY", proxy.endpoint)
        reported(service)
        assert (proxy.calls, service.calls) == (0, 1)


def test_https_goes_through_the_proxy_that_is_set(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedService(Reply(b"", status=403)) as proxy, ScriptedService(tls=tls) as service:
        monkeypatch.setenv("HTTPS_PROXY", proxy.endpoint)
        problem = unreachable(service.endpoint)
        assert service.calls == 0
    assert "HTTPS_PROXY" in str(problem)
    assert not problem.ambiguous


@pytest.mark.parametrize(
    ("status", "hint"), [(407, "put user and password into HTTPS_PROXY"), (403, "refuses the call")]
)
def test_a_proxy_that_refuses_ends_the_report_with_its_status_and_a_hint(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, status: int, hint: str
) -> None:
    with ScriptedService(Reply(b"", status=status)) as proxy, ScriptedService(tls=tls) as service:
        monkeypatch.setenv("HTTPS_PROXY", proxy.endpoint)
        with pytest.raises(ServiceUnreachable, match=f"the proxy answered with {status}.*{hint}") as caught:
            client_of(service.endpoint).report_task_succeeded(TOKEN, {}, deadline=Deadline.after(60))
        assert (caught.value.ambiguous, caught.value.retryable, proxy.calls) == (False, False, 1)


def test_a_proxy_that_is_in_trouble_is_asked_again(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedService(Reply(b"", status=502)) as proxy, ScriptedService(tls=tls) as service:
        monkeypatch.setenv("HTTPS_PROXY", proxy.endpoint)
        with pytest.raises(ReportUndelivered, match="the proxy answered with 502"):
            client_of(service.endpoint).report_task_succeeded(TOKEN, {}, deadline=Deadline.after(2.5))
        assert proxy.calls > 1


class Tunnel:
    """A proxy that passes on what it gets, on a real socket."""

    def __init__(self) -> None:
        self.connected: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Tunnel:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listening, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)  # it may be opening another one
        for one in (self._listening, *self._open):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            head = near.makefile("rb", buffering=0)
            target = head.readline().split()[1].decode()
            while head.readline().strip():
                pass
            self._open.append(near)
            far = socket.create_connection(target.split(":"))  # type: ignore[arg-type]  # a host and a port
            self.connected.append(target)
            self._open.append(far)
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


def test_reports_through_a_proxy_share_a_connection_that_was_opened_ahead(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Tunnel() as proxy, ScriptedService(tls=tls) as service:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        transport_for(service.endpoint).open(connect=5)
        assert [reported(service), reported(service)] == [1, 1]
        assert (service.connections, proxy.connected) == (1, [f"127.0.0.1:{service.port}"])


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_socks_proxy_is_refused_as_a_setting(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "socks5h://me:hunter2@127.0.0.1:1")
    with pytest.raises(SettingsError, match="not SOCKS") as caught:
        reported_to("https://127.0.0.1:1")
    assert "hunter2" not in str(caught.value)


def test_a_process_has_one_transport_for_each_endpoint() -> None:
    assert transport_for("http://127.0.0.1:1") is transport_for("http://127.0.0.1:1")
    assert transport_for("http://127.0.0.1:1") is not transport_for("http://127.0.0.1:2")


def test_a_forked_child_opens_connections_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = transport_for("http://127.0.0.1:1")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert transport_for("http://127.0.0.1:1") is not parent


FORK = """
import os, socket, threading, time
from fc_callback.cloudflow import sockets, throttle, transport

held, ended = threading.Event(), threading.Event()

def hold():
    with transport._lock, throttle.throttle_queue_for("http://127.0.0.1:1")._lock, sockets._lock:
        held.set()
        ended.wait(30)

throttle.throttle_queue_for("http://127.0.0.1:1").wait_seconds(1.0)
sockets._running[("localhost", 1, socket.AF_INET)] = threading.Thread()  # a look-up of the parent's, which the child has not
holding = threading.Thread(target=hold)
holding.start()
held.wait(30)
child = os.fork()
if child == 0:
    transport.transport_for("http://127.0.0.1:1")
    alone = throttle.throttle_queue_for("http://127.0.0.1:1").wait_seconds(7.0)
    found = sockets.look_up("localhost", 1, until=time.monotonic() + 20, family=socket.AF_INET)
    os._exit(0 if alone == 7.0 and found else 3)
for _ in range(400):
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        break
    ended.wait(0.025)
else:
    os.kill(child, 9)
    os.waitpid(child, 0)
    status = "hangs"
ended.set()
print(status)
"""


def test_a_child_forked_while_a_thread_of_its_parent_holds_a_lock_can_report() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("0", "")


def test_a_connection_opened_ahead_is_the_one_that_is_used(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with ScriptedService() as service:
        transport_for(service.endpoint).open(connect=1)
        reported(service)
        assert service.connections == 1


def test_opening_ahead_leaves_a_failure_for_the_call_to_find() -> None:
    with ScriptedService() as gone:
        pass
    transport_for(gone.endpoint).open(connect=1)
    unreachable(gone.endpoint)


class Chunked(Reply):
    def content(self) -> bytes:
        return b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"EventId": 7, "\r\n11\r\nRequestId": "A-1"\r\n1\r\n}\r\n0\r\n\r\n'


def test_an_answer_in_chunks_is_read_whole_and_the_connection_kept() -> None:
    with ScriptedService(Chunked()) as service:
        for _ in range(2):
            assert client_of(service.endpoint).report_task_succeeded(TOKEN, {}).event_id == 7
        assert service.connections == 1
