"""A page of another site in the same browser: it reads nothing of the console, and changes nothing."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.browser import Window
from tests.local.raw_client import CALLBACK_FLOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from fc_callback.local import LocalCloudFlow
    from tests.local.raw_client import Inbox

# Each entry of `results` says what one way gave to the page. `TARGET` is an address of the console.
ATTACK = """
async ({ base, task }) => {
  const results = {};
  const read = async (name, work) => {
    try { results[name] = await Promise.race([work(), new Promise((done) => setTimeout(() => done("nothing"), 3000))]); }
    catch (error) { results[name] = "nothing"; }
  };
  const body = JSON.stringify({ output: { by: "evil" } });
  const addresses = [`${base}/console/`, `${base}/console/executions/approve/ask/graph`, `${base}/_local/waiting`];
  for (const address of addresses) {
    await read(`fetch ${address}`, async () => (await fetch(address, { credentials: "include" })).text());
    await read(`opaque ${address}`, async () => (await fetch(address, { mode: "no-cors" })).text());
  }
  for (const type of ["application/json", "text/plain", "application/x-www-form-urlencoded"]) {
    await read(`post ${type}`, async () => (await fetch(task, { method: "POST", body, headers: { "content-type": type } })).text());
    await read(`opaque post ${type}`, async () =>
      (await fetch(task, { method: "POST", body, mode: "no-cors", headers: { "content-type": type } })).text());
  }
  await read("beacon", async () => (navigator.sendBeacon(task, new Blob([body], { type: "text/plain" })), "nothing"));
  const element = (name, values) => read(name, () => new Promise((done) => {
    const made = document.createElement(name);
    made.onload = () => {
      let text = "nothing";
      try { text = made.contentDocument?.body?.innerText || "nothing"; } catch { /* of another site */ }
      done(name === "iframe" ? text : "loaded");
    };
    made.onerror = () => done("nothing");
    Object.assign(made, values);
    document.body.append(made);
  }));
  await element("script", { src: `${base}/console/executions/approve/ask/graph` });
  await element("img", { src: `${base}/console/assets/icon.svg` });
  await element("link", { rel: "stylesheet", href: `${base}/console/assets/console.css` });
  await element("iframe", { src: `${base}/console/` });
  const form = document.createElement("form");
  Object.assign(form, { method: "POST", action: task, enctype: "text/plain", target: "sent" });
  const field = document.createElement("input");
  Object.assign(field, { name: '{"output": {"by": "form', value: '"}}' });
  const frame = document.createElement("iframe");
  frame.name = "sent";
  form.append(field);
  document.body.append(frame, form);
  await read("form", () => new Promise((done) => { frame.onload = () => done("nothing"); form.submit(); }));
  await read("service worker", async () =>
    (await navigator.serviceWorker.register(`${base}/console/assets/console.js`), "registered"));
  return results;
}
"""


@pytest.fixture
def other_site() -> Iterator[str]:
    """The address of another web server on this machine, which serves an empty page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>evil</title><body>")

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_of_another_site_in_the_same_browser_reads_and_changes_nothing(
    chromium: Browser, service: LocalCloudFlow, inbox: Inbox, other_site: str
) -> None:
    service.create_flow("approve", CALLBACK_FLOW)
    service.start("approve", {}, execution_name="ask")
    task = service.run_until_waiting("approve", "ask")
    before = service.history("approve", "ask")
    window = Window.open(chromium)
    own = window.page
    own.goto(service.endpoint)  # a person has the console open beside it
    evil = window.context.new_page()
    evil.goto(other_site)
    address = f"{service.endpoint}/console/executions/approve/ask/tasks/{task.event_id}"

    results = evil.evaluate(ATTACK, {"base": service.endpoint, "task": address})

    assert len(results) == 19
    got = {name: text for name, text in results.items() if text not in {"", "nothing"}}
    assert got == {}

    with window.context.expect_page() as opening:
        assert evil.evaluate(
            "address => { window.opened = open(address); return true }", f"{service.endpoint}/console/"
        )
    opened = opening.value
    opened.get_by_role("link", name="approve/ask").first.wait_for()  # a link may open the console, for the person alone
    assert evil.evaluate("window.opened.closed")  # the opener has lost it
    assert opened.evaluate("window.opener") is None

    assert service.history("approve", "ask") == before
    assert service.describe("approve", "ask").status == "Running"
    window.context.close()
