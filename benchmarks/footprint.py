"""Measure import time and installed size, beside the official SDKs and bare requests, in one run.

    python -m benchmarks.footprint

Import: the time of a new process that imports what a function imports, minus the time of an empty process. The peers
alternate, and the result is the median. Size: the files of a distribution and of all its requirements, as installed here,
without bytecode.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, distribution

ROUNDS = 15
IMPORTS = {
    "fc_callback, function decorated": "from fc_callback import task_callback\ntask_callback(lambda event, context: {})",
    "requests": "import requests",
    "alibabacloud_fnf20190315": "from alibabacloud_fnf20190315.client import Client",
    "aliyun-python-sdk-fnf": "from aliyunsdkcore.client import AcsClient\n"
    "from aliyunsdkfnf.request.v20190315.ReportTaskSucceededRequest import ReportTaskSucceededRequest",
}
DISTRIBUTIONS = ("fc-callback", "requests", "alibabacloud_fnf20190315", "aliyun-python-sdk-fnf")


def process_seconds(code: str) -> float:
    """Return the seconds that a new process takes to run a line of code."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def required(name: str, seen: set[str]) -> set[str]:
    """Return a distribution's requirements, including itself."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return seen
    found = distribution(key)
    seen.add(key)
    for requirement in found.requires or ():
        condition = requirement.partition(";")[2]
        if "extra" in condition or "python_version" in condition or "platform" in condition:
            continue
        required(re.split(r"[^\w.-]", requirement, maxsplit=1)[0], seen)
    return seen


def installed_bytes(names: set[str]) -> int:
    """Return the bytes of the distributions' files."""
    total = 0
    for name in names:
        for file in distribution(name).files or ():
            path = file.locate()
            if path.suffix != ".pyc" and path.is_file():  # type: ignore[attr-defined]
                total += path.stat().st_size  # type: ignore[attr-defined]
    return total


def main() -> None:
    """Measure, and print medians and ratios."""
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(ROUNDS):
        bare = process_seconds("pass")
        for name, code in list(IMPORTS.items()):
            try:
                times[name].append(process_seconds(code) - bare)
            except subprocess.CalledProcessError:
                print(f"{name}: left out, not installed")
                del IMPORTS[name], times[name]
    base = statistics.median(times["requests"])
    print(f"import (medians of {ROUNDS} processes)")
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"  {name:34} {median * 1e3:6.0f} ms   {median / base:5.2f} of requests")
    print("installed, with all that it requires")
    for name in DISTRIBUTIONS:
        try:
            names = required(name, set())
        except PackageNotFoundError as error:
            print(f"  {name}: left out, {error.name} is not installed")
            continue
        print(f"  {name:34} {installed_bytes(names) / 1e6:6.1f} MB   {len(names):2} distributions")


if __name__ == "__main__":
    main()
