"""The console page in a real browser, as a person uses it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import TaskFailed
from fc_callback.local import LocalCloudFlow
from tests.local.browser import NARROW, WIDE, Window
from tests.local.raw_client import CALLBACK_FLOW
from tests.local.raw_client import until as eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

    from tests.local.raw_client import Inbox


def task(name: str, function: str, **more: Any) -> dict[str, Any]:
    arn = f"acs:fc:cn-hangzhou:1000000000000001:functions/{function}/LATEST"
    parameters = {"resourceArn": arn, "body": {"item.$": "$Input.item"}}
    given = {"Type": "Task", "Name": name, "Action": "FC:InvokeFunction", "TaskMode": "RequestComplete", "End": True}
    return {**given, "Parameters": parameters, **more}


def flow(name: str, *states: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "StateMachine", "SpecVersion": "v1", "Name": name, "StartAt": states[0]["Name"], "States": states}


WAITS = {"taskToken.$": "$Context.Current.TaskToken"}
TWO_STEPS = flow(
    "two",
    {name: value for name, value in task("Price", "price", Next="Ask").items() if name != "End"},
    task(
        "Ask",
        "ask",
        TaskMode="WaitForCustomCallback",
        Parameters={
            "resourceArn": "acs:fc:cn-hangzhou:1000000000000001:functions/ask/LATEST",
            "invocationType": "Async",
            "body": WAITS,
        },
    ),
)
BRANCHES = [{"StartAt": name, "States": [task(name, "work")]} for name in ("Left", "Right")]
MANY = flow(
    "many",
    {
        "Type": "Map",
        "Name": "Each",
        "ItemsPath": "$Input.items",
        "MaxConcurrency": 40,
        "Processor": {
            "StartAt": "Both",
            "States": [{"Type": "Parallel", "Name": "Both", "Branches": BRANCHES, "End": True}],
        },
        "End": True,
    },
)
AXE_PAGES = [
    "",
    "flows",
    "flows/many",
    "invocations",
    "clock",
    "nowhere",
    "executions/approve/ask",
    "executions/many/failed",
    "executions/many/failed?tab=history",
]


def fails_for_seven(event: bytes) -> dict[str, Any]:
    if json.loads(event)["item"] == 7:
        raise TaskFailed("unlucky", cause="seven")
    return {}


@pytest.fixture
def approve(service: LocalCloudFlow, inbox: Inbox) -> LocalCloudFlow:
    """A service with the flow `approve`, whose one step waits for a report."""
    service.create_flow("approve", CALLBACK_FLOW)
    return service


def test_the_root_leads_a_browser_to_the_console(window: Window, service: LocalCloudFlow) -> None:
    window.page.goto(service.endpoint)
    assert window.page.url == f"{service.endpoint}/console/"
    assert "There is no flow yet" in window.page.inner_text("main")
    assert "fc-callback local --flow" in window.page.inner_text("main")


def test_a_waiting_task_is_completed_from_the_list(window: Window, approve: LocalCloudFlow) -> None:
    approve.start("approve", {}, execution_name="ask")
    approve.run_until_waiting("approve", "ask")
    page = window.page
    page.goto(approve.endpoint)
    page.get_by_text("Complete", exact=False).first.click()
    page.get_by_label("Output, a JSON object").fill('{"approved": true}')
    page.get_by_role("button", name="Complete the task").click()
    page.wait_for_url("**/console/executions/approve/ask")
    assert approve.wait("approve", "ask").output == {"approved": True}


def test_a_waiting_task_is_failed_by_name(window: Window, approve: LocalCloudFlow) -> None:
    approve.start("approve", {}, execution_name="ask")
    approve.run_until_waiting("approve", "ask")
    page = window.page
    page.goto(approve.endpoint)
    page.locator("summary", has_text="Fail").click()
    page.get_by_label("Error").fill("Refused")
    page.get_by_label("Cause").fill("too expensive")
    page.get_by_role("button", name="Fail the task").click()
    page.wait_for_url("**/console/executions/approve/ask")
    execution = approve.wait("approve", "ask")
    assert (execution.error, execution.cause) == ("Refused", "too expensive")


def test_a_task_is_completed_by_hand_in_three_clicks_from_nothing(window: Window, approve: LocalCloudFlow) -> None:
    page = window.page
    page.goto(approve.endpoint)
    page.locator("main").get_by_role("link", name="approve").click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/console/executions/approve/*")
    page.get_by_role("button", name="Complete the task").click()
    page.locator("#head .state.done").wait_for()
    assert approve.describe("approve", page.url.rpartition("/")[2]).status == "Succeeded"


def test_a_press_before_the_script_has_arrived_loads_no_page(window: Window, approve: LocalCloudFlow) -> None:
    page = window.page
    held: list[Route] = []
    page.goto(approve.endpoint)
    page.route("**/console.js", lambda route: held.append(route), times=1)  # noqa: PLW0108 - Playwright takes no built-in
    with page.expect_request("**/console.js"):
        page.locator("main").get_by_role("link", name="approve").click(no_wait_after=True)
    start = page.get_by_role("button", name="Start")
    assert start.evaluate("button => getComputedStyle(button).pointerEvents") == "none"

    held[0].continue_()
    start.click()
    page.wait_for_url("**/console/executions/approve/*")


def test_what_is_wrong_with_an_output_is_said_before_it_is_sent(window: Window, approve: LocalCloudFlow) -> None:
    approve.start("approve", {}, execution_name="ask")
    approve.run_until_waiting("approve", "ask")
    page = window.page
    page.goto(f"{approve.endpoint}/console/executions/approve/ask")
    box, said = page.get_by_label("Output, a JSON object"), page.locator("#step .check").first
    box.fill('{"approved": tru')
    assert "This is not JSON" in said.inner_text()
    assert box.get_attribute("aria-invalid") == "true"
    box.fill("[1]")
    assert "must be a JSON object" in said.inner_text()
    box.fill(json.dumps({"text": "x" * 70_000}))
    assert "Too long: 70,011 of 32,768 bytes." in said.inner_text()
    page.get_by_role("button", name="Complete the task").click()
    page.locator("#message").get_by_text("32768").wait_for()  # what the service says
    window.problems.clear()  # Chromium logs each refusal
    assert approve.describe("approve", "ask").status == "Running"


def test_a_page_follows_an_execution_while_it_runs(window: Window, approve: LocalCloudFlow) -> None:
    approve.start("approve", {}, execution_name="ask")
    approve.run_until_waiting("approve", "ask")
    page = window.page
    page.goto(f"{approve.endpoint}/console/executions/approve/ask")
    page.locator("#head .state.waiting").wait_for()
    approve.waiting()[0].succeed({"paid": "yes"})
    page.locator("#head .state.done").wait_for()
    assert '"paid": "yes"' in page.inner_text("#head")
    page.wait_for_selector("#live:not([hx-get])", state="attached")  # nothing more is asked for


def test_a_task_that_has_ended_meanwhile_shows_how_it_ended(window: Window, approve: LocalCloudFlow) -> None:
    approve.start("approve", {}, execution_name="ask")
    approve.run_until_waiting("approve", "ask")
    page, other = window.page, window.context.new_page()
    for each in (page, other):
        each.goto(f"{approve.endpoint}/console/flows")
        each.goto(f"{approve.endpoint}/console/executions/approve/ask")
        each.evaluate("htmx.remove(document.getElementById('live'))")  # the news may not come first
    for each, output in ((other, '{"by": "other"}'), (page, '{"by": "me"}')):
        each.get_by_label("Output, a JSON object").fill(output)
        each.get_by_role("button", name="Complete the task").click()
        each.locator("#head .state.done").wait_for()
    assert "does not wait any more" in page.inner_text("#message")
    assert '"by": "other"' in page.inner_text("#head")
    assert other.locator("#message").is_hidden()
    window.problems.clear()  # Chromium logs each refusal


def test_the_list_shows_what_began_while_nothing_ran_when_a_person_comes_back(
    window: Window, approve: LocalCloudFlow
) -> None:
    page = window.page
    page.goto(f"{approve.endpoint}/console/")
    page.get_by_text("No execution has been started yet").wait_for()
    approve.start("approve", {}, execution_name="ask")
    approve.run_until_waiting("approve", "ask")
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    page.get_by_text("1 task waits for a report").wait_for()
    approve.waiting()[0].succeed({})
    page.locator("#all ~ .table-frame .state.done").wait_for()


def test_a_text_that_a_person_types_survives_the_news(window: Window, approve: LocalCloudFlow) -> None:
    approve.start("approve", {}, execution_name="ask")
    approve.run_until_waiting("approve", "ask")
    page = window.page
    page.goto(f"{approve.endpoint}/console/")
    page.locator("summary", has_text="Complete").click()
    page.get_by_label("Output, a JSON object").fill('{"half": ')
    approve.start("approve", {}, execution_name="another")
    page.get_by_text("approve/another").first.wait_for()
    assert page.get_by_label("Output, a JSON object").first.input_value() == '{"half": '


def test_a_failed_execution_is_found_understood_and_run_again_with_another_input(
    window: Window, approve: LocalCloudFlow
) -> None:
    approve.start("approve", {"amount": 12}, execution_name="first")
    approve.run_until_waiting("approve", "first").fail("TooExpensive", "the limit is 10")
    approve.wait("approve", "first")
    page = window.page
    page.goto(approve.endpoint)
    failed = page.get_by_role("region", name="Failed lately")
    assert "TooExpensive the limit is 10" in failed.inner_text().replace("\n", " ")
    failed.get_by_role("link", name="approve/first").click()
    assert "TooExpensive: the limit is 10" in page.inner_text("#step")
    page.get_by_text("Run again, with this input or another").click()
    page.get_by_label("Input, a JSON object").fill('{"amount": 9}')
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: "/executions/approve/" in url and not url.endswith("/first"))
    name = page.url.rpartition("/")[2]
    assert approve.describe("approve", name).input == {"amount": 9}


def test_the_clock_is_moved_to_the_timeout_of_a_task(window: Window, service: LocalCloudFlow, inbox: Inbox) -> None:
    service.create_flow("approve", CALLBACK_FLOW.replace("pattern:", "timeoutSeconds: 600\n    pattern:"))
    service.start("approve", {}, execution_name="ask")
    service.run_until_waiting("approve", "ask")
    page = window.page
    page.goto(f"{service.endpoint}/console/clock")
    page.get_by_role("button", name="Skip to the next timer").click()
    page.get_by_text("No timeout, wait or retry is due.").wait_for()
    assert service.wait("approve", "ask").status == "Failed"
    assert "ahead of this machine" in page.inner_text("main")


def test_faults_are_switched_on_and_off(window: Window, service: LocalCloudFlow) -> None:
    page = window.page
    page.goto(f"{service.endpoint}/console/clock")
    page.locator("select[name=kind]").select_option("throttle")
    page.get_by_label("Calls (empty: all)").fill("")
    page.get_by_role("button", name="Inject").click()
    page.get_by_text("throttle, 1 s for ReportTask*: every call").wait_for()
    page.get_by_role("button", name="Remove all faults").click()
    page.get_by_text("No fault is active").wait_for()


def test_an_invocation_is_delivered_again(window: Window, approve: LocalCloudFlow, inbox: Inbox) -> None:
    approve.start("approve", {}, execution_name="ask")
    approve.run_until_waiting("approve", "ask")
    page = window.page
    page.goto(f"{approve.endpoint}/console/invocations")
    page.get_by_role("button", name="Replay").click()
    eventually(lambda: len(approve.invocations("notify")) == 2)
    first, second = approve.invocations("notify")
    assert first.event == second.event


def test_a_service_that_is_gone_is_said(chromium: Browser) -> None:
    window = Window.open(chromium)
    with LocalCloudFlow() as service:
        service.create_flow("approve", CALLBACK_FLOW)
        window.page.goto(f"{service.endpoint}/console/flows/approve")
    window.page.get_by_role("button", name="Start").click()
    window.page.locator("#message").get_by_text("does not answer").wait_for()
    assert "fc-callback local" in window.page.inner_text("#message")
    window.context.close()


def test_a_step_is_chosen_in_the_picture_and_by_the_keyboard(window: Window, service: LocalCloudFlow) -> None:
    service.add_function(lambda _event: {"priced": 1}, name="price")
    service.add_function(lambda _event: None, name="ask")
    service.create_flow("two", TWO_STEPS)
    service.start("two", {}, execution_name="e")
    service.run_until_waiting("two", "e")
    page = window.page
    page.goto(f"{service.endpoint}/console/executions/two/e")
    assert page.locator("#step h2").inner_text().startswith("Ask")
    page.locator(".picture [data-picture]").first.click()
    page.locator("#step h2", has_text="Price").wait_for()
    assert '"priced": 1' in page.inner_text("#step")
    assert "step=Price" in page.url
    page.locator("#graph a[data-node]").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("#step h2", has_text="Ask").wait_for()
    page.go_back()
    page.locator("#step h2", has_text="Price").wait_for()
    service.waiting()[0].succeed()
    page.locator("#head .state.done").wait_for()
    assert page.locator("#step h2").inner_text().startswith("Price")  # the news keep what was chosen
    page.locator(".picture .node.done").nth(1).wait_for()


def test_the_keyboard_alone_completes_a_task(window: Window, approve: LocalCloudFlow) -> None:
    approve.start("approve", {}, execution_name="ask")
    approve.run_until_waiting("approve", "ask")
    page = window.page
    page.goto(approve.endpoint)
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim().startsWith('Complete')"):
            break
    page.keyboard.press("Enter")
    page.get_by_label("Output, a JSON object").wait_for()
    page.keyboard.press("Control+A")
    page.keyboard.type('{"by": "keys"}')
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/executions/approve/ask")
    assert approve.wait("approve", "ask").output == {"by": "keys"}


def test_a_flow_with_a_map_of_200_and_nested_branches_is_drawn_and_a_failed_item_is_found(
    window: Window, service: LocalCloudFlow
) -> None:
    service.add_function(fails_for_seven, name="work")
    service.create_flow("many", MANY)
    service.start("many", {"items": [{"item": number} for number in range(200)]}, execution_name="e")
    service.wait("many", "e", timeout=60)
    page = window.page
    page.goto(f"{service.endpoint}/console/executions/many/e")
    page.locator(".picture svg").wait_for()
    items = page.locator("[data-items]").first
    items.locator("summary").click()
    assert "1 failed" in items.locator("summary").inner_text()
    first = items.locator("li").first
    assert "failed" in first.inner_text()
    first.locator("a").click()
    page.locator("#step .error", has_text="unlucky").first.wait_for()


@pytest.mark.parametrize("theme", ["light", "dark", "narrow"])
def test_axe_finds_nothing_on_any_page(chromium: Browser, service: LocalCloudFlow, theme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    service.add_function(fails_for_seven, name="work")
    service.add_function(lambda _event: None, name="notify")
    service.create_flow("approve", CALLBACK_FLOW)
    service.create_flow("many", MANY)
    service.start("approve", {}, execution_name="ask")
    service.run_until_waiting("approve", "ask")
    service.start("many", {"items": [{"item": 6}, {"item": 7}]}, execution_name="failed")
    service.wait("many", "failed")
    window = Window.open(
        chromium,
        color_scheme="dark" if theme == "dark" else "light",
        viewport=NARROW if theme == "narrow" else WIDE,
        reduced_motion="reduce",
    )
    found = {}
    for path in AXE_PAGES:
        window.page.goto(f"{service.endpoint}/console/{path}", wait_until="load")
        violations = Axe().run(window.page).response["violations"]
        found[path] = [(one["id"], [node["target"] for node in one["nodes"]]) for one in violations]
    window.context.close()
    assert {path: violations for path, violations in found.items() if violations} == {}
    assert list(found) == AXE_PAGES


HOSTILE = "</script><img src=x onerror=alert(1)>{{ 7 * 7 }}\u202e"


def test_hostile_names_and_a_history_of_5000_events_are_drawn_as_text(window: Window, service: LocalCloudFlow) -> None:
    def evil(_event: bytes) -> None:
        print(HOSTILE)
        raise TaskFailed("Evil", cause=HOSTILE + "w" * 3_000)

    service.add_function(evil)
    step = task(f"{HOSTILE} a/../b%2F", "evil", Catch=[{"Errors": ["TaskFailed"], "Next": "Loop"}], Next="Loop")
    again = {"Branches": [{"Condition": "$Input.item < 1", "Next": "P"}], "Default": "P"}
    service.create_flow(
        "evil",
        flow(
            "evil",
            {name: value for name, value in step.items() if name != "End"},
            {"Type": "Choice", "Name": "Loop", **again},
            {"Type": "Pass", "Name": "P", "OutputConstructor": {"item": 1}, "Next": "Loop"},
        ),
    )
    service.start("evil", {"item": HOSTILE}, execution_name="e")
    service.wait("evil", "e", timeout=60)
    page = window.page
    page.on("dialog", lambda dialog: window.problems.append(f"alert: {dialog.message}"))
    page.goto(f"{service.endpoint}/console/executions/evil/e")
    page.locator(".picture .node.caught").wait_for()
    assert page.locator(".picture .node.caught .name", has_text="</script><img").count() == 1
    assert page.locator("#graph a[data-node] .name").first.text_content() == f"{HOSTILE} a/../b%2F"
    page.locator(".picture .node.caught").click()
    page.locator("#step", has_text="Called the function evil").wait_for()
    assert page.locator("#step .crumbs").count() == 0  # the name is one element of the path
    assert "5,000 events" in page.inner_text("#head")
    page.locator("#tabs").get_by_role("link", name="History").click()
    page.get_by_text("Events 1 to 200 of").first.wait_for()
    page.get_by_role("link", name="Last", exact=True).first.click()
    page.locator("#event-5000").wait_for()
    page.goto(f"{service.endpoint}/console/invocations")
    page.locator("main", has_text="{{ 7 * 7 }}").wait_for()
    assert page.locator("img").count() == 0
