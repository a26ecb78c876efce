"""What finding the task token costs, beside the one `json.loads` that any handler pays.

Run: python benchmarks/bench_finding.py
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from timeit import repeat

from fc_callback.errors import TaskTokenNotFound
from fc_callback.finding import Finder

SAMPLES = Path(__file__).parent.parent / "tests" / "data" / "events"
DIRECT = "cloudflow-token"
WRAPPED = (
    "http-v1-base64-token",
    "mns-topic-json-token",
    "mns-queue-base64-token",
    "eventbridge-array-of-strings-token",
)


def microseconds(call: object, number: int) -> float:
    return min(repeat(call, number=number, repeat=5)) / number * 1e6  # type: ignore[arg-type]  # any callable will do


def measure(name: str, event: bytes, finder: Finder, number: int) -> None:
    def find() -> None:
        with suppress(TaskTokenNotFound):
            finder.find(event)

    loads = microseconds(lambda: json.loads(event), number)
    print(
        f"{name:40} {len(event):>9} bytes  json.loads {loads:>10.1f} us   find {microseconds(find, number):>10.1f} us"
    )


def main() -> None:
    print(f"Python {sys.version.split()[0]}; best of 5")
    for name in (DIRECT, *WRAPPED):
        measure(name, (SAMPLES / f"{name}.json").read_bytes(), Finder(), 5000)
    measure("a path", (SAMPLES / f"{WRAPPED[1]}.json").read_bytes(), Finder("Message.taskToken"), 5000)
    rows = [{"id": number, "name": "n"} for number in range(100_000)]
    measure("token at the top of 3 MB", json.dumps({"rows": rows, "taskToken": "t"}).encode(), Finder(), 1)
    measure("no token in 3 MB", json.dumps({"rows": rows}).encode(), Finder(), 1)
    measure("5 MB of empty arrays", b"[" + b"[]," * 1_700_000 + b"[]]", Finder(), 1)
    measure("5 MB of nearly base64", b'{"a": "' + b"eyJ" * 1_700_000 + b'!"}', Finder(), 1)


if __name__ == "__main__":
    main()
