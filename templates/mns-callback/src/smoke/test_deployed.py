"""The deployed project: one execution of its flow in the cloud, from its start to the function's Output.

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
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parent.parent
SAMPLE = PROJECT / "events" / "order.json"


def flow_props(manifest: str) -> dict[str, Any]:
    props: dict[str, Any] = yaml.safe_load((PROJECT / manifest).read_text("utf-8"))["resources"]["flow"]["props"]
    return props


def test_an_execution_of_the_deployed_flow_succeeds() -> None:
    name = flow_props(os.environ.get("FLOW_MANIFEST", "s.flow.yaml"))["name"]
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "fc_callback", "flow", "start", name, "--input", f"@{SAMPLE}"),
            *("--region", flow_props("s.flow.yaml")["region"], "--follow", "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert json.loads(ended.stdout)["status"] == "Succeeded"
