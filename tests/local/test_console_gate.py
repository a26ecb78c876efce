"""Which requests the console page answers, and with which headers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

import fc_callback.local
from tests.local.raw_client import CALLBACK_FLOW

if TYPE_CHECKING:
    from fc_callback.local import LocalCloudFlow

FOLDER = Path(fc_callback.local.__file__).parent / "console"
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
PAGES = ["/console/", "/console/flows", "/console/clock", "/console/nowhere", "/console/assets/console.css"]


@pytest.fixture
def waits(service: LocalCloudFlow) -> LocalCloudFlow:
    """A service with an execution `ask` of the flow `approve`, whose task waits."""
    service.add_function(lambda _event: None, name="notify")
    service.create_flow("approve", CALLBACK_FLOW)
    service.start("approve", {}, execution_name="ask")
    service.run_until_waiting("approve", "ask")
    return service


def completion(service: LocalCloudFlow) -> str:
    [task] = service.waiting()
    return f"{service.endpoint}/console/executions/{task.flow}/{task.execution}/tasks/{task.event_id}"


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_forbids_scripts_frames_and_readers_of_other_sites(service: LocalCloudFlow, path: str) -> None:
    headers = requests.get(service.endpoint + path, timeout=10).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", PAGES)
def test_a_name_that_leads_here_by_a_foreign_domain_reads_nothing(service: LocalCloudFlow, path: str) -> None:
    port = urlsplit(service.endpoint).port
    answer = requests.get(service.endpoint + path, headers={"Host": f"evil.example:{port}"}, timeout=10)
    assert answer.status_code == 403
    assert "this machine only" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", **NAVIGATION},
    ],
    ids=["another site", "another port", "a sandboxed frame", "no origin", "a form of another port"],
)
def test_a_page_of_another_site_changes_nothing(waits: LocalCloudFlow, headers: dict[str, str]) -> None:
    answer = requests.post(completion(waits), json={"output": {}}, headers=headers, timeout=10)
    assert answer.status_code == 403
    assert waits.describe("approve", "ask").status == "Running"


def test_a_form_that_a_browser_sends_without_asking_changes_nothing(waits: LocalCloudFlow) -> None:
    answer = requests.post(completion(waits), data='{"output": {}}', headers={"Content-Type": "text/plain"}, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "Send application/json.")
    assert waits.describe("approve", "ask").status == "Running"


def test_a_link_of_another_site_opens_a_page_but_a_frame_or_a_script_does_not(service: LocalCloudFlow) -> None:
    def status(**headers: str) -> int:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.get(f"{service.endpoint}/console/", headers=names, timeout=10).status_code

    assert status(Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document") == 200
    assert status(Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="iframe") == 403
    assert status(Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="script") == 403


def test_a_page_of_the_console_completes_a_task_by_its_event(waits: LocalCloudFlow) -> None:
    headers = {"Origin": waits.endpoint, "Sec-Fetch-Site": "same-origin"}
    answer = requests.post(completion(waits), json={"output": {"ok": True}}, headers=headers, timeout=10)
    assert answer.json() == {"location": "/console/executions/approve/ask"}
    assert waits.wait("approve", "ask").output == {"ok": True}


def test_a_task_that_has_ended_meanwhile_says_so(waits: LocalCloudFlow) -> None:
    address = completion(waits)
    waits.waiting()[0].succeed({"by": "another"})
    answer = requests.post(address, json={"output": {}}, timeout=10)
    assert answer.status_code == 409
    assert "does not wait any more" in answer.json()["error"]
    assert answer.json()["location"] == "/console/executions/approve/ask"
    assert waits.wait("approve", "ask").output == {"by": "another"}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/console/?status=Sleeping", "There is no status"),
        ("/console/?before=x", "before must be a number"),
        ("/console/?period=century", "hour, day or week"),
        ("/console/flows/none", "none"),
        ("/console/<script>", "There is no page /console/%3Cscript%3E"),
    ],
)
def test_an_address_that_leads_nowhere_says_what_is_wrong(service: LocalCloudFlow, path: str, words: str) -> None:
    answer = requests.get(service.endpoint + path, timeout=10)
    assert answer.status_code in {400, 404}
    assert words in answer.text
    assert "<script>" not in answer.text.replace('<script src="', "").replace("<script defer", "")


@pytest.mark.parametrize("number", ["-1", "9" * 18, "9" * 19, "1" + "0" * 30, "9" * 5000, "x", "%2F", ".."])
def test_a_number_that_names_nothing_changes_nothing(waits: LocalCloudFlow, number: str) -> None:
    for path in (f"/console/executions/approve/ask/tasks/{number}", f"/console/invocations/{number}/replay"):
        answer = requests.post(waits.endpoint + path, json={"output": {}}, timeout=10)
        assert answer.status_code in {400, 404, 409}
    assert [event.type for event in waits.history("approve", "ask")].count("TaskScheduled") == 1
    assert len(waits.invocations("notify")) == 1


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/console/flows/approve/start", b'{"input": {"half": "\\ud800"}}', "half of a character"),
        ("/console/flows/approve/start", b'{"name": "\\ud800"}', "half of a character"),
        ("/console/clock", b"[" * 100_000, "nested too deeply"),
        ("/console/clock", b"\xff", "decode"),
        ("/console/clock", b'{"seconds": NaN}', "0 seconds or more"),
        ("/console/clock", b'{"seconds": 1e308}', "year"),
    ],
    ids=["half a character", "half a name", "deep", "no UTF-8", "no number", "too far"],
)
def test_a_body_that_cannot_be_used_says_why(waits: LocalCloudFlow, path: str, body: bytes, words: str) -> None:
    answer = requests.post(waits.endpoint + path, data=body, headers={"Content-Type": "application/json"}, timeout=10)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_half_a_character_in_a_fault_does_not_hide_the_page_that_removes_it(service: LocalCloudFlow) -> None:
    fault = {"kind": "garbage", "action": "\ud800</script>"}
    assert requests.post(f"{service.endpoint}/console/faults", json=fault, timeout=10).status_code == 200
    answer = requests.get(f"{service.endpoint}/console/clock", timeout=10)
    assert "garbage for ?&lt;/script&gt;" in answer.text


def test_a_database_that_is_full_is_said(waits: LocalCloudFlow) -> None:
    waits._components.store.all("PRAGMA max_page_count = 1")
    answer = requests.post(
        f"{waits.endpoint}/console/flows/approve/start", json={"input": {"text": "x" * 30_000}}, timeout=10
    )
    assert answer.status_code == 503
    assert "Is its disk full?" in answer.json()["error"]
    assert requests.get(f"{waits.endpoint}/console/", timeout=10).status_code == 200


def test_a_client_of_the_http_api_gets_no_page(service: LocalCloudFlow) -> None:
    answer = requests.get(service.endpoint, headers={"Accept": "*/*"}, timeout=10)
    assert answer.json()["Code"] == "MissingRequiredParams"
    browser = {"Accept": "text/html"}
    answer = requests.get(f"{service.endpoint}/?Action=ListFlows", headers=browser, timeout=10)
    assert answer.json()["Code"] == "MissingRequiredParams"


def test_no_template_has_a_script_or_a_style_of_its_own() -> None:
    for template in FOLDER.glob("*.html"):
        text = template.read_text("utf-8")
        assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", text) == [], template.name


def test_the_assets_are_small_and_come_from_here() -> None:
    assets = [path for path in (FOLDER / "assets").iterdir() if "LEGAL" not in path.name]
    assert sum(path.stat().st_size for path in assets) <= 150 * 1024
    assert all(path.with_name(f"{path.name}.LEGAL.txt").is_file() for path in assets if ".min." in path.name)
    own = [path for path in assets if ".min." not in path.name]
    for path in own:
        assert re.findall(r"https?://(?!www\.w3\.org/)", path.read_text("utf-8")) == [], path.name
