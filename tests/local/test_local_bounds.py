"""What is too large, too deep or too far away is refused in time, and other calls are answered meanwhile."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
import yaml

from fc_callback.errors import SettingsError
from fc_callback.flows import yaml_values
from fc_callback.local import ApiError, Fault, LocalCloudFlow, authentication
from fc_callback.local.clock import MAX_TIME, iso_milliseconds
from fc_callback.local.request_body import MAX_REQUEST_BYTES
from tests.local.raw_client import RawClient, error_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PASS = "version: v1\ntype: flow\nsteps:\n  - {type: pass, name: one}\n"
STATES = "Type: StateMachine\nSpecVersion: v1\nName: f\nStartAt: one\nStates:\n  - Type: Pass\n    Name: one\n    End: true\n"
LEGACY_TASK = "version: v1\ntype: flow\nsteps:\n  - type: task\n    name: call\n    resourceArn: {}\n"
KEYS = 20_000
BRACKETS = 20_000
DEADLINE = 20
# More than the clock can be moved by, or nothing that it can be moved by.
IMPOSSIBLE = [
    math.inf, -math.inf, math.nan, -1, -1e-9, 1e12, 10**400, MAX_TIME, 1e308, True, False, "60", "", None, [], {}, [60],
]  # fmt: skip


def create(raw: RawClient, definition: str, name: str = "f") -> requests.Response:
    form = {"Name": name, "Definition": definition, "Description": "", "Type": "FDL"}
    return raw.v1("CreateFlow", form=form)


@pytest.mark.parametrize(
    "definition",
    [
        f"{STATES}    OutputConstructor:\n" + "".join(f"      key{i}: {i}\n" for i in range(KEYS)),
        STATES + "".join(f"  - {{Type: Pass, Name: s{i}, End: true}}\n" for i in range(KEYS // 4)),
        PASS + "".join(f"  - {{type: pass, name: s{i}}}\n" for i in range(KEYS // 4)),
        PASS + "".join(f"key{i}: {i}\n" for i in range(KEYS)),
        json.dumps({"version": "v1", "type": "flow", "steps": [{"type": "pass", "name": "one", "x": dict.fromkeys(map(str, range(KEYS)))}]}),
        PASS + "x: " + "[" * BRACKETS + "]" * BRACKETS,
        json.dumps({"version": "v1"})[:-1] + ', "x": ' + "[" * BRACKETS + "]" * BRACKETS + "}",
        PASS + "x: " + "{a: " * BRACKETS + "}" * BRACKETS,
        PASS + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" if i else "a0: &a0 x\n" for i in range(10)),
        PASS + "x: [" + "1," * 200_000 + "1]",
        *(
            f"{STATES}    OutputConstructor: {{a.$: '{expression}'}}\n"
            for expression in ("[" * BRACKETS, "(" * BRACKETS, "$Input" + "[0]" * BRACKETS, "format(" * BRACKETS, "1" * BRACKETS)
        ),
        *(
            f"version: v1\ntype: flow\nsteps:\n  - {{type: pass, name: one, outputMappings: [{{target: a, source: '{path}'}}]}}\n"
            for path in ("$input" + "[" * BRACKETS, "$input" + "[0]" * BRACKETS, "(" * BRACKETS)
        ),
    ],
    ids=["keys", "states", "steps", "unknown keys", "JSON", "brackets", "brackets in JSON", "braces", "aliases", "values",
         "expression of [", "expression of (", "indexes", "calls", "digits", "mapping of [", "mapping of indexes", "mapping of ("],
)  # fmt: skip
def test_a_definition_of_any_size_is_answered_in_time(raw: RawClient, definition: str) -> None:
    began = time.monotonic()
    answer = create(raw, definition)
    assert answer.status_code == 200 or error_of(answer) == (400, "InvalidArgument"), answer.text[:300]
    assert time.monotonic() - began < DEADLINE


@pytest.mark.parametrize("action", ["CreateFlow", "UpdateFlow"])
def test_other_calls_are_answered_while_a_large_definition_is_read(
    service: LocalCloudFlow, raw: RawClient, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    monkeypatch.setattr(yaml_values, "_LOADER", yaml.SafeLoader)  # the slower of the two parsers
    definition = f"# not read before {action}\n{STATES}    OutputConstructor:\n" + "".join(
        f"      key{i}: {i}\n" for i in range(KEYS)
    )
    service.create_flow("f", PASS)
    service.start("f", execution_name="e")
    form = {"Name": "f" if action == "UpdateFlow" else "g", "Definition": definition, "Description": "", "Type": "FDL"}
    other = RawClient(service.endpoint, service.credentials)
    began = time.monotonic()
    large = threading.Thread(target=other.v1, args=(action,), kwargs={"form": form})
    large.start()
    answered = []
    while large.is_alive():
        asked = time.monotonic()
        assert raw.v1("DescribeExecution", {"FlowName": "f", "ExecutionName": "e"}).status_code == 200
        answered.append(time.monotonic() - asked)
    took = time.monotonic() - began
    other.session.close()

    assert max(answered) < took / 2


@pytest.fixture
def connection(service: LocalCloudFlow) -> Iterator[socket.socket]:
    host, port = service.endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        yield connection


def head(target: str, *headers: str) -> bytes:
    return "\r\n".join([f"POST {target} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


def response_of(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Read one response, however much of the request is still to be sent."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536) or pytest.fail(f"closed after {received!r}")
    header, _, body = received.partition(b"\r\n\r\n")
    length = int(
        next(line for line in header.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1]
    )
    while len(body) < length:
        body += connection.recv(65_536) or pytest.fail("closed in the middle")
    return int(header.split()[1]), json.loads(body)


TARGETS = ["/", "/?Action=CreateFlow", "/_local/faults", "/_local/tasks", "/_local/clock"]


def is_refused(status: int, body: dict[str, Any]) -> bool:
    """Return whether it is the service's own error, or that of the control API, which names it."""
    return status == 400 and "EntityTooLarge" in (body.get("Code") or body["error"])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("length", [MAX_REQUEST_BYTES + 1, 10**15])
