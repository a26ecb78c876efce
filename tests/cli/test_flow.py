"""`fc-callback flow` with a local CloudFlow, in a pipe and under a pseudo-terminal."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.commands import run_command, run_process
from tests.cli.flow_samples import flow_service
from tests.cli.terminal import run_at_terminal, without_styles
from tests.local.raw_client import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fc_callback.local import LocalCloudFlow

LOOSE_TOKEN = re.compile(r"djE[A-Za-z0-9+/=%]{30,}")


@pytest.fixture
def service() -> Iterator[LocalCloudFlow]:
    with flow_service() as service:
        yield service


def flow(*arguments: str, stdin: str = "", code: int = 0) -> str:
    """Run a command in a pipe; return its standard output, or its standard error if it fails."""
    ended = run_command("flow", *arguments, stdin=stdin)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout if code == 0 else ended.stderr


def document(*arguments: str, code: int = 0, stdin: str = "") -> Any:
    """Run a command with --json; return its one document."""
    ended = run_command("flow", *arguments, "--json", stdin=stdin)
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert ended.stdout.count("\n") == 1
    return json.loads(ended.stdout)


def start(service: LocalCloudFlow, name: str, **execution_input: Any) -> None:
    service.start("approve", execution_input, execution_name=name)
    service.run_until_waiting("approve", name)


def test_a_flow_is_started_seen_waiting_completed_and_described(service: LocalCloudFlow) -> None:
    ended = run_process("flow", "start", "approve", "--input", '{"order": 7}', "--name", "one")
    assert (ended.returncode, ended.stdout) == (0, "Started approve/one.\n")
    service.run_until_waiting("approve", "one")

    assert re.search(r"approve/one +Approve +1 ", flow("waiting"))
    assert flow("complete", "one", "--output", '{"approved": true}') == "Completed: step Approve of approve/one.\n"

    service.wait("approve", "one").assert_succeeded_with({"approved": True})
    shown = flow("describe", "approve/one")
    assert "approve/one  Succeeded\n" in shown
    assert 'output: {"approved": true}\n' in shown
    assert re.search(r"Approve +done +1 ", shown)


@pytest.mark.parametrize("source", ["text", "file", "-"])
def test_the_input_comes_from_the_option_a_file_or_standard_input(
    service: LocalCloudFlow, tmp_path: Path, source: str
) -> None:
    text = '{"order": 9}'
    (tmp_path / "input.json").write_text(text)
    given = {"text": text, "file": f"@{tmp_path}/input.json", "-": "-"}[source]

    started = document("start", "approve", "--input", given, stdin=text)

    assert service.describe("approve", started["name"]).input == {"order": 9}
    assert (started["flow"], started["status"], started["stopped"]) == ("approve", "Running", "")


def test_failed_executions_are_listed_first_then_running_ones_with_times(service: LocalCloudFlow) -> None:
    for name in ("ok", "bad", "open"):
        start(service, name)
        service.advance(3700)
    flow("complete", "ok")
    flow("fail", "bad", "--error", "Rejected")

    listed = document("list")["executions"]

    assert [(each["name"], each["status"]) for each in listed] == [
        ("bad", "Failed"), ("open", "Running"), ("ok", "Succeeded"),
    ]  # fmt: skip
    assert listed[1].keys() == {"flow", "name", "status", "started", "stopped", "duration_seconds"}
    lines = flow("list", "approve").splitlines()
    assert lines[0].split() == ["STATUS", "EXECUTION", "STARTED", "TOOK"]
    assert re.fullmatch(r"Failed +approve/bad +2 h 3 min ago +2 h 3 min", lines[1])
    assert [each["name"] for each in document("list", "--status", "Running")["executions"]] == ["open"]
    assert flow("list", "each") == "No executions. Flows: each.\n"


def test_the_oldest_waiting_task_comes_first_and_an_alarm_exits_with_1(service: LocalCloudFlow) -> None:
    start(service, "old", order=1)
    service.advance(7200)
    start(service, "new", order=2)

    found = document("waiting")["waiting"]

    assert [each["execution"] for each in found] == ["old", "new"]
    assert found[0].keys() == {
        "id", "flow", "execution", "step", "attempt", "age_seconds", "seconds_left", "input",
    }  # fmt: skip
    assert 7200 <= found[0]["age_seconds"] < 7260
    assert 28_000 < found[0]["seconds_left"] <= 28_800
    late = document("waiting", "--older-than", "1h", code=1)["waiting"]
    assert [each["execution"] for each in late] == ["old"]
    assert document("waiting", "--older-than", "1d")["waiting"] == []
    assert flow("waiting", "each", "--older-than", "90s") == "No task waits for a report longer than 1 min 30 s.\n"


def test_a_misspelt_flow_is_an_error_and_not_a_flow_in_which_no_task_waits(service: LocalCloudFlow) -> None:
    start(service, "one")

    assert "FlowNotExists" in flow("waiting", "aprove", "--older-than", "1h", code=1)


def test_one_of_several_tasks_is_chosen_by_its_number(service: LocalCloudFlow) -> None:
    service.start("each", {"items": [1, 2, 3]}, execution_name="all")
    service.run_until_waiting("each", "all")
    first, second, third = document("waiting")["waiting"]

    refused = flow("complete", "all", code=2)
    assert "3 tasks wait: choose one with --task" in refused
    assert f"{second['id']} (each/all, Ask)" in refused
    done = document("complete", "--task", str(second["id"]), "--output", '{"n": 2}')

    assert done == {
        "id": second["id"], "flow": "each", "execution": "all", "step": "Ask", "attempt": 1, "result": "succeeded",
    }  # fmt: skip
    assert [each["id"] for each in document("waiting")["waiting"]] == [first["id"], third["id"]]
    assert "No such task waits" in flow("complete", "--task", str(second["id"]), code=1)


def test_a_failed_attempt_is_retried_and_the_next_one_has_another_number(service: LocalCloudFlow) -> None:
    start(service, "one")
    first = document("fail", "one", "--error", "Flaky", "--cause", "try again")
    assert (first["attempt"], first["result"]) == (1, "failed")
    service.advance(2)
    service.run_until_waiting("approve", "one")

    [task] = document("waiting", "--step", "Approve")["waiting"]

    assert task["attempt"] == 2
    assert task["id"] != first["id"]
    [step] = document("describe", "one")["steps"]
    assert (step["state"], step["attempts"], step["runs"]) == ("waiting", 2, 1)


def test_a_caught_error_and_the_failure_of_the_execution_are_told_apart(service: LocalCloudFlow) -> None:
    start(service, "one")
    flow("fail", "one", "--error", "Rejected", "--cause", "no money")

    told = document("describe", "one")

    assert (told["status"], told["error"], told["cause"]) == ("Failed", "Refused", "too dear")
    assert [(step["step"], step["state"], step["error"]) for step in told["steps"]] == [
        ("Approve", "caught", "Rejected"), ("Sorry", "failed", "Refused"),
    ]  # fmt: skip
    assert told["waiting"] == []


def test_an_execution_is_stopped_with_a_reason(service: LocalCloudFlow) -> None:
    start(service, "one")

    stopped = document("stop", "one", "--error", "Cancelled", "--cause", "by hand")

    assert stopped["status"] == "Stopped"
    assert service.describe("approve", "one").error == "Cancelled"
    assert "has already completed" in flow("stop", "one", code=1)
    assert document("describe", "one")["steps"][0]["state"] == "stopped"


@pytest.mark.parametrize(("edited", "expected"), [((), {"order": 7}), (("--input", '{"order": 8}'), {"order": 8})])
def test_an_execution_runs_again_with_its_input_or_another(
    service: LocalCloudFlow, edited: tuple[str, ...], expected: dict[str, Any]
) -> None:
    start(service, "one", order=7)

    again = document("rerun", "approve/one", *edited)

    assert again["name"] != "one"
    assert service.describe("approve", again["name"]).input == expected


def test_an_input_with_a_token_is_not_run_again_without_it(service: LocalCloudFlow) -> None:
    start(service, "one")
    token = service.waiting_token("approve", "one").reveal()
    service.start("approve", {"parent": token}, execution_name="two")

    assert "holds a task token" in flow("rerun", "two", code=1)
    assert len(document("list")["executions"]) == 2


def test_following_shows_events_until_the_end_and_a_failure_exits_with_1(service: LocalCloudFlow) -> None:
    def report(error: str) -> None:
        task = service.run_until_waiting("approve", "one" if error else "two")
        task.fail(error) if error else task.succeed({})

    for error, code, last in (("Rejected", 1, "ExecutionFailed"), ("", 0, "ExecutionSucceeded")):
        name = "one" if error else "two"
        service.start("approve", {}, execution_name=name)  # the command finds it running
        reporter = threading.Timer(0.3, report, [error])
        reporter.start()
        ended = run_command("flow", "start", "approve", "--name", name, "--follow")
        reporter.join()
        assert ended.returncode == code
        lines = ended.stdout.splitlines()
        assert lines[0] == f"Started approve/{name}."
        assert "ExecutionStarted" in lines[1]
        assert last in lines[-2]
        assert lines[-1].split()[0] == ("Failed" if error else "Succeeded")


def test_followed_json_is_one_document_after_the_end(service: LocalCloudFlow) -> None:
    start(service, "one")
    service.waiting()[0].fail("Rejected")

    history = document("history", "one", "--follow", code=1)
    assert history["events"][0].keys() == {"id", "type", "step", "schedule_event_id", "time", "detail"}
    assert [event["id"] for event in history["events"]] == list(range(1, len(history["events"]) + 1))
    service.start("approve", {}, execution_name="two")
    service.run_until_waiting("approve", "two").succeed({})
    assert document("history", "two", "--follow")["events"][-1]["type"] == "ExecutionSucceeded"


def test_a_history_of_several_pages_is_shown_whole(service: LocalCloudFlow) -> None:
    one = {"type": "pass", "name": "one"}
    items = {"collection": "$.items", "item": "item"}
    steps = [{"type": "foreach", "name": "all", "iterationMapping": items, "steps": [one]}]
    service.create_flow("long", {"version": "v1", "type": "flow", "steps": steps})
    service.wait("long", service.start("long", {"items": list(range(200))}, execution_name="many"))

    events = document("history", "long/many")["events"]

    assert len(events) > 1200
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert [event["id"] for event in document("history", "many", "--follow")["events"]] == [
        each["id"] for each in events
    ]
    [around, inner] = document("describe", "many")["steps"]
    assert (around["runs"], inner["runs"], inner["state"]) == (1, 200, "done")


def test_a_graph_is_drawn_of_a_file_a_flow_and_an_execution(service: LocalCloudFlow, tmp_path: Path) -> None:
    from tests.cli.flow_samples import APPROVE

    (tmp_path / "flow.yaml").write_text(APPROVE)
    start(service, "one")

    of_flow = flow("graph", "approve")
    assert of_flow == flow("graph", str(tmp_path / "flow.yaml"))
    assert "classDef" not in of_flow
    of_execution = document("graph", "approve/one")["mermaid"]
    assert "  class s1 waiting\n" in of_execution
    assert "  class s2,s3 unreached\n" in of_execution
    assert flow("graph", "one") == of_execution
    assert "no file, flow or execution named 'none'" in flow("graph", "none", code=1)


def test_a_graph_gives_steps_of_one_name_in_different_lists_their_own_states(service: LocalCloudFlow) -> None:
    step = {"Type": "Wait", "Name": "Same", "Seconds": 300, "End": True}
    quick = {"Type": "Pass", "Name": "Same", "End": True}
    branches = [{"StartAt": "Same", "States": [each]} for each in (step, quick)]
    both = {"Type": "Parallel", "Name": "Both", "Branches": branches, "End": True}
    machine = {"Type": "StateMachine", "SpecVersion": "v1", "Name": "both", "StartAt": "Both", "States": [both]}
    service.create_flow("both", machine)
    service.start("both", {}, execution_name="two")
    until(lambda: any(event.type == "StepSucceeded" for event in service.history("both", "two")))

    drawn = flow("graph", "both/two")

    ids = re.findall(r"(s\d+)\W+Same", drawn)
    assert len(ids) == 2
    assert re.search(rf"class (.*,)?{ids[0]}(,.*)? running", drawn)
    assert re.search(rf"class (.*,)?{ids[1]}(,.*)? done", drawn)


def test_a_name_that_two_flows_have_needs_the_flow(service: LocalCloudFlow) -> None:
    service.start("each", {"items": []}, execution_name="one")
    start(service, "one")

    assert "Write one of approve/one, each/one." in flow("describe", "one", code=2)
    assert "named 'three'" in flow("describe", "three", code=1)
    assert "FlowNotExists" in flow("describe", "other/one", code=1)
    assert document("describe", "each/one")["flow"] == "each"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("start", "approve", "--input", "no json"), "--input is not JSON"),
        (("start", "approve", "--input", "[1]"), "--input must be a JSON object"),
        (("start", "approve", "--input", "@missing.json"), "missing.json"),
        (("complete", "--output", "3"), "--output must be a JSON object"),
        (("waiting", "--older-than", "soon"), "is no age"),
        (("fail", "one"), "Missing option '--error'"),
        (("start",), "Missing argument 'FLOW'"),
        (("none",), "No such command 'none'"),
    ],
)
def test_wrong_usage_exits_with_2_and_starts_nothing(
    service: LocalCloudFlow, arguments: tuple[str, ...], said: str
) -> None:
    assert said in " ".join(flow(*arguments, code=2).split())
    assert document("list")["executions"] == []


def test_without_a_service_the_error_says_what_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with flow_service() as service:
        endpoint = service.endpoint
    monkeypatch.setenv("CLOUDFLOW_ENDPOINT", endpoint)
    said = flow("list", code=1)
    assert f"no local CloudFlow at {endpoint}" in said
    assert "fc-callback local" in said


def test_without_an_endpoint_and_a_region_the_setting_is_named() -> None:
    assert "CLOUDFLOW_REGION" in flow("list", code=2)


def test_a_terminal_gets_colours_and_lines_of_its_width(service: LocalCloudFlow) -> None:
    start(service, "one", text="x" * 300)
    service.waiting()[0].fail("Rejected")

    code, listed = run_at_terminal("flow", "list")
    assert code == 0
    assert "\x1b[31mFailed" in listed
    assert re.search(r"^Failed +approve/one +\S+ s ago", without_styles(listed), re.MULTILINE)
    _, shown = run_at_terminal("flow", "history", "one", columns=80)
    lines = without_styles(shown).splitlines()
    assert max(map(len, lines)) == 80
    assert any("\x1b[31m" in line and "ExecutionFailed" in line for line in shown.splitlines())
    in_pipe = flow("history", "one")
    assert "x" * 300 in in_pipe
    assert "\x1b" not in in_pipe + flow("list") + flow("describe", "one")


def test_an_error_at_a_terminal_is_one_line_and_no_traceback(service: LocalCloudFlow) -> None:
    code, shown = run_at_terminal("flow", "describe", "approve/none")

    assert code == 1
    assert shown.startswith("fc-callback flow: DescribeExecution was answered with HTTP 404 ExecutionNotExists")
    assert "Traceback" not in shown


def test_no_command_shows_a_token(service: LocalCloudFlow) -> None:
    start(service, "one")
    token = service.waiting_token("approve", "one").reveal()
    foreign = "djEjb3RoZXItZmxvdyNydW4tMSM1IzYremR0N3Uvdzhmekx6OVBYMjkvajUrdnY4L2Y0PQ=="
    start(service, "two", order={"own": token, "foreign": foreign, "url": f"https://x.example/?t={foreign}"})
    service.waiting("approve", "two")[0].fail("Rejected", f"could not use {token} and {foreign}")

    for command in (
        ["list"],
        ["waiting"],
        ["describe", "one"],
        ["describe", "two"],
        ["history", "two"],
        ["graph", "two"],
    ):
        shown = flow(*command) + flow(*command, "--json") + run_at_terminal("flow", *command, columns=4000)[1]
        assert LOOSE_TOKEN.search(shown) is None, command
    shown = run_command("flow", "describe", "approve/" + token).stderr
    assert LOOSE_TOKEN.search(shown) is None


def test_help_sentences_are_whole() -> None:
    commands = flow("--help").partition("Commands:")[2]
    assert commands.count("\n") > 10
    assert "..." not in commands
