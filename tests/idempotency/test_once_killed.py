"""A process killed between any two steps leaves a state from which the next delivery does the right thing."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fc_callback.errors import WorkInProgress
from fc_callback.idempotency import Once, Store, Work, once
from fc_callback.idempotency.redis import RedisStore
from fc_callback.idempotency.sqlite import SqliteStore
from fc_callback.values.context import Deadline
from fc_callback.values.token import TaskToken
from tests.idempotency.once_stores import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
TOKEN = TaskToken("token-of-the-first-and-the-second-delivery")
OTHER = TaskToken("token-of-another-attempt-of-the-step")


@contextmanager
def delivery(**options: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "deliver.py"), json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def killed_after(step: str, url: str, folder: Path) -> None:
    with delivery(url=url, folder=str(folder), token=TOKEN.reveal(), stop_at=step) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == step:
                break
        else:
            pytest.fail(f"the delivery ended before {step!r}")
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=10) == -signal.SIGKILL


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
    step: str, shared_url: str, tmp_path: Path
) -> None:
    killed_after(step, shared_url, tmp_path)
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
    step: str, token: TaskToken, shared_url: str, tmp_path: Path
) -> None:
    killed_after(step, shared_url, tmp_path)
    with delivery(url=shared_url, folder=str(tmp_path), token=token.reveal()) as process:
        said, _ = process.communicate(timeout=30)
    assert said.split() == ["ready", "sent", "reported"]
    (effect,) = lines(tmp_path, "effects")
    assert lines(tmp_path, "reports")[-1] == f'{token.fingerprint} {{"by": {effect}}}'
    assert lines(tmp_path, "reports")[:-1] == ([] if step == "done" else [f'{TOKEN.fingerprint} {{"by": {effect}}}'])


@pytest.mark.parametrize(
    ("step", "waiting"),
    [("worked", []), ("done", [TOKEN]), ("reported", [])],
)
def test_killed_at_any_step_exactly_the_results_without_a_recorded_report_are_pending(
    step: str, waiting: list[TaskToken], shared_url: str, tmp_path: Path
) -> None:
    killed_after(step, shared_url, tmp_path)
    store = once("order", store=shared_url).store
    found = [one.fingerprint for record in store.pending() for one in record.receivers if not one.reported]
    assert found == [token.fingerprint for token in waiting]


def test_killed_before_it_entered_nothing_is_left(shared_url: str, tmp_path: Path) -> None:
    killed_after("ready", shared_url, tmp_path)
    assert enter(once("order", store=shared_url, duplicate="raise")).stored is None


def test_four_processes_at_once_do_the_work_once_and_report_the_same_result(shared_url: str, tmp_path: Path) -> None:
    tokens = [TaskToken(f"token-of-delivery-number-{number}") for number in range(4)]
    race(shared_url, tmp_path, tokens, duplicate="wait")
    (effect,) = lines(tmp_path, "effects")
    expected = {f'{token.fingerprint} {{"by": {effect}}}' for token in tokens}
    assert set(lines(tmp_path, "reports")) == expected
    assert list(once("order", store=shared_url).store.pending()) == []


def test_of_four_processes_that_do_not_wait_one_works(shared_url: str, tmp_path: Path) -> None:
    said = race(shared_url, tmp_path, [TOKEN] * 4, duplicate="raise")
    assert len(lines(tmp_path, "effects")) == 1
    assert all(text.split()[-1] in {"reported", "WorkInProgress"} for text in said)


def race(url: str, folder: Path, tokens: list[TaskToken], *, duplicate: str) -> list[str]:
    """Start a process for each token, let them all enter at the same moment, and return what they said."""
    shared = {"url": url, "folder": str(folder), "duplicate": duplicate, "start": True}
    processes = []
    try:
        for token in tokens:
            process = subprocess.Popen(
                [sys.executable, str(HERE / "deliver.py"), json.dumps({**shared, "token": token.reveal()})],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            processes.append(process)
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        return [process.communicate(timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=10)


WRITER = """
import sys
from fc_callback.idempotency import once
options = once(("round", "number"), store=sys.argv[1])
for number in range(1_000_000):
    work = options.enter({"round": sys.argv[2], "number": number}, scope="shop.handler")
    work.done('{"number": %d}' % number)
    print(number, flush=True)
"""


def test_a_file_written_to_while_its_process_is_killed_keeps_every_confirmed_result(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/once.db"
    options = once(("round", "number"), store=url, duplicate="raise")
    for turn in "abcd":
        process = subprocess.Popen([sys.executable, "-c", WRITER, url, turn], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            read = "".join(process.stdout.readline() for _ in range(random.randint(1, 20)))
        finally:
            process.kill()
            rest, _ = process.communicate(timeout=10)
        connection = sqlite3.connect(tmp_path / "once.db")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
        confirmed = [line for line in (read + rest).splitlines(keepends=True) if line.endswith("\n")]
        assert confirmed
        for number in range(len(confirmed)):
            stored = options.enter({"round": turn, "number": number}, scope="shop.handler").stored
            assert stored is not None
            assert stored.output == f'{{"number": {number}}}'
