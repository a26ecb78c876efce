"""Measure the time of a new instance until its first report, side by side with both official SDKs and code by hand.

Each measurement starts a process as FC starts a function, with one task waiting in a local CloudFlow. It ends when the
function has returned and its report is delivered. The ways alternate, so that a busy machine affects all of them. The result
is the medians, and the medians of the ratios of each round, which can be compared between machines. The endpoint uses TLS,
like the real one.

    python -m venv bench && bench/bin/pip install ".[local]" -r benchmarks/requirements.txt
    bench/bin/python -m benchmarks.cold_start --rounds 15
"""

from __future__ import annotations

import argparse
import compileall
import json
import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import fc_callback
from benchmarks.tls_front import tls_front
from fc_callback.local import LocalCloudFlow
from fc_callback.runtime import FunctionInstance, FunctionSpec

CODE = Path(__file__).resolve().parent / "functions"
OURS, HAND, CORE, TEA = "ours", "with_requests", "with_core_sdk", "with_tea_sdk"
FLOW = """
version: v1
type: flow
steps:
  - type: task
    name: wait
    resourceArn: acs:fc:::services/s/functions/sink
    pattern: waitForCallback
    serviceParams: {InvocationType: Async}
    inputMappings:
      - {target: taskToken, source: $context.task.token}
"""


class Bench:
    """A local CloudFlow, and functions that report to it.

    Args:
        service: The local CloudFlow.
        python: The functions' interpreter.
        environment: The variables that tell a function the endpoint of the service.
    """

    def __init__(self, service: LocalCloudFlow, python: str, environment: dict[str, str]) -> None:
        self.service = service
        self.environment = environment
        self.python = python
        self.tokens: list[str] = []
        service.add_function(self._keep_token, name="sink")
        service.create_flow("bench", FLOW)

    def _keep_token(self, event: bytes) -> str:
        self.tokens.append(json.loads(event)["taskToken"])
        return ""

    def task(self) -> tuple[str, Any]:
        """Return the token of a task that waits, and its execution."""
        execution = self.service.start("bench")
        while not self.tokens:
            pass
        return self.tokens.pop(), execution

    def instance(self, way: str, kind: str, **options: Any) -> FunctionInstance:
        """Return an instance that has no process yet."""
        spec = FunctionSpec(
            name=way.replace("_", "-"),
            handler=options.pop("handler", f"{way}.handler"),
            code_dir=CODE,
            environment={**self.environment, "CLOUD_WORK": kind},
            python=self.python,
            **options,
        )
        return FunctionInstance(spec)

    def run(self, instance: FunctionInstance) -> Any:
        """Invoke the function once, and check that its report has arrived."""
        token, execution = self.task()
        event = json.dumps({"taskToken": token}).encode()
        result = instance.invoke(event, credentials=self.service.session())
        if not result.ok:
            sys.exit(f"{instance.spec.name} failed:\n{result.log}")
        if self.service.describe("bench", execution).status != "Succeeded":
            self.service.wait("bench", execution, timeout=5)
        return result

    def cold(self, way: str, kind: str) -> float:
        """Return the seconds from the start of a process to the end of its first invocation."""
        with self.instance(way, kind) as instance:
            return float(self.run(instance).duration_seconds)

    def warmed(self) -> tuple[float, float]:
        """Return the seconds in the handler at the first invocation after the initializer, and at a later one."""
        with self.instance(OURS, "nothing", handler="ours.handler_timed", initializer="ours.initialize") as instance:
            seconds = [float(re.search(r"handler seconds: (\S+)", self.run(instance).log)[1]) for _ in range(6)]  # type: ignore[index]  # the handler prints it
        return seconds[0], statistics.median(seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    for code in (CODE, Path(fc_callback.__file__).parent):
        compileall.compile_dir(code, quiet=1)  # as an installed wheel is
    with tempfile.TemporaryDirectory() as folder, LocalCloudFlow() as service:
        port = int(service.endpoint.rpartition(":")[2])
        with tls_front(Path(folder), port) as (url, bundle):
            environment = {"CLOUDFLOW_ENDPOINT": url, "REQUESTS_CA_BUNDLE": str(bundle)}
            bench = Bench(service, given.python, environment)
            figures = measure(bench, given.rounds)
    print(json.dumps(figures, indent=2) if given.json else table(figures))


def measure(bench: Bench, rounds: int) -> dict[str, Any]:
    """Return medians in seconds, and the ratios that the docs state."""
    for way in (OURS, HAND, CORE, TEA):
        bench.cold(way, "nothing")  # not counted: it reads every file for the first time
    seconds: dict[str, list[float]] = {way: [] for way in (OURS, HAND, CORE, TEA)}
    first, later = [], []
    for _ in range(rounds):
        for way, values in seconds.items():
            values.append(bench.cold(way, "nothing"))
        after_initializer, warm = bench.warmed()
        first.append(after_initializer)
        later.append(warm)
    ratios = {
        "ours / by hand": (seconds[OURS], seconds[HAND]),
        "ours / aliyun-python-sdk-fnf": (seconds[OURS], seconds[CORE]),
        "ours / alibabacloud_fnf20190315": (seconds[OURS], seconds[TEA]),
        "initializer: first invocation / warm one": (first, later),
    }
    return {
        "rounds": rounds,
        "seconds": {way: statistics.median(values) for way, values in seconds.items()},
        "initializer seconds": {"first": statistics.median(first), "warm": statistics.median(later)},
        # The ratio of each round, then the median: a machine that is slow for a while is slow for both.
        "ratios": {name: statistics.median(_paired(*pair)) for name, pair in ratios.items()},
    }


def _paired(ones: list[float], others: list[float]) -> list[float]:
    return [one / other for one, other in zip(ones, others, strict=True)]


def table(figures: dict[str, Any]) -> str:
    """Return the results as text."""
    lines = [f"{name:48} {value * 1000:8.1f} ms" for name, value in figures["seconds"].items()]
    lines += [
        f"after the initializer, {name:25} {value * 1000:8.1f} ms"
        for name, value in figures["initializer seconds"].items()
    ]
    lines += ["", *(f"{name:48} {value:8.2f}" for name, value in figures["ratios"].items())]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
