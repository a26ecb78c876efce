"""One bound for a connection: the look-up of its name, all of its addresses, and a wait that leaves time for another."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from fc_callback import ReportUndelivered, RetryPolicy
from fc_callback.cloudflow import sockets
from fc_callback.cloudflow.transport import transport_for
from fc_callback.errors import ServiceUnreachable
from fc_callback.payload.output import encode_output
from fc_callback.values.context import Deadline
from tests.cloudflow.quick import TOKEN, client_of
from tests.cloudflow.scripted import Reply, ScriptedService, error

NAME = "cloudflow.example"
PROMPT = RetryPolicy(base_seconds=0.001, cap_seconds=0.01, reserve_seconds=0.1)
# Ends early enough before the deadline for a busy machine to notice.
EARLY = RetryPolicy(base_seconds=0.001, cap_seconds=0.01, reserve_seconds=1)


def service_at_a_name(service: ScriptedService) -> str:
    """An endpoint whose host is a name: plain http is for loopback alone, and this is its one name."""
    return f"http://localhost:{service.port}"


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    """An address that accepts no connection and refuses none."""
    with socket.socket() as listening, ExitStack() as fillers:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield listening.getsockname()


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Says what names resolve to: addresses, or a callable that is waited for."""
    real = socket.getaddrinfo

    def say(*addresses: tuple[str, int], before: Callable[[], None] = lambda: None) -> None:
        def getaddrinfo(host: str, port: int, family: int = 0, kind: int = 0, proto: int = 0, flags: int = 0) -> Any:
            if flags & socket.AI_NUMERICHOST:
                return real(host, port, family, kind, proto, flags)
            before()
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return say


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """What a look-up waits for that does not end; set at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


# All addresses, and the look-up, together


def test_addresses_that_do_not_answer_take_one_bound_together(
    silent: tuple[str, int], resolves: Callable[..., None]
) -> None:
    resolves(*[silent] * 4)
    deadline = Deadline.after(2.5)
    with pytest.raises(ReportUndelivered) as caught:
        client_of(f"https://{NAME}", connect_timeout=30, retry=EARLY).report_task_succeeded(
            TOKEN, {}, deadline=deadline
        )
    assert deadline.remaining_seconds() > 0
    assert not caught.value.ambiguous


def test_the_connect_timeout_is_for_all_addresses_together(
    silent: tuple[str, int], resolves: Callable[..., None]
) -> None:
    resolves(*[silent] * 4)
    bound = Deadline.after(1.5)
    with pytest.raises(ServiceUnreachable, match="not accepted in time"):
        client_of(f"https://{NAME}", connect_timeout=0.5).call("ListFlows")
    assert bound.remaining_seconds() > 0


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    silent: tuple[str, int], resolves: Callable[..., None]
) -> None:
    with ScriptedService() as service:
        resolves(silent, ("127.0.0.1", service.port))
        result = client_of(service_at_a_name(service), connect_timeout=2).report_task_succeeded(
            TOKEN, {}, deadline=Deadline.after(4)
        )
        assert result.attempts == 1


def test_an_address_that_refuses_is_passed_over(resolves: Callable[..., None]) -> None:
    with ScriptedService() as gone:
        pass
    with ScriptedService() as service:
        resolves(("127.0.0.1", gone.port), ("127.0.0.1", service.port))
        assert client_of(service_at_a_name(service)).report_task_succeeded(TOKEN, {}).attempts == 1


def test_a_look_up_without_an_end_ends_with_the_deadline(resolves: Callable[..., None], stuck: threading.Event) -> None:
    resolves(("127.0.0.1", 1), before=lambda: stuck.wait(60))
    deadline = Deadline.after(2.5)
    with pytest.raises(ReportUndelivered) as caught:
        client_of(f"https://{NAME}", connect_timeout=30, retry=EARLY).report_task_succeeded(
            TOKEN, {}, deadline=deadline
        )
    assert deadline.remaining_seconds() > 0
    assert not caught.value.ambiguous
    assert "name cannot be resolved" in str(caught.value)


def test_a_look_up_takes_of_the_bound_what_it_needs(silent: tuple[str, int], resolves: Callable[..., None]) -> None:
    resolves(silent, before=lambda: time.sleep(1.3))
    bound = Deadline.after(2.8)
    with pytest.raises(ServiceUnreachable, match="not accepted in time"):
        client_of(f"https://{NAME}", connect_timeout=1.6).call("ListFlows")
    assert bound.remaining_seconds() > 0


def test_an_attempt_waits_for_the_look_up_that_an_earlier_one_began(resolves: Callable[..., None]) -> None:
    begun: list[int] = []

    def slow() -> None:
        begun.append(1)
        time.sleep(0.6)

    with ScriptedService() as service:
        resolves(("127.0.0.1", service.port), before=slow)
        client = client_of(service_at_a_name(service), connect_timeout=0.25)
        assert client.report_task_succeeded(TOKEN, {}, deadline=Deadline.after(20)).attempts > 1
        assert len(begun) == 1


def test_a_kept_connection_looks_nothing_up(resolves: Callable[..., None]) -> None:
    with ScriptedService() as service:
        resolves(("127.0.0.1", service.port))
        client = client_of(service_at_a_name(service))
        client.report_task_succeeded(TOKEN, {})
        resolves()  # to nothing
        client.report_task_succeeded(TOKEN, {})
        assert service.connections == 1


def test_an_address_is_connected_to_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_to_be_had(_: threading.Thread) -> None:
        raise AssertionError("a thread was started")

    monkeypatch.setattr(sockets._LookUp, "start", none_to_be_had)
    with ScriptedService() as service:
        client_of(service.endpoint).report_task_succeeded(TOKEN, {})
        assert service.calls == 1


def test_where_no_thread_is_to_be_had_a_name_is_looked_up_all_the_same(
    monkeypatch: pytest.MonkeyPatch, resolves: Callable[..., None]
) -> None:
    def none_to_be_had(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with ScriptedService() as service:
        resolves(("127.0.0.1", service.port))
        monkeypatch.setattr(threading.Thread, "start", none_to_be_had)
        assert sockets.look_up("localhost", service.port, until=time.monotonic() + 5)
        monkeypatch.undo()


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "no-such-host.invalid"])
def test_a_name_that_cannot_be_one_was_never_sent_to(host: str) -> None:
    with pytest.raises(ServiceUnreachable, match="name cannot be resolved") as caught:
        client_of(f"https://{host}").call("ListFlows")
    assert not caught.value.ambiguous


def test_with_a_proxy_its_name_is_what_is_looked_up_within_the_bound(
    monkeypatch: pytest.MonkeyPatch, resolves: Callable[..., None], stuck: threading.Event
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    resolves(("127.0.0.1", 1), before=lambda: stuck.wait(60))
    deadline = Deadline.after(2.5)
    with pytest.raises(ReportUndelivered, match="proxy") as caught:
        client_of(f"https://{NAME}", connect_timeout=30, retry=EARLY).report_task_succeeded(
            TOKEN, {}, deadline=deadline
        )
    assert deadline.remaining_seconds() > 0
    assert not caught.value.ambiguous


def test_opening_ahead_is_bounded_as_a_whole(resolves: Callable[..., None], stuck: threading.Event) -> None:
    resolves(("127.0.0.1", 1), before=lambda: stuck.wait(60))
    bound = Deadline.after(2)
    transport_for(f"https://{NAME}").open(connect=0.3)
    assert bound.remaining_seconds() > 0


def test_a_tls_handshake_that_does_not_end_is_part_of_connecting() -> None:
    with ScriptedService("hang") as mute:  # it waits for a request, and the client for its handshake
        bound = Deadline.after(3)
        with pytest.raises(ServiceUnreachable) as caught:
            client_of(f"https://127.0.0.1:{mute.port}", connect_timeout=0.4, read_timeout=30).call("ListFlows")
        assert bound.remaining_seconds() > 0
        assert not caught.value.ambiguous


# A connection that has gone silent


def test_a_first_answer_that_does_not_come_leaves_time_for_another() -> None:
    with ScriptedService("hang", Reply()) as service:
        result = client_of(service.endpoint).report_task_succeeded(TOKEN, {}, deadline=Deadline.after(3))
        assert result.attempts == 2


@pytest.mark.parametrize("kept", [1, 3])
def test_kept_connections_that_have_gone_silent_leave_time_for_a_new_one(kept: int) -> None:
    together = threading.Barrier(kept)

    class Together(Reply):
        def content(self) -> bytes:
            together.wait(10)
            return super().content()

    with ScriptedService(*[Together()] * kept, Reply()) as service, ThreadPoolExecutor(kept) as threads:
        client = client_of(service.endpoint)
        list(threads.map(lambda _: client.report_task_succeeded(TOKEN, {}), range(kept)))
        service.silence()
        result = client.report_task_succeeded(TOKEN, {}, deadline=Deadline.after(3))
        assert (result.attempts, service.connections) == (2, kept + 1)


def test_a_silent_connection_that_takes_no_byte_any_more_leaves_time_as_well() -> None:
    output = encode_output({"x": "y" * 8_000_000})  # more than the buffers of both sockets hold
    with ScriptedService(receive_buffer=65536) as service:
        client = client_of(service.endpoint)
        client.report_task_succeeded(TOKEN, {})
        service.silence()
        result = client.report_task_succeeded(TOKEN, output, deadline=Deadline.after(8))
        assert (result.attempts, service.connections) == (2, 2)


def test_the_last_wait_gets_all_that_is_left() -> None:
    with ScriptedService("hang", Reply(after_seconds=1.3)) as service:
        result = client_of(service.endpoint, retry=PROMPT).report_task_succeeded(
            TOKEN, {}, deadline=Deadline.after(3.1)
        )
        assert result.attempts == 2


def test_where_there_is_time_for_one_wait_it_gets_all_of_it() -> None:
    with ScriptedService(Reply(after_seconds=0.55), error("AccessDenied", 403)) as service:
        result = client_of(service.endpoint, retry=PROMPT).report_task_succeeded(
            TOKEN, {}, deadline=Deadline.after(1.5)
        )
        assert result.attempts == 1


def test_where_time_is_not_scarce_the_first_wait_is_the_read_timeout() -> None:
    with ScriptedService(Reply(after_seconds=2.3), error("AccessDenied", 403)) as service:
        result = client_of(service.endpoint, retry=PROMPT, read_timeout=3).report_task_succeeded(
            TOKEN, {}, deadline=Deadline.after(6.6)
        )
        assert result.attempts == 1


def test_a_wait_that_was_cut_short_is_not_the_last_one_where_opening_took_most_of_the_time(
    resolves: Callable[..., None],
) -> None:
    seconds = [1.8, 0.0]  # the first look-up and the second
    with ScriptedService("hang", Reply()) as service:
        resolves(("127.0.0.1", service.port), before=lambda: time.sleep(seconds.pop(0)))
        client = client_of(service_at_a_name(service), retry=PROMPT)
        assert client.report_task_succeeded(TOKEN, {}, deadline=Deadline.after(4)).attempts == 2
