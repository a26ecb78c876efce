"""Make the pictures of the console page and of the terminal anew: `python docs/pictures.py`.

It runs flows in a local CloudFlow, opens their pages in an installed Chromium, runs commands in a real terminal, and writes
docs/pictures/*.png. It needs the extra `test`.
"""

from __future__ import annotations

import io
import os
import pty
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from fc_callback import TaskFailed
from fc_callback.local import LocalCloudFlow

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = Path(__file__).parent / "pictures"
CHROMIUM = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
ARN = "acs:fc:cn-hangzhou:1000000000000001:functions/{}/LATEST"

KEEP = {"order.$": "$Input.order"}

WIDTH = 110
TERMINAL = """<!doctype html><pre style="display: inline-block; margin: 0; padding: 1em; background: {background}; color: {foreground};
font: 15px/1.35 'DejaVu Sans Mono', monospace">{code}</pre>"""
FUNCTION = """
from fc_callback import task_callback


@task_callback
def handler(order: dict, context):
    return {"orderId": order["id"], "status": "paid"}
"""


def task(name: str, function: str, *, waits: bool = False, **more: Any) -> dict[str, Any]:
    """Return a step that calls a function; with `waits`, it waits for the report of its task."""
    body = {"taskToken.$": "$Context.Current.TaskToken"} if waits else {}
    return {
        "Name": name,
        "Type": "Task",
        "Action": "FC:InvokeFunction",
        "TaskMode": "WaitForCustomCallback" if waits else "RequestComplete",
        "Parameters": {
            "resourceArn": ARN.format(function),
            "invocationType": "Async" if waits else "Sync",
            "body": {**body, "order.$": "$Input.order"},
        },
        **more,
    }


ORDERS = {
    "Type": "StateMachine",
    "SpecVersion": "v1",
    "Name": "orders",
    "StartAt": "Price",
    "States": [
        task("Price", "price", OutputConstructor=KEEP, Next="Size"),
        {
            "Name": "Size",
            "Type": "Choice",
            "Branches": [{"Condition": "$Input.order.amount > 100", "Next": "Approve"}],
            "Default": "Pay",
        },
        task(
            "Approve",
            "ask",
            waits=True,
            Timeout=86_400,
            OutputConstructor=KEEP,
            Catch=[{"Errors": ["Refused"], "Next": "Cancel"}],
            Next="Pay",
        ),
        {
            "Name": "Pay",
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Charge", "States": [task("Charge", "charge", waits=True, End=True)]},
                {"StartAt": "Reserve", "States": [task("Reserve", "reserve", End=True)]},
            ],
            "End": True,
        },
        {"Name": "Cancel", "Type": "Pass", "End": True},
    ],
}


def reserve(event: bytes) -> dict[str, Any]:
    """Fail for the order that asks for what is sold out."""
    if b"sold-out" in event:
        raise TaskFailed("SoldOut", cause="0 of 3 pieces are left")
    return {"reserved": True}


def run_flows(service: LocalCloudFlow) -> None:
    """Leave executions that ended well, that failed, and that wait."""
    for name in ("price", "ask", "charge"):
        service.add_function(lambda _event: {}, name=name)
    service.add_function(reserve)
    service.create_flow("orders", ORDERS)
    for number, amount in enumerate((40, 80, 60), start=1):
        name = f"order-{number}"
        order = {"id": name, "amount": amount, "item": "sold-out" if number == 2 else "lamp"}
        service.start("orders", {"order": order}, execution_name=name)
        if number != 2:
            service.run_until_waiting("orders", name, step="Charge").succeed({"paid": True})
        service.wait("orders", name)
    for name in ("order-4", "order-5"):
        service.start("orders", {"order": {"id": name, "amount": 250, "item": "desk"}}, execution_name=name)
        service.run_until_waiting("orders", name, step="Approve")


def take(page: Page, service: LocalCloudFlow) -> None:
    """Take the pictures of the console page."""
    for name, path in (
        ("executions", "/console/"),
        ("waiting", "/console/executions/orders/order-4"),
        ("failed", "/console/executions/orders/order-2"),
    ):
        page.goto(service.endpoint + path, wait_until="networkidle")
        page.screenshot(path=FOLDER / f"console-{name}.png", full_page=True)


def type_commands(commands: list[str]) -> str:
    """Return what a terminal shows while these commands run."""
    shown: list[bytes] = []

    def keep(terminal: int) -> bytes:
        data = os.read(terminal, 65_536)
        shown.append(data)
        return data

    for command in commands:
        shown.append(f"\x1b[1m$ {command}\x1b[0m\r\n".encode())
        pty.spawn(shlex.split(command), keep)
    return b"".join(shown).decode().replace("\r\n", "\n")


def take_terminal(page: Page, name: str, commands: list[str]) -> None:
    """Take a picture of a terminal."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), color_system="truecolor", force_terminal=True)
    console.print(Text.from_ansi(type_commands(commands).rstrip()))
    html = console.export_html(theme=DIMMED_MONOKAI, code_format=TERMINAL, inline_styles=True)
    page.set_content(html)
    page.locator("pre").screenshot(path=FOLDER / f"terminal-{name}.png")


def main() -> None:
    """Make all pictures."""
    if CHROMIUM is None:
        sys.exit("Chromium is missing: apt-get install chromium")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    with LocalCloudFlow() as service, sync_playwright() as playwright, tempfile.TemporaryDirectory() as project:
        run_flows(service)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        take(browser.new_page(viewport={"width": 1200, "height": 800}), service)
        Path(project, "index.py").write_text(FUNCTION, "utf-8")
        os.chdir(project)
        os.environ.update(service.environment, COLUMNS=str(WIDTH))
        page = browser.new_page()
        take_terminal(page, "flow", ["fc-callback flow list", "fc-callback flow describe orders/order-2"])
        take_terminal(page, "invoke", ['fc-callback invoke index.handler --payload \'{"id": "o-1"}\''])
        browser.close()


if __name__ == "__main__":
    main()
