"""A plain direct event is read once and not searched, whatever its size: told by counting calls, not by a clock."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback.payload.token_search import Finder
from tests.events.samples import SAMPLE_TOKEN, event_with

if TYPE_CHECKING:
    from types import FrameType


def calls_of(finder: Finder, event: bytes) -> Counter[str]:
    calls: Counter[str] = Counter()

    def count(frame: FrameType, kind: str, _: Any) -> None:
        # Only what finding does: the garbage collector may call on others in between.
        if kind == "call" and ("fc_callback" in frame.f_code.co_filename or "json" in frame.f_code.co_filename):
            calls[frame.f_code.co_name] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        finder.find(event)
    finally:
        sys.setprofile(before)
    return calls


def direct(items: int) -> bytes:
    return json.dumps(
        {"items": [{"n": n, "text": '{"a": 1}'} for n in range(items)], "taskToken": SAMPLE_TOKEN}
    ).encode()


@pytest.mark.parametrize("event", [event_with("cloudflow-token", "t"), direct(10)], ids=["sample", "larger"])
def test_a_direct_event_is_read_once_and_never_searched(event: bytes) -> None:
    calls = calls_of(Finder(), event)
    assert calls["loads"] == 1
    assert calls["_walk"] == 0


def test_a_larger_direct_event_takes_no_further_step() -> None:
    small, large = calls_of(Finder(), direct(1)), calls_of(Finder(), direct(5000))
    assert small == large
    assert sum(large.values()) < 30
