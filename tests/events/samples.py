"""The sample events that carry a task token, with a real waiting task's token put in the place of theirs."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from fc_callback.payload.json_layers import decode_base64

SAMPLES = Path(__file__).parent.parent / "data" / "events"
SAMPLE_TOKEN = "djEjZGVtby1mbG93I3J1bi0xIzUjNit6dDd1L3c4Zkx6OVBYMjkvajUrdnY4L2Y0PQ=="
WITH_TOKEN = sorted(path.stem for path in SAMPLES.glob("*-token.json"))

ORDER = {"order": {"id": "o-1", "amount": 12.5}}
QUEUED = {"key_1": "value_1", "key_2": "value"}
# What a flow's author sent, beside the token: the payload, by the beginning of the sample's name; the longest counts.
PAYLOADS: dict[str, dict[str, Any]] = {
    "cloudflow-child-failed": {"error": "SubflowError", "cause": "step two failed"},
    "cloudflow-child-succeeded": {"output": {"result": "done"}},
    "cloudflow-legacy": {"serviceName": "svc", "functionName": "worker"},
    "cloudflow-legacy-flow": {"flowName": "child", "executionName": "run1", "key": "a"},
    "cloudflow-legacy-snake-case": {"action": "run-test-cases", "servingEndpoint": "http://192.0.2.20:8501"},
    "cloudflow-token": ORDER,
    "eventbridge": ORDER,
    "http-v1": ORDER,
    "mns-queue": QUEUED,
    "mns-topic": ORDER,
    "mns-topic-http-push": {"messageBody": "hello world"},
}


def payload_of(name: str) -> dict[str, Any]:
    return PAYLOADS[max((one for one in PAYLOADS if name.startswith(one)), key=len)]


def event_with(name: str, token: str) -> bytes:
    """The sample's bytes as FC would deliver them for this token: every layer it was wrapped in is made again."""
    text = (SAMPLES / f"{name}.json").read_text("utf-8")
    event = json.dumps(_with_token(json.loads(text), token)).encode()
    assert SAMPLE_TOKEN not in event.decode()
    return event


def _with_token(value: Any, token: str) -> Any:
    if isinstance(value, dict):
        return {key: _with_token(member, token) for key, member in value.items()}
    if isinstance(value, list):
        return [_with_token(member, token) for member in value]
    if not isinstance(value, str):
        return value
    if SAMPLE_TOKEN in value:
        return value.replace(SAMPLE_TOKEN, token)
    decoded = decode_base64(value) or b""
    if SAMPLE_TOKEN.encode() in decoded:
        return b64encode(decoded.replace(SAMPLE_TOKEN.encode(), token.encode())).decode()
    return value
