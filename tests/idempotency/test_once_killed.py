"""A process killed between any two steps leaves a state from which the next delivery does the right thing."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from fc_callback.errors import WorkInProgress
from fc_callback.idempotency import Once, Store, Work, once
from fc_callback.idempotency.redis import RedisStore
from fc_callback.idempotency.sqlite import SqliteStore
from fc_callback.values.context import Deadline
from fc_callback.values.token import TaskToken
from tests.idempotency.once_stores import Clock

HERE = Path(__file__).parent
TOKEN = TaskToken("token-of-the-first-and-the-second-delivery")
OTHER = TaskToken("token-of-another-attempt-of-the-step")


class Delivery:
    """A delivery in a process of its own."""

    def __init__(self, address: str, **options: object) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(address)
        self._file = self._socket.makefile("rw", encoding="utf-8")
        self.send(json.dumps(options))
        self.process = int(self.next_step())

    def next_step(self) -> str:
        """Return the next step that it has taken; an empty text when it has ended."""
        return self._file.readline().strip()

    def steps(self) -> list[str]:
        """Return all the steps from now on, when it has ended."""
        return self._file.read().split()

    def send(self, line: str) -> None:
        self._file.write(f"{line}\n")
        self._file.flush()

    def kill(self) -> None:
        """Kill the process, which is still at work."""
        os.kill(self.process, signal.SIGKILL)

    def close(self) -> None:
        """Close the connection; a process that still waits for the test ends itself then."""
        self._file.close()
        self._socket.close()


Deliver = Callable[..., Delivery]


@pytest.fixture(scope="session")
def deliveries_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    address = str(tmp_path_factory.mktemp("deliveries") / "socket")
    forking = subprocess.Popen([sys.executable, str(HERE / "deliver.py"), address], stdout=subprocess.PIPE)
    try:
        assert forking.stdout is not None
        assert forking.stdout.readline() == b"listening\n"
        yield address
    finally:
        forking.kill()
        forking.communicate(timeout=10)


@pytest.fixture
def deliver(deliveries_address: str) -> Iterator[Deliver]:
    """Start a delivery; its connection is closed when the test has ended."""
    with ExitStack() as at_end:
        yield lambda **options: at_end.enter_context(closing(Delivery(deliveries_address, **options)))


def killed_after(step: str, deliver: Deliver, url: str, folder: Path) -> None:
    delivery = deliver(url=url, folder=str(folder), token=TOKEN.reveal(), stop_at=step)
    taken = iter(delivery.next_step, "")
    assert step in taken, f"the delivery ended before {step!r}"
    delivery.kill()
    assert delivery.steps() == []


def later(url: str, seconds: float = 3600) -> Store:
    """The store as it looks that much later, when every lease of now is over."""
    at = Clock(time.time() + seconds)
    return RedisStore(url, clock=at) if url.startswith("redis") else SqliteStore(url[len("sqlite:///") :], clock=at)


def enter(options: Once, token: TaskToken = TOKEN) -> Work:
    payload = {"order": 7, "taskToken": token.reveal()}
    return options.enter(payload, scope="shop.handler", deadline=Deadline.after(60), token=token)


def lines(folder: Path, name: str) -> list[str]:
    path = folder / name
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("step", ["entered", "worked"])
def test_killed_before_its_result_the_work_is_guarded_until_the_lease_ends_and_then_runs(
    step: str, shared_url: str, deliver: Deliver, tmp_path: Path
) -> None:
    killed_after(step, deliver, shared_url, tmp_path)
    with pytest.raises(WorkInProgress) as caught:
        enter(once("order", store=shared_url, duplicate="raise"))
    assert 0 < caught.value.retry_after_seconds < 63
    work = enter(once("order", store=later(shared_url), duplicate="raise"))
    assert work.stored is None
    assert work.record.attempt == 2
    work.done("{}")
    work.reported()
    assert work.record.state == "REPORTED"
    assert list(later(shared_url).pending()) == []


@pytest.mark.parametrize("token", [TOKEN, OTHER], ids=["same token", "new token"])
@pytest.mark.parametrize("step", ["done", "sent", "reported"])
def test_killed_after_its_result_the_next_delivery_reports_and_does_not_run(
    step: str, token: TaskToken, shared_url: str, deliver: Deliver, tmp_path: Path
) -> None:
    killed_after(step, deliver, shared_url, tmp_path)
    steps = deliver(url=shared_url, folder=str(tmp_path), token=token.reveal()).steps()
    assert steps == ["ready", "sent", "reported"]
    (effect,) = lines(tmp_path, "effects")
    assert lines(tmp_path, "reports")[-1] == f'{token.fingerprint} {{"by": {effect}}}'
    assert lines(tmp_path, "reports")[:-1] == ([] if step == "done" else [f'{TOKEN.fingerprint} {{"by": {effect}}}'])


@pytest.mark.parametrize(
    ("step", "waiting"),
    [("worked", []), ("done", [TOKEN]), ("reported", [])],
)
def test_killed_at_any_step_exactly_the_results_without_a_recorded_report_are_pending(
    step: str, waiting: list[TaskToken], shared_url: str, deliver: Deliver, tmp_path: Path
) -> None:
    killed_after(step, deliver, shared_url, tmp_path)
    store = once("order", store=shared_url).store
    found = [one.fingerprint for record in store.pending() for one in record.receivers if not one.reported]
    assert found == [token.fingerprint for token in waiting]


def test_killed_before_it_entered_nothing_is_left(shared_url: str, deliver: Deliver, tmp_path: Path) -> None:
    killed_after("ready", deliver, shared_url, tmp_path)
    assert enter(once("order", store=shared_url, duplicate="raise")).stored is None


def test_four_processes_at_once_do_the_work_once_and_report_the_same_result(
    shared_url: str, deliver: Deliver, tmp_path: Path
) -> None:
    tokens = [TaskToken(f"token-of-delivery-number-{number}") for number in range(4)]
    race(deliver, shared_url, tmp_path, tokens, duplicate="wait")
    (effect,) = lines(tmp_path, "effects")
    expected = {f'{token.fingerprint} {{"by": {effect}}}' for token in tokens}
    assert set(lines(tmp_path, "reports")) == expected
    assert list(once("order", store=shared_url).store.pending()) == []


def test_of_four_processes_that_do_not_wait_one_works(shared_url: str, deliver: Deliver, tmp_path: Path) -> None:
    said = race(deliver, shared_url, tmp_path, [TOKEN] * 4, duplicate="raise")
    assert len(lines(tmp_path, "effects")) == 1
    assert all(steps[-1] in {"reported", "WorkInProgress"} for steps in said)


def race(deliver: Deliver, url: str, folder: Path, tokens: list[TaskToken], *, duplicate: str) -> list[list[str]]:
    """Start a process for each token, let them all enter at the same moment, and return their steps."""
    shared = {"url": url, "folder": str(folder), "duplicate": duplicate, "start": True}
    deliveries = [deliver(**shared, token=token.reveal()) for token in tokens]
    for delivery in deliveries:
        assert delivery.next_step() == "ready"
    for delivery in deliveries:
        delivery.send("go")
    return [delivery.steps() for delivery in deliveries]


def test_a_file_written_to_while_its_process_is_killed_keeps_every_confirmed_result(
    deliver: Deliver, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/once.db"
    options = once(("round", "number"), store=url, duplicate="raise")
    for turn in "abcd":
        delivery = deliver(url=url, round=turn)
        read = [delivery.next_step() for _ in range(random.randint(1, 20))]
        delivery.kill()
        read += delivery.steps()
        connection = sqlite3.connect(tmp_path / "once.db")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
        assert read == [str(number) for number in range(len(read))]
        for number in range(len(read)):
            stored = options.enter({"round": turn, "number": number}, scope="shop.handler").stored
            assert stored is not None
            assert stored.output == f'{{"number": {number}}}'