def test_a_body_is_refused_at_its_announced_size_before_it_is_sent(
    connection: socket.socket, target: str, length: int
) -> None:
    connection.sendall(head(target, f"Content-Length: {length}", "Content-Type: application/json"))

    assert is_refused(*response_of(connection))


def test_a_client_that_waits_for_100_continue_is_not_told_to_go_on(connection: socket.socket) -> None:
    connection.sendall(
        head("/", f"Content-Length: {MAX_REQUEST_BYTES + 1}", "Content-Type: application/json", "Expect: 100-continue")
    )

    assert is_refused(*response_of(connection))


@pytest.mark.parametrize("target", TARGETS)
def test_a_chunked_body_is_stopped_at_the_limit(connection: socket.socket, target: str) -> None:
    connection.sendall(head(target, "Transfer-Encoding: chunked", "Content-Type: application/json"))
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    for _ in range(MAX_REQUEST_BYTES // 0x10000 + 1):  # and no last chunk
        connection.sendall(chunk)

    assert is_refused(*response_of(connection))


def test_a_client_that_sends_all_of_a_large_body_can_read_the_response(service: LocalCloudFlow) -> None:
    with requests.Session() as session:
        for _ in range(3):  # the connection can be used again
            answer = session.post(service.endpoint, data={"Output": "x" * 8_000_000}, timeout=30)
            assert error_of(answer) == (400, "EntityTooLarge")
        assert session.get(f"{service.endpoint}/_local/health", timeout=10).status_code == 200


def test_the_largest_body_is_read(raw: RawClient) -> None:
    form = {"Name": "f", "Description": "", "Type": "FDL", "Definition": PASS}
    size = len(requests.Request("POST", raw.endpoint, data=form).prepare().body or b"")
    for spare, status in ((0, 200), (-1, 400)):
        form["Description"] = "x" * (MAX_REQUEST_BYTES - size - spare)
        answer = raw.v1("CreateFlow", form=form)
        assert answer.status_code == status, answer.text[:300]
        assert status == 200 or error_of(answer) == (400, "EntityTooLarge")


def test_a_slow_sender_holds_up_nothing_but_its_connection(
    service: LocalCloudFlow, raw: RawClient, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = service.endpoint.removeprefix("http://").split(":")
    slow = [socket.create_connection((host, int(port)), timeout=10) for _ in range(50)]
    try:
        for number, connection in enumerate(slow):
            form = "Content-Type: application/x-www-form-urlencoded"
            connection.sendall(head(TARGETS[number % len(TARGETS)], "Content-Length: 1000", form) + b"Action=")
        assert raw.v1("ListFlows").status_code == 200
        began = time.monotonic()
        service.close()
        assert time.monotonic() - began < DEADLINE
    finally:
        for connection in slow:
            connection.close()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_error(
    service: LocalCloudFlow, raw: RawClient, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = service.endpoint.removeprefix("http://").split(":")
    for target in TARGETS:
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(head(target, "Content-Length: 1000", "Content-Type: application/json") + b"{")
    assert raw.v1("ListFlows").status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    "seconds", IMPOSSIBLE, ids=[f"{type(one).__name__} {index}" for index, one in enumerate(IMPOSSIBLE)]
)
def test_the_clock_is_moved_by_no_more_than_the_calendar_holds(service: LocalCloudFlow, seconds: Any) -> None:
    before = service.now
    with pytest.raises(SettingsError, match="clock"):
        service.advance(seconds)

    url = f"{service.endpoint}/_local/clock"
    headers = {"content-type": "application/json"}
    answer = requests.post(url, data=json.dumps({"seconds": seconds}), headers=headers, timeout=10)
    assert answer.status_code == 400
    assert "clock" in answer.json()["error"]
    assert 0 <= service.now - before < 60
    service.create_flow("f", PASS)
    assert service.wait("f", service.start("f")).stopped


@pytest.mark.parametrize(
    ("body", "problem"),
    [("[]", "object"), ("7", "object"), ("{}", "number of seconds"), ('{"seconds": 1, "skew": "no"}', "skew"), ("[" * 100_000, "")],
)  # fmt: skip
def test_the_clock_is_not_moved_by_another_body(service: LocalCloudFlow, body: str, problem: str) -> None:
    headers = {"content-type": "application/json"}
    answer = requests.post(f"{service.endpoint}/_local/clock", data=body, headers=headers, timeout=10)

    assert answer.status_code == 400
    assert problem in answer.json()["error"]


def test_at_the_end_of_the_calendar_everything_still_has_a_time(service: LocalCloudFlow, raw: RawClient) -> None:
    service.create_flow("f", PASS)
    service.create_flow(
        "wait", {"version": "v1", "type": "flow", "steps": [{"type": "wait", "name": "w", "duration": 60}]}
    )
    service.advance(MAX_TIME - service.now - 120, skew=False)

    ended = service.wait("f", service.start("f"))
    assert ended.started.startswith("9998-12-31T23:5")
    assert ended.started <= ended.stopped
    waiting = service.start("wait")
    service.advance(60, skew=False)
    assert service.describe("wait", waiting).status == "Succeeded"
    assert {event.time[:4] for event in service.history("wait", waiting)} == {"9998"}
    assert raw.v1("ListFlows").json()["Flows"][0]["CreatedTime"].startswith("20")
    service.inject(Fault("skew", seconds=366 * 86_400, action="ListFlows"))
    assert error_of(raw.v1("ListFlows")) == (403, "RequestTimeTooSkewed")
    assert iso_milliseconds(MAX_TIME + 365 * 86_400 - 0.0006) == "9999-12-31T23:59:59.999Z"
    with pytest.raises(SettingsError, match="9998"):
        service.advance(61)


def test_a_long_way_with_many_timers_is_quick(service: LocalCloudFlow) -> None:
    steps = [{"type": "wait", "name": f"w{i}", "duration": 86_400} for i in range(300)]
    service.create_flow("wait", {"version": "v1", "type": "flow", "steps": steps})
    executions = [service.start("wait") for _ in range(3)]
    began = time.monotonic()
    service.advance(200_000_000_000)

    assert [service.describe("wait", one).status for one in executions] == ["Succeeded"] * 3
    assert time.monotonic() - began < DEADLINE


@pytest.mark.parametrize("seconds", [math.inf, math.nan, 1e300, -1e300, True])
def test_a_fault_lasts_no_longer_than_the_calendar_holds(service: LocalCloudFlow, seconds: float) -> None:
    with pytest.raises(SettingsError, match="seconds="):
        Fault("skew", seconds=seconds)
    headers = {"content-type": "application/json"}
    body = json.dumps([{"kind": "slow", "seconds": seconds}])
    assert requests.post(f"{service.endpoint}/_local/faults", data=body, headers=headers, timeout=10).status_code == 400


@pytest.mark.parametrize("digits", ["9" * 5000, "0" * 5000, "1" * 20])
def test_a_number_of_thousands_of_digits_is_an_invalid_argument(raw: RawClient, digits: str) -> None:
    assert error_of(raw.v1("ListFlows", {"Limit": digits})) == (400, "InvalidArgument")


MISSING = [
    "CreateSchedule", "UpdateSchedule", "DescribeSchedule", "DeleteSchedule", "ListSchedules",
    "PublishFlowVersion", "ListFlowVersions", "DeleteFlowVersion", "CreateFlowAlias", "UpdateFlowAlias",
    "DescribeFlowAlias", "DeleteFlowAlias", "ListFlowAliases", "DescribeMapRun", "UpdateMapRun", "DescribeRegions",
]  # fmt: skip


@pytest.mark.parametrize("action", MISSING)
def test_an_operation_that_is_missing_here_is_named(service: LocalCloudFlow, raw: RawClient, action: str) -> None:
    answer = raw.v1(action)

    assert error_of(answer) == (400, "ActionNotSupported")
    assert answer.json()["Message"].endswith(f"The local CloudFlow does not have {action}.")
    assert service.calls[action, "ActionNotSupported"] == 1


def test_an_operation_that_no_service_has_is_not_said_to_be_missing_here(raw: RawClient) -> None:
    assert "local CloudFlow" not in raw.v1("CreateSchedules").json()["Message"]


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("CreateFlow", "ExternalStorageLocation"),
        ("CreateFlow", "Environment"),
        ("UpdateFlow", "Environment"),
        ("DescribeFlow", "FlowVersion"),
        ("StartExecution", "Qualifier"),
        ("ListExecutions", "MapRunName"),
        ("ListExecutions", "Qualifier"),
    ],
)
def test_a_parameter_that_is_missing_here_is_named(raw: RawClient, action: str, name: str) -> None:
    answer = raw.v1(action, form={name: "v1"})

    assert error_of(answer) == (400, "InvalidArgument")
    assert answer.json()["Message"].endswith(f"The local CloudFlow does not have the parameter {name} of {action}.")


