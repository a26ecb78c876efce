"""Measure signing and sending an Output by its size, beside both SDKs.

    python -m benchmarks.output_sizes

The first table is the CPU time of a report on a warm connection. The second is the time of signing and encoding alone, in
passes: the number of times that `urllib.parse.quote` could encode the Output in that time.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from benchmarks.server import answering
from benchmarks.warm_report import STS_TOKEN, TOKEN, fc_callback_client, installed, old_sdk, requests_by_hand, tea_sdk
from fc_callback import Credentials
from fc_callback.cloudflow.request import build_request

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = {"250 B": 250, "4 KiB": 4096, "32 KiB": 32768, "64 KiB": 65536}
PEERS: dict[str, Any] = {
    "requests.Session by hand": requests_by_hand,
    "fc_callback: CloudFlowClient": fc_callback_client,
    "alibabacloud_fnf20190315": tea_sdk,
    "aliyun-python-sdk-fnf": old_sdk,
}
ROUNDS = 9


def output_of(size: int) -> str:
    """Return an Output of about this many bytes: JSON of orders, partly not ASCII."""
    lines: list[dict[str, Any]] = []
    while len(text := json.dumps({"orderId": "o-1", "lines": lines}, ensure_ascii=False)) < size * 0.95:
        lines.append({"id": f"sku-{len(lines)}", "name": "红茶 & green tea", "price": 12.5, "paid": True})
    return text


def cpu_seconds(action: Callable[[], Any], *, calls: int) -> float:
    """Return the median CPU time of one call."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(calls):
            action()
        rounds.append((time.process_time() - began) / calls)
    return statistics.median(rounds)


def signing(output: str, signature: str) -> Callable[[], Any]:
    """Return a function that signs and encodes one report."""
    key = Credentials(access_key_id="testid", access_key_secret="testsecret", security_token=STS_TOKEN)
    return lambda: build_request(
        "ReportTaskSucceeded",
        endpoint="https://cn-hangzhou.fnf.aliyuncs.com",
        query={"TaskToken": TOKEN},
        form={"Output": output},
        credentials=key,
        signature=signature,
        now=time.time(),
    )


def main() -> None:
    """Print both tables."""
    outputs = {name: output_of(size) for name, size in SIZES.items()}
    print(f"{'CPU of a report':32}" + "".join(f"{name:>11}" for name in outputs))
    with answering() as port:
        rows = installed({name: lambda make=make: make(port) for name, make in PEERS.items()})
        for name in rows:
            costs = (cpu_seconds(PEERS[name](port, output), calls=20) for output in outputs.values())
            print(f"{name:32}" + "".join(f"{cost * 1e6:8.0f} us" for cost in costs))
    print()
    print(f"{'Signing and encoding, in passes':32}" + "".join(f"{name:>11}" for name in outputs))
    for signature in ("v1", "v3"):
        costs = (
            cpu_seconds(signing(output, signature), calls=20)
            / cpu_seconds(lambda output=output: quote(output, safe="~"), calls=20)  # type: ignore[misc]  # bound at once
            for output in outputs.values()
        )
        print(f"fc_callback, {signature:19}" + "".join(f"{cost:11.2f}" for cost in costs))


if __name__ == "__main__":
    main()
