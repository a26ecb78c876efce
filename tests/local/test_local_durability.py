"""What a killed service leaves behind, and takes up again."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from fc_callback.errors import SettingsError
from fc_callback.local import LocalCloudFlow
from tests.local.raw_client import CALLBACK_FLOW, RawClient, error_of, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.local.processes import Process


def lines(path: Any) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_a_task_that_waited_when_the_service_was_killed_can_still_be_reported(
    serve: Callable[..., Process], tmp_path: Path
) -> None:
    first = serve()
    first.create("approve", CALLBACK_FLOW)
    first.start("approve", "waits")
    first.start("approve", "ends")
    until(lambda: len(lines(tmp_path / "events")) == 2)
    tokens = [json.loads(line)["taskToken"] for line in lines(tmp_path / "events")]
    by_name = {name: token for token in tokens for name in ("waits", "ends") if f"#{name}#" in _decoded(token)}
    assert first.client.report(by_name["ends"], {"n": 1}).status_code == 200
    first.kill()

    second = serve()
    assert second.describe("approve", "ends")["Status"] == "Succeeded"
    assert json.loads(second.describe("approve", "ends")["Output"]) == {"n": 1}
    assert error_of(second.client.report(by_name["ends"])) == (400, "TaskAlreadyCompleted")
    assert second.describe("approve", "waits")["Status"] == "Running"
    assert second.client.report(by_name["waits"], {"n": 2}).status_code == 200
    assert json.loads(second.describe("approve", "waits")["Output"]) == {"n": 2}
    second.kill()
    database = b"".join(path.read_bytes() for path in tmp_path.glob("cloudflow.db*"))
    assert b"ReportTask" not in database
    assert b"approve" in database
    for token in tokens:
        assert token.encode() not in database


def _decoded(token: str) -> str:
    from base64 import b64decode

    return b64decode(token).decode()


def test_an_acknowledged_report_outlives_a_kill_at_any_moment(serve: Callable[..., Process], tmp_path: Path) -> None:
    process = serve()
    process.create("approve", CALLBACK_FLOW)
    for number in range(30):
        process.start("approve", f"e{number}")
    until(lambda: len(lines(tmp_path / "events")) == 30)
    tokens = {str(json.loads(line)["taskToken"]) for line in lines(tmp_path / "events")}
    acknowledged: dict[str, int] = {}
    for _ in range(3):
        killer = threading.Timer(0.05, process.process.kill)
        killer.start()
        for number, token in enumerate(tokens - set(acknowledged)):
            try:
                answer = process.client.report(token, {"n": number})
            except requests.RequestException:
                break
            if answer.status_code == 200:
                acknowledged[token] = number
            else:
                assert error_of(answer) == (400, "TaskAlreadyCompleted"), "its answer was lost in a kill"
        killer.join()
        process.kill()
        process = serve()
    assert acknowledged
    for token, number in acknowledged.items():
        execution = process.describe("approve", _decoded(token).split("#")[2])
        assert (execution["Status"], json.loads(execution["Output"])) == ("Succeeded", {"n": number})


def test_an_invocation_that_ran_when_the_service_was_killed_is_delivered_again(
    serve: Callable[..., Process], tmp_path: Path
) -> None:
    first = serve()
    first.create("hang", CALLBACK_FLOW.replace("functions/notify", "functions/hang"))
    first.start("hang", "e")
    until(lambda: len(lines(tmp_path / "hung")) == 1)
    first.kill()
    (tmp_path / "go").touch()
    second = serve()
    until(lambda: len(lines(tmp_path / "hung")) == 2)
    one, other = lines(tmp_path / "hung")
    assert one == other, "the same event, with the same token"
    assert second.client.report(json.loads(other)["taskToken"]).status_code == 200


def test_a_retry_that_was_queued_when_the_service_was_killed_goes_on(
    serve: Callable[..., Process], tmp_path: Path
) -> None:
    first = serve(delay="0.5")
    first.create("broken", CALLBACK_FLOW.replace("functions/notify", "functions/broken"))
    first.start("broken", "e")
    until(lambda: first.invocations()[0]["retry_count"] == 1)
    first.kill()
    second = serve(delay="0.01")
    until(lambda: second.invocations()[0]["status"] == "ended")
    assert [int(line) for line in lines(tmp_path / "broken")] == [0, 1, 2, 3]


def test_time_goes_on_while_the_service_is_down(serve: Callable[..., Process]) -> None:
    first = serve()
    wait = "Type: StateMachine\nSpecVersion: v1\nStartAt: W\nStates: [{Type: Wait, Name: W, Seconds: 1, End: true}]"
    first.create("pause", wait)
    first.start("pause", "e")
    assert first.describe("pause", "e")["Status"] == "Running"
    first.kill()
    second = serve()
    until(lambda: second.describe("pause", "e")["Status"] == "Succeeded")


def test_a_moved_clock_is_remembered(tmp_path: Path) -> None:
    with LocalCloudFlow(database=tmp_path / "db") as service:
        service.advance(5000)
    with LocalCloudFlow(database=tmp_path / "db") as service:
        assert service.now == pytest.approx(time.time() + 5000, abs=60)


def test_the_same_database_has_the_same_keys_and_another_has_others(tmp_path: Path) -> None:
    keys = []
    for name in ("one", "one", "two"):
        with LocalCloudFlow(database=tmp_path / name) as service:
            keys.append(service.credentials)
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


def test_two_services_cannot_share_a_database(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with LocalCloudFlow(database=path), pytest.raises(SettingsError, match="Another local CloudFlow uses it"):
        LocalCloudFlow(database=path).start_service()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_text("no database at all, but long enough to be looked at " * 20)
    with pytest.raises(SettingsError, match="Choose another file"):
        LocalCloudFlow(database=path).start_service()


def test_only_its_owner_can_read_the_database(tmp_path: Path) -> None:
    with LocalCloudFlow(database=tmp_path / "db"):
        for path in tmp_path.iterdir():
            assert path.stat().st_mode & 0o077 == 0


def test_a_function_that_cannot_reach_the_closing_service_is_called_again_and_has_not_failed(tmp_path: Path) -> None:
    called = threading.Event()
    with LocalCloudFlow(database=tmp_path / "db") as first:
        address = ("127.0.0.1", int(first.endpoint.rpartition(":")[2]))

        def unreachable(_event: bytes) -> None:
            called.set()
            while True:
                with contextlib.suppress(OSError), socket.create_server(address):
                    break  # the service listens no more
                time.sleep(0.001)
            raise ConnectionRefusedError

        first.add_function(unreachable, name="notify")
        first.create_flow("approve", CALLBACK_FLOW.replace("Async", "Sync"))
        first.start("approve", {"order": 7}, execution_name="e")
        assert called.wait(10)
        client = RawClient(first.endpoint, first.credentials)
        query = {"FlowName": "approve", "ExecutionName": "e", "WaitTimeSeconds": "60"}

        def wait_for_the_end() -> None:  # an open call holds the closing server for a moment
            with contextlib.suppress(requests.RequestException), client.session:
                client.v1("DescribeExecution", query, method="GET")

        waiting = threading.Thread(target=wait_for_the_end)
        waiting.start()
        time.sleep(0.2)
    waiting.join(10)
    with LocalCloudFlow(database=tmp_path / "db") as second:
        second.add_function(lambda _event: None, name="notify")
        second.run_until_waiting("approve", "e").succeed({"n": 1})
        assert second.wait("approve", "e").output == {"n": 1}
