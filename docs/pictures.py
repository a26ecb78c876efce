"""Make the pictures of the console page anew: `python docs/pictures.py`.

It runs flows in a local CloudFlow, opens their pages in an installed Chromium, and writes docs/pictures/*.png.
It needs the extra `test`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from fc_callback import TaskFailed
from fc_callback.local import LocalCloudFlow

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = Path(__file__).parent / "pictures"
CHROMIUM = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
ARN = "acs:fc:cn-hangzhou:1000000000000001:functions/{}/LATEST"

KEEP = {"order.$": "$Input.order"}


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


def take(page: Page, service: LocalCloudFlow, suffix: str) -> None:
    """Take the pictures of one theme and width."""
    for name, path in (
        ("executions", "/console/"),
        ("waiting", "/console/executions/orders/order-4"),
        ("failed", "/console/executions/orders/order-2"),
        ("clock", "/console/clock"),
    ):
        page.goto(service.endpoint + path, wait_until="networkidle")
        page.screenshot(path=FOLDER / f"console-{name}-{suffix}.png", full_page=name != "clock")


def main() -> None:
    """Make all pictures."""
    if CHROMIUM is None:
        sys.exit("Chromium is missing: apt-get install chromium")
    FOLDER.mkdir(exist_ok=True)
    with LocalCloudFlow() as service, sync_playwright() as playwright:
        run_flows(service)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for theme, width in (("light", 1200), ("dark", 1200), ("light", 400)):
            context = browser.new_context(
                color_scheme=theme,  # type: ignore[arg-type]
                viewport={"width": width, "height": 800},
            )
            take(context.new_page(), service, "narrow" if width < 700 else theme)
        browser.close()


if __name__ == "__main__":
    main()
