"""Fixtures of the tests: the flows, with a function in place of the queue.

The fixtures `local_cloudflow` and `fc_context` come with fc-callback.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parent.parent
QUEUE = "acs:fc:cn-hangzhou:1000000000000001:functions/queue"


def flow(language: str) -> dict[str, Any]:
    """Return a flow's definition: `legacy` or `cloudflow`.

    The local CloudFlow sends no messages: the function `queue` gets what the queue would.
    """
    definition: dict[str, Any] = yaml.safe_load((PROJECT / "flows" / f"{language}.yaml").read_text("utf-8"))
    if language == "legacy":
        definition["steps"][0].update(resourceArn=QUEUE, serviceParams={"InvocationType": "Async"})
    else:
        state = definition["States"][0]
        body = state["Parameters"]["message"]
        state.update(
            Action="FC:InvokeFunction", Parameters={"resourceArn": QUEUE, "invocationType": "Async", "body": body}
        )
    return definition


def together(*messages: bytes) -> bytes:
    """Return one event with the messages of several events."""
    return json.dumps([event for message in messages for event in json.loads(message)]).encode()
