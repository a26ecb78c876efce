"""The deployed project: one execution of its flow in the cloud, until it asks a person.

    python -m pytest smoke                               # the stage of s.yaml
    FLOW_MANIFEST=prod.flow.yaml python -m pytest smoke

It takes the region from s.flow.yaml, and the credentials of a user who may start executions from the variables
ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET. CLOUDFLOW_ENDPOINT can name a local CloudFlow instead.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parent.parent
SAMPLE = PROJECT / "events" / "question.json"
# As long as the function that asks may take. If it fails, the execution does not wait any more.
SECONDS_TO_ASK = float(os.environ.get("SECONDS_TO_ASK", "20"))


def flow_props(manifest: str) -> dict[str, Any]:
    props: dict[str, Any] = yaml.safe_load((PROJECT / manifest).read_text("utf-8"))["resources"]["flow"]["props"]
    return props


def flow(*arguments: str) -> dict[str, Any]:
    """Run a command of `fc-callback flow`, and return what it prints."""
    region = flow_props("s.flow.yaml")["region"]
    ended = subprocess.run(
        [sys.executable, "-m", "fc_callback", "flow", *arguments, "--region", region, "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


def test_an_execution_of_the_deployed_flow_asks_and_waits() -> None:
    """The person gets the question of the sample; the execution is stopped afterwards."""
    name = flow_props(os.environ.get("FLOW_MANIFEST", "s.flow.yaml"))["name"]
    started = flow("start", name, "--input", f"@{SAMPLE}")
    execution = f"{name}/{started['name']}"

    try:
        time.sleep(SECONDS_TO_ASK)
        document = flow("describe", execution)
        assert document["status"] == "Running", document
        assert [task["step"] for task in document["waiting"]] == ["approval"]
    finally:
        flow("stop", execution)