@pytest.mark.parametrize("value", ["!Ref fn", "!GetAtt fn.Arn"])
def test_create_flow_names_a_tag_of_a_template_and_its_line(service: LocalCloudFlow, value: str) -> None:
    with pytest.raises(
        ApiError, match=rf"Fun or ROS replaces {value.split(maxsplit=1)[0]} before CreateFlow: .*line 6"
    ):
        service.create_flow("f", LEGACY_TASK.format(value))


@pytest.mark.parametrize(
    "value", ["${fn.ARN}", "'acs:fc:::services/${svc}/functions/f'", "{Ref: fn}", "{Fn::GetAtt: [fn, Arn]}"]
)
@pytest.mark.parametrize("language", ["legacy", "cloudflow"])
def test_create_flow_names_a_placeholder_and_its_step(service: LocalCloudFlow, language: str, value: str) -> None:
    definition = LEGACY_TASK.format(value)
    if language == "cloudflow":
        task = f"Type: Task, Name: call, End: true, Action: FC:InvokeFunction, Parameters: {{resourceArn: {json.dumps(value)}}}"
        definition = STATES.replace("StartAt: one", "StartAt: call").split("  - ")[0] + f"  - {{{task}}}\n"
        if value.startswith("{"):
            definition = definition.replace(json.dumps(value), value)
    with pytest.raises(ApiError, match=r"'call'.*Fun or ROS replaces .* before CreateFlow: "):
        service.create_flow("f", definition)


def test_the_memory_of_nonces_is_bounded(
    service: LocalCloudFlow, raw: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "MAX_NONCES", 10)
    for number in range(30):
        nonce = f"{number}" * 10_000
        assert raw.v1("ListFlows", form={"SignatureNonce": nonce}, change={"SignatureNonce": None}).status_code == 200

    again = raw.v1("ListFlows", form={"SignatureNonce": nonce}, change={"SignatureNonce": None})
    assert error_of(again) == (400, "InvalidArgument")
    kept = service._components.authenticator._nonces
    assert (len(kept), sum(map(len, kept))) == (10, 320)
