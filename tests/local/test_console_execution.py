"""What the page of an execution shows: its timeline, its history, and one step with what its attempts called."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import requests

from fc_callback.local.console_execution import history_of, timeline_of
from fc_callback.local.console_reading import ExecutionReading
from fc_callback.local.console_rendering import render
from fc_callback.local.invocation_list import find_invocations
from fc_callback.local.starts import insert_execution
from fc_callback.values.context import FcContext
from tests.local.definitions import ask, child, inner, legacy, legacy_child, legacy_pass, machine, passing, waiting
from tests.local.raw_client import Inbox, until
from tests.spelled import SPELLINGS

if TYPE_CHECKING:
    from fc_callback.local import LocalCloudFlow

HOSTILE = "</pre><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


class LaterError(Exception):
    """An error that is retried."""


class Reader(HTMLParser):
    """Reads the texts of a page, and the elements and attributes that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.ids: list[str] = []
        self.links: dict[str, str] = {}
        self.texts: list[str] = []
        self._link = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._part(tag)
        self.attributes += [name for name, _ in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self._link = dict(attrs).get("href") or "" if tag == "a" else self._link

    def handle_endtag(self, tag: str) -> None:
        self._link = "" if tag == "a" else self._link
        self._part(tag)

    def _part(self, tag: str) -> None:
        if tag not in {"strong", "small", "time", "a"}:
            self.texts.append(" ")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._link:
            self.links.setdefault(data.strip(), self._link)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


def page(service: LocalCloudFlow, flow: str, name: str, part: str = "", **given: Any) -> str:
    """Return the HTML of an execution's page, or of the element that has an id."""
    address = f"{service.endpoint}/console/executions/{flow}/{name}?{urlencode(given)}"
    answer = requests.get(address, timeout=20)
    assert answer.status_code == 200, answer.text
    if not part:
        return answer.text
    return answer.text.partition(f'<section id="{part}"')[2].partition(
        '<nav class="tabs"' if part == "step" else "</main>"
    )[0]


def panel(service: LocalCloudFlow, path: str, *, flow: str = "f", name: str = "e", **given: Any) -> str:
    return Reader(page(service, flow, name, "step", step=path, **given)).text


@pytest.fixture
def flows(service: LocalCloudFlow) -> LocalCloudFlow:
    service.add_function(lambda _event: {}, name="ask")
    return service


def start(service: LocalCloudFlow, definition: dict[str, Any], **given: Any) -> None:
    service.create_flow("f", definition)
    service.start("f", given, execution_name="e")
    service.run_until_waiting("f", "e")


def each(*states: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "Type": "Map",
        "Name": "Each",
        "ItemsPath": "$Input.items",
        "Processor": inner(*states),
        "End": True,
        **more,
    }


def both(*branches: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Type": "Parallel", "Name": "Both", "Branches": list(branches), "End": True, **more}


LATER: dict[str, Any] = {"Retry": [{"Errors": ["Later", "LaterError"], "IntervalSeconds": 60, "MaxAttempts": 3}]}


# The step panel


def test_a_waiting_step_shows_its_input_and_how_long_it_waits(flows: LocalCloudFlow) -> None:
    start(flows, machine(ask(Timeout=600)), order=7)
    flows.advance(120)

    shown = panel(flows, "Ask")

    assert "Ask ‖ waiting" in shown
    assert re.search(r"Waits for a report for 2 min( \d s)? ?; it times out in (8 min|7 min 5\d s)", shown)
    assert '"order": 7' in shown
    assert f"/tasks/{flows.waiting()[0].event_id}" in page(flows, "f", "e", step="Ask")


def test_a_step_that_ended_shows_its_output_and_no_form(flows: LocalCloudFlow) -> None:
    start(flows, machine(ask()))
    flows.waiting()[0].succeed({"approved": True})
    flows.wait("f", "e")

    shown = page(flows, "f", "e", "step", step="Ask")

    assert '"approved": true' in Reader(shown).text
    assert "<form" not in shown


@pytest.mark.parametrize("language", ["cloudflow", "legacy"])
def test_each_attempt_shows_its_error_and_the_call_of_its_function(service: LocalCloudFlow, language: str) -> None:
    def charge(event: bytes, context: object) -> dict[str, Any]:
        del context
        calls.append(event)
        if len(calls) == 1:
            raise LaterError("the card is locked")
        return {"charge": len(calls)}

    calls: list[bytes] = []
    service.add_function(charge)
    if language == "cloudflow":
        definition = machine(ask("Charge", "charge", "RequestComplete", kind="Sync", **LATER))
    else:
        retry = [{"errors": ["LaterError"], "intervalSeconds": 60, "maxAttempts": 3}]
        arn = "acs:fc:::services/s/functions/charge"
        definition = legacy({"type": "task", "name": "Charge", "resourceArn": arn, "retry": retry})
    service.create_flow("f", definition)
    service.start("f", {"card": 4}, execution_name="e")
    until(lambda: any(event.type == "TaskFailed" for event in service.history("f", "e")))
    service.advance(60)
    service.wait("f", "e")

    shown = panel(service, "Charge")
    first, second = shown.split("Attempt 1")[1].split("Attempt 2")

    assert "retried" in first
    assert "LaterError: the card is locked" in first
    assert '"charge": 2' not in first
    assert "done" in second
    assert '"charge": 2' in second
    assert first.count("Called the function charge") == second.count("Called the function charge") == 1


def test_a_queued_call_shows_how_often_it_was_retried(service: LocalCloudFlow) -> None:
    def notify(event: bytes, context: object) -> None:
        del event, context
        raise RuntimeError("the mail server is away")

    service.add_function(notify)
    start(service, machine(ask("Notify", "notify")))
    until(lambda: [call.status for call in service.invocations()] == ["ended"])

    shown = panel(service, "Notify")

    assert "asynchronously, ended, retried 3 times" in shown
    assert "RuntimeError: the mail server is away" in shown


def test_a_call_shows_what_it_has_logged(service: LocalCloudFlow) -> None:
    def read_text(parameters: dict[str, Any], *, task_token: object) -> dict[str, Any]:
        raise LookupError(f"no text in {parameters['image']} {task_token}")

    service.add_action("ocr:Read", read_text)
    step = {"Type": "Task", "Name": "Read", "Action": "ocr:Read", "Parameters": {"image": "a.png"}, "End": True}
    service.create_flow("f", machine(step))
    service.start("f", execution_name="e")
    service.wait("f", "e")

    shown = panel(service, "Read")

    assert "Called the action ocr:Read" in shown
    assert "Log" in shown
    assert "Traceback (most recent call last)" in shown
    assert "no text in a.png None" in shown


def test_a_caught_error_is_shown_with_its_cause(flows: LocalCloudFlow) -> None:
    start(flows, machine(ask(Catch=[{"Errors": ["Bad"], "Next": "After"}], Next="After"), ask("After")))
    flows.waiting()[0].fail("Bad", "the parcel is lost")
    flows.run_until_waiting("f", "e", step="After")

    shown = panel(flows, "Ask")

    assert "↷ caught" in shown
    assert "Bad: the parcel is lost" in shown


def test_of_many_iterations_the_failed_one_is_chosen_and_each_can_be(flows: LocalCloudFlow) -> None:
    start(
        flows,
        machine(each(ask(Catch=[{"Errors": ["Soft"], "Next": "P"}], Next="P"), passing())),
        items=[{"n": n} for n in range(20)],
    )
    tasks = flows.waiting()
    for task in tasks[:15]:
        task.succeed({"n": task.id})
    tasks[17].fail("Hard", "no")
    flows.wait("f", "e")

    shown = Reader(page(flows, "f", "e", "step", step="Each/Ask"))

    assert "20 runs; this is iteration 18." in shown.text
    assert "Hard: no" in shown.text
    assert "8 more" in shown.text
    chosen = requests.get(flows.endpoint + shown.links["iteration 3"], timeout=10).text
    assert "this is iteration 3." in Reader(chosen).text


def test_the_runs_of_a_loop_are_numbered(flows: LocalCloudFlow) -> None:
    again = {
        "Type": "Choice",
        "Name": "Again",
        "Branches": [{"Condition": "$Input.again", "Next": "Ask"}],
        "Default": "P",
    }
    start(flows, machine(ask(Next="Again"), again, passing()))
    flows.waiting()[0].succeed({"again": True})
    flows.run_until_waiting("f", "e", step="Ask")

    shown = panel(flows, "Ask")

    assert "2 runs; this is run 2." in shown


def test_the_steps_of_branches_that_share_a_name_are_told_apart(flows: LocalCloudFlow) -> None:
    start(flows, machine(both(inner(ask()), inner(ask()))))
    left, _right = flows.waiting()
    left.succeed({"who": "left"})

    assert "Both / branch 1 / Ask ✓ done" in panel(flows, "Both/branch 1/Ask")
    assert "Both / branch 2 / Ask ‖ waiting" in panel(flows, "Both/branch 2/Ask")


@pytest.mark.parametrize("path", ["Never", "/", "Both/branch 9/Ask", "%", "<script>"])
def test_a_step_without_events_is_said_to_be_not_reached(flows: LocalCloudFlow, path: str) -> None:
    start(flows, machine(passing("First", Next="Ask"), ask()))
    shown = page(flows, "f", "e", "step", step=path)
    assert "has not been reached" in shown
    assert "<script" not in shown


@pytest.mark.parametrize("run", ["999", "x", "-1", "9" * 50])
def test_a_run_that_does_not_exist_is_ignored(flows: LocalCloudFlow, run: str) -> None:
    start(flows, machine(ask()))
    assert "Ask ‖ waiting" in panel(flows, "Ask", run=run)


CHILDREN = {
    "a child that the step waits for": machine(child("g")),
    "a child that runs by itself": machine(child("g", "RequestComplete", Next="Ask"), ask()),
    "a child of the older language": legacy(legacy_child("g"), legacy_pass()),
    "a child that runs by itself in the older language": legacy(
        legacy_child("g", "requestResponse"), {"type": "wait", "name": "w", "duration": 60}
    ),
}


@pytest.mark.parametrize("case", CHILDREN)
def test_a_step_leads_to_the_execution_that_it_started(flows: LocalCloudFlow, case: str) -> None:
    flows.create_flow("g", machine(ask("Inside")))
    flows.create_flow("f", CHILDREN[case])
    flows.start("f", {}, execution_name="e")
    until(lambda: bool(flows.waiting("g")))
    [child_name, *_] = [task.execution for task in flows.waiting("g")]

    step = "call" if "older" in case else "Call"
    shown = Reader(page(flows, "f", "e", "step", step=step))

    assert shown.links[f"g/{child_name}"] == f"/console/executions/g/{child_name}"


def test_a_name_in_the_output_of_a_child_is_no_execution(flows: LocalCloudFlow) -> None:
    flows.create_flow("g", machine(ask("Inside")))
    flows.create_flow("f", machine(child("g")))
    flows.start("f", {}, execution_name="e")
    until(lambda: bool(flows.waiting("g")))
    flows.waiting("g")[0].succeed({"Name": "Nadia", "ExecutionName": "Nadia"})
    flows.wait("f", "e")

    shown = Reader(page(flows, "f", "e", "step", step="Call"))

    assert "Nadia" in shown.text
    assert "g/Nadia" not in shown.links


def test_an_execution_leads_back_to_the_step_that_started_it(flows: LocalCloudFlow) -> None:
    flows.create_flow("g", machine(ask("Inside")))
    flows.create_flow("f", machine(each(child("g"))))
    flows.start("f", {"items": [1, 2]}, execution_name="e")
    until(lambda: len(flows.waiting("g")) == 2)
    second = flows.waiting("g")[1].execution

    back = Reader(page(flows, "g", second)).links["f/e, step Call"]

    assert "this is iteration 2." in Reader(requests.get(flows.endpoint + back, timeout=10).text).text


def test_the_page_opens_with_the_step_that_waits(flows: LocalCloudFlow) -> None:
    start(flows, machine(ask("First", Next="Second"), ask("Second")))
    flows.waiting()[0].succeed({})
    flows.run_until_waiting("f", "e", step="Second")
    assert "Second ‖ waiting" in Reader(page(flows, "f", "e", "step")).text


def test_the_page_opens_with_the_step_that_failed_and_not_with_what_its_failure_stopped(flows: LocalCloudFlow) -> None:
    start(flows, machine(both(inner(ask("Other")), inner(ask("Bad")))))
    flows.waiting(step="Bad")[0].fail("Broken", "no power")
    flows.wait("f", "e")
    assert "Bad ✕ failed Broken: no power" in Reader(page(flows, "f", "e", "step")).text


def test_the_form_begins_with_the_last_output_of_the_step(flows: LocalCloudFlow) -> None:
    start(flows, machine(ask("Other", Next="Ask"), ask()))
    assert ">{}</textarea>" in page(flows, "f", "e", "step")
    flows.waiting()[0].succeed({"other": True})
    flows.run_until_waiting("f", "e", step="Ask").succeed({"approved": "</textarea>"})
    flows.wait("f", "e")
    flows.start("f", {}, execution_name="next")
    flows.run_until_waiting("f", "next").succeed({})
    flows.run_until_waiting("f", "next", step="Ask")

    form = page(flows, "f", "next", "step").partition("<textarea")[2].partition("</textarea>")[0]

    assert "&#34;approved&#34;: &#34;&lt;/textarea&gt;&#34;" in form
    assert "other" not in form


# The timeline


def test_the_bars_of_running_steps_grow_while_nothing_new_happens(flows: LocalCloudFlow) -> None:
    start(flows, machine(ask(Timeout=6000)))
    address = re.findall(r'id="live" data-after="\d+" hx-get="([^"]+)', page(flows, "f", "e"))[0].replace("&amp;", "&")
    assert requests.get(flows.endpoint + address, timeout=10).status_code == 204
    flows.advance(300)

    grown = requests.get(flows.endpoint + address, timeout=10)

    assert grown.status_code == 200
    assert "5 min" in Reader(grown.text.partition('<section id="tab"')[2]).text
    assert 'id="head"' not in grown.text
    again = re.findall(r'hx-get="([^"]+)" hx-trigger="every', grown.text)[0].replace("&amp;", "&")
    assert requests.get(flows.endpoint + again, timeout=10).status_code == 204


def test_a_timeline_names_every_attempt_branch_and_iteration(flows: LocalCloudFlow) -> None:
    steps = both(inner(ask("Left", **LATER)), inner(waiting(300)), Next="Each", End=False)
    start(flows, machine(steps, each(ask(), ItemsPath="$Context.Execution.Input.items")), items=[1, 2])
    flows.waiting()[0].fail("Later", "soon")
    flows.advance(60)
    flows.waiting()[0].succeed({})
    flows.advance(300)
    flows.run_until_waiting("f", "e", step="Ask")

    tab = page(flows, "f", "e", "tab")
    shown = Reader(tab).text

    for text in (
        "Both 2 done",
        "branch 1",
        "Left ↷ retried Later",
        "attempt 2 ✓ done",
        "W ✓ done",
        "Each 2 waiting",
        "iteration 2 ‖ waiting",
    ):
        assert text in shown
    assert tab.count('class="pause"') == 1
    assert tab.count('class="report"') == 2


def test_a_map_of_200_is_a_short_table_that_opens(flows: LocalCloudFlow) -> None:
    start(flows, machine(each(ask(), MaxConcurrency=40)), items=list(range(200)))
    for _ in range(3):
        for task in flows.waiting():
            task.succeed({})

    shown = Reader(page(flows, "f", "e", "tab"))
    assert shown.text.count("iteration") == 12
    assert "40 waiting, 120 done" in shown.text
    more = Reader(requests.get(flows.endpoint + shown.links["148 more"], timeout=10).text)
    assert more.text.count("iteration ") >= 62
    text = requests.get(flows.endpoint + shown.links["iteration 121"], timeout=10).text
    opened = Reader(text.partition('<section id="tab"')[2])
    assert "iteration 121 ‖ waiting" in opened.text
    assert "step=Each%2FAsk&run=" in opened.links["Ask"]


def test_what_is_unfolded_and_chosen_is_in_every_link_of_the_page(flows: LocalCloudFlow) -> None:
    start(flows, machine(each(ask())), items=[1, 2])
    run = flows.history("f", "e")[4].id
    shown = Reader(page(flows, "f", "e", "tab", tab="timeline", step="Each/Ask", run=run, open="4"))

    assert f"step=Each%2FAsk&run={run}" in shown.links["iteration 2"]
    assert "open=4%2C" in shown.links["iteration 2"]


# The history


def test_the_history_says_what_caused_an_event(flows: LocalCloudFlow) -> None:
    start(flows, machine(both(inner(ask("Left")), inner(ask("Right")))))

    tab = page(flows, "f", "e", "tab", tab="history")
    right = next(event for event in flows.history("f", "e") if (event.type, event.step) == ("StepEntered", "Right"))
    row = Reader(tab.partition(f'<tr id="event-{right.id}">')[2].partition("</tr>")[0])

    assert f"{right.schedule_event_id} BranchEntered Both" in row.text
    assert row.links[str(right.schedule_event_id)] == f"#event-{right.schedule_event_id}"


def test_a_long_history_is_shown_in_pages_that_cover_it(flows: LocalCloudFlow) -> None:
    start(flows, machine(each(ask(), MaxConcurrency=40)), items=list(range(60)))
    for task in flows.waiting():
        task.succeed({})
    count = len(flows.history("f", "e"))

    address, seen = "/console/executions/f/e?tab=history", []
    while address:
        shown = Reader(requests.get(flows.endpoint + address, timeout=20).text)
        found = [int(name.removeprefix("event-")) for name in shown.ids if re.fullmatch(r"event-\d+", name)]
        assert len(found) <= 200
        seen += found
        address = shown.links.get("Later", "")
    assert seen == list(range(1, count + 1))
    assert count > 400


def test_the_history_of_one_step_has_the_events_of_that_step_only(flows: LocalCloudFlow) -> None:
    start(flows, machine(both(inner(ask()), inner(ask("Other")))))
    panel_of_step = Reader(page(flows, "f", "e", "step", step="Both/branch 1/Ask"))

    shown = requests.get(flows.endpoint + panel_of_step.links["history of this step"], timeout=10).text

    expected = [event.id for event in flows.history("f", "e") if event.step == "Ask"]
    assert [int(found) for found in re.findall(r'<tr id="event-(\d+)"', shown)] == expected


def test_a_large_detail_is_cut_and_one_click_shows_it_whole(flows: LocalCloudFlow) -> None:
    start(flows, machine(ask()), text="x" * 20_000 + "END")

    shown = Reader(page(flows, "f", "e", "tab", tab="history"))
    assert "END" not in shown.text
    whole = requests.get(flows.endpoint + shown.links["Show all of it"], timeout=10).text
    assert whole.partition('<section id="tab"')[2].count("END") == 1


@pytest.mark.parametrize(
    ("tab", "said"), [("timeline", "No step has begun yet."), ("history", "No event has happened yet.")]
)
def test_an_execution_that_has_not_begun_says_so(flows: LocalCloudFlow, tab: str, said: str) -> None:
    flows.create_flow("f", machine(passing()))
    components = flows._components
    with components.store.transaction():  # the timers that begin executions wait for the transaction
        flow = components.store.one("SELECT * FROM flows")
        assert flow is not None
        insert_execution(components.store, components.clock, flow, name="e")
        row = components.execution_row("f", "e")
        view = {"timeline": timeline_of, "history": history_of}[tab](ExecutionReading(components, row), {})
    assert said in render(f"{tab}.html", is_news=False, **{tab: view})


@pytest.mark.parametrize("tab", ["timeline", "history"])
def test_the_page_reads_the_history_once(flows: LocalCloudFlow, tab: str) -> None:
    start(flows, machine(ask()))
    store = flows._components.store
    statements: list[str] = []
    store._connection.set_trace_callback(statements.append)
    page(flows, "f", "e", tab=tab)
    store._connection.set_trace_callback(None)

    assert len([sql for sql in statements if "FROM events" in sql]) == 1


# Secrets and hostile text


@pytest.mark.parametrize("tab", ["timeline", "history"])
def test_hostile_text_stays_text(service: LocalCloudFlow, tab: str) -> None:
    def evil(event: bytes, context: object) -> None:
        del event, context
        print(HOSTILE)
        raise ValueError(HOSTILE)

    service.add_function(evil)
    step = ask(f"Evil {HOSTILE}", "evil", "RequestComplete", kind="Sync")
    service.create_flow("f", machine(step))
    service.start("f", {"text": HOSTILE}, execution_name="e")
    service.wait("f", "e")

    text = page(service, "f", "e", tab=tab, of=HOSTILE, open=HOSTILE, run="1")
    shown = Reader(text)

    assert "alert(1)" in shown.text
    assert shown.tags.count("script") == text.count('<script defer src="/console/') + text.count(
        '<script src="/console/'
    )
    assert "img" not in shown.tags
    assert not {name for name in shown.attributes if name.startswith("on") or name == "style"}


# The service finds its tokens in texts; inside of base64 it does not look.
FOUND_SPELLINGS = [spelling for spelling in SPELLINGS if "base64" not in spelling]


@pytest.mark.parametrize("spelling", FOUND_SPELLINGS)
def test_no_token_and_no_key_is_in_any_part_of_the_page(service: LocalCloudFlow, inbox: Inbox, spelling: str) -> None:
    secrets: list[str] = []

    def notify(event: bytes, context: Any) -> dict[str, Any]:
        inbox(event)
        session = FcContext.read(context).require_credentials()
        keys = [session.access_key_secret, str(session.security_token)]
        secrets.extend(keys)
        return {"echo": json.loads(event), "keys": keys}

    service.add_function(notify)
    start(service, machine(ask("Ask", "notify", **LATER)), order=7)
    token = inbox.token()
    spelled = SPELLINGS[spelling](token)
    service.waiting()[0].fail("Later", f"x{'y' * 900} {spelled}"[:4_000])
    service.advance(60)
    service.run_until_waiting("f", "e")
    inbox.wait(2)
    service.waiting()[0].succeed({"echo": spelled, "text": "z" * 3_900 + " " + token})
    service.wait("f", "e")
    until(lambda: all(call.status == "ended" for call in service.invocations()))
    secrets += [token, inbox.token(1), spelled]

    parts = [page(service, "f", "e", tab=tab, step="Ask") for tab in ("timeline", "history")]

    assert "&lt;task-token&gt;" in parts[0]
    assert not [part for part in parts for secret in secrets if secret in part]


# Invocations


def test_invocations_are_found_page_by_page_with_the_attempt_that_made_them(flows: LocalCloudFlow) -> None:
    start(flows, machine(each(ask())), items=[1, 2, 3])
    store, account = flows._components.store, flows.account_id

    first = find_invocations(store, account=account, limit=2)
    rest = find_invocations(store, account=account, before=first[-1].id, limit=2)

    assert [found.id for found in [*first, *rest]] == [3, 2, 1]
    assert [found.event_id for found in rest] == [flows.waiting()[0].event_id]
    assert {(found.flow, found.execution, found.step) for found in first} == {("f", "e", "Ask")}
    assert find_invocations(store, account=account, function="other", limit=9) == []
    assert find_invocations(store, account="2", limit=9) == []
