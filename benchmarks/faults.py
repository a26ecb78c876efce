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
    "500 before it took effect": (Fault("error-before"),),
    "500 after it took effect": (Fault("error-after"),),
    "500 three times": (Fault("error-before", times=3),),
    "429": (Fault("throttle"),),
    "429 with Retry-After: 2": (Fault("throttle", seconds=2),),
    "reset before it took effect": (Fault("reset", takes_effect=False),),
    "answer reset half-way": (Fault("reset"),),
    "closed before it took effect": (Fault("close"),),
    "closed after it took effect": (Fault("close", takes_effect=True),),
    "502 with HTML, no effect": (Fault("html"),),
    "502 with HTML after its effect": (Fault("html", takes_effect=True),),
    "200 with garbage, no effect": (Fault("garbage", takes_effect=False),),
    "200 with garbage": (Fault("garbage"),),
    "200 with nothing": (Fault("empty"),),
    "clock 20 minutes ahead": (Fault("skew", seconds=1200, times=2),),
    "clock 20 minutes behind": (Fault("skew", seconds=-1200, times=2),),
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


def _calls(service: WaitingTasks, faults: tuple[Fault, ...]) -> int:
    """Count the calls. The service lists a call that took effect before it failed twice: by its answer and by its fault."""
    without_effect = {fault.kind for fault in faults if not fault.takes_effect}
    return sum(
        count
        for (_, how), count in service.service.calls.items()
        if not how.startswith("fault:") or how.removeprefix("fault:") in without_effect
    )


def cell(service: WaitingTasks, report: Callable[[WaitingTask], Any], faults: tuple[Fault, ...]) -> tuple[bool, str]:
    """Report one task under faults; return whether it was delivered without an error, and the result as text."""
    task = service.new()
    before = _calls(service, faults)
    service.service.inject(*faults)
    began = time.perf_counter()
    try:
        report(task)
        said = "success"
    except Exception as error:
        said = type(error).__name__
    seconds = time.perf_counter() - began
    service.service.clear_faults()
    calls = _calls(service, faults) - before
    delivered = task.status == "Succeeded"
    text = f"{'delivered' if delivered else 'LOST':9} {calls:2} calls, {said:22} {seconds * 1000:7.0f} ms"
    return delivered and said == "success", text


def main() -> None:
    """Print the table."""
    print(f"{'first call':32} {'fc_callback':52} alibabacloud_fnf20190315")
    delivered = [0, 0]
    with WaitingTasks() as service:
        for name, faults in {"none": (), **FAULTS}.items():
            ours_delivered, left = cell(service, ours(service), faults)
            sdk_delivered, right = cell(service, sdk(service), faults)
            print(f"{name:32} {left:52} {right}")
            if faults:
                delivered = [delivered[0] + ours_delivered, delivered[1] + sdk_delivered]
    of = len(FAULTS)
    print(f"{'delivered without an error':32} {f'{delivered[0]} of {of}':52} {delivered[1]} of {of}")


if __name__ == "__main__":
    main()
