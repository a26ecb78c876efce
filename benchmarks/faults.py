"""Check whether a report is delivered when its first call fails, beside the official SDK, on a real socket.

python -m benchmarks.faults
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.warm_report import OUTPUT
from fc_callback import CloudFlowClient
from fc_callback.local import Fault
from tests.waiting import WaitingTask, WaitingTasks

if TYPE_CHECKING:
    from collections.abc import Callable

FAULTS = {
    "none": (),
    "500 before it took effect": (Fault("error-before"),),
    "500 after it took effect": (Fault("error-after"),),
    "429": (Fault("throttle"),),
    "answer reset half-way": (Fault("reset"),),
    "closed before an answer": (Fault("close"),),
    "502 with HTML": (Fault("html"),),
    "200 with garbage": (Fault("garbage"),),
    "200 with nothing": (Fault("empty"),),
    "clock 20 minutes off": (Fault("skew", seconds=1200, times=2),),
    "dead for 2 seconds": (Fault("dead", seconds=2),),
}


def ours(service: WaitingTasks) -> Callable[[WaitingTask], Any]:
    """`CloudFlowClient` with its defaults."""
    client = CloudFlowClient(endpoint=service.service.endpoint, credentials=service.service.credentials)
    return lambda task: client.report_task_succeeded(task.token, OUTPUT)


def sdk(service: WaitingTasks) -> Callable[[WaitingTask], Any]:
    """`alibabacloud_fnf20190315` with its defaults."""
    from alibabacloud_fnf20190315.client import Client
    from alibabacloud_fnf20190315.models import ReportTaskSucceededRequest
    from alibabacloud_tea_openapi.models import Config

    key = service.service.credentials
    config = Config(
        access_key_id=key.access_key_id,
        access_key_secret=key.access_key_secret,
        endpoint=service.service.endpoint.removeprefix("http://"),
        protocol="http",
    )
    client = Client(config)
    return lambda task: client.report_task_succeeded(ReportTaskSucceededRequest(task_token=task.token, output=OUTPUT))


def _calls(service: WaitingTasks) -> int:
    """Count the calls. The service lists a call that took effect before it failed twice: by its answer and by its fault."""
    without_effect = {"error-before", "throttle", "close", "html", "dead"}
    return sum(
        count
        for (_, how), count in service.service.calls.items()
        if not how.startswith("fault:") or how.removeprefix("fault:") in without_effect
    )


def cell(service: WaitingTasks, report: Callable[[WaitingTask], Any], faults: tuple[Fault, ...]) -> str:
    """Report one task under faults, and return the result as text."""
    task = service.new()
    before = _calls(service)
    service.service.inject(*faults)
    began = time.perf_counter()
    try:
        report(task)
        said = "success"
    except Exception as error:
        said = type(error).__name__
    seconds = time.perf_counter() - began
    service.service.clear_faults()
    calls = _calls(service) - before
    state = "delivered" if task.status == "Succeeded" else "LOST"
    return f"{state:9} {calls:2} calls, {said:22} {seconds * 1000:7.0f} ms"


def main() -> None:
    """Print the table."""
    print(f"{'first call':28} {'fc_callback':52} alibabacloud_fnf20190315")
    with WaitingTasks() as service:
        for name, faults in FAULTS.items():
            left = cell(service, ours(service), faults)
            right = cell(service, sdk(service), faults)
            print(f"{name:28} {left:52} {right}")


if __name__ == "__main__":
    main()
