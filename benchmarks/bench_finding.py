"""Measure finding the task token and building the arguments, beside the one `json.loads` of any handler.

Run: python benchmarks/bench_finding.py
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from timeit import repeat

from pydantic import BaseModel

from fc_callback import FcContext
from fc_callback.errors import TaskTokenNotFound
from fc_callback.payload.arguments import Delivery
from fc_callback.payload.signatures import bind
from fc_callback.payload.token_search import Finder

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


class Row(BaseModel):
    id: int
    name: str


class Order(BaseModel):
    rows: list[Row] = []


def measure_arguments(name: str, event: bytes, number: int) -> None:
    """Print the cost of the arguments after the token is found, including the copy of the payload without its token."""
    found, context = Finder().find(event), FcContext()

    def with_annotation(kind: object) -> float:
        def handler(event, context): ...  # type: ignore[no-untyped-def]  # annotated here

        handler.__annotations__ = {} if kind is None else {"event": kind}
        binding = bind(handler, decorator="task_callback")

        def build() -> None:
            delivery = Delivery(event=event, raw_context=None, context=context)
            delivery.begin_task(found, deadline=None, place="$")
            binding.arguments(delivery)

        return microseconds(build, number)

    loads = microseconds(lambda: json.loads(event), number)
    costs = "   ".join(
        f"{label} {with_annotation(kind):>8.1f} us"
        for label, kind in (("none", None), ("dict", dict), ("a model", Order))
    )
    print(f"{name:40} {len(event):>9} bytes  json.loads {loads:>10.1f} us   arguments: {costs}")


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
    for count in (1, 1000, 100_000):
        event = json.dumps({"rows": [{"id": number, "name": "n"} for number in range(count)], "taskToken": "t" * 64})
        measure_arguments(f"arguments, {count} rows", event.encode(), max(1, 5000 // count))


if __name__ == "__main__":
    main()
