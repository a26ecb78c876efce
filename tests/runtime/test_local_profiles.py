"""The local CloudFlow runs functions by the same runner, whatever their runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fc_callback.local import LocalCloudFlow
from fc_callback.runtime import FunctionSpec

if TYPE_CHECKING:
    from pathlib import Path

FLOW = """
version: v1
type: flow
steps:
  - type: task
    name: pay
    resourceArn: acs:fc:::services/s/functions/pay
    pattern: waitForCallback
    serviceParams: {InvocationType: Async}
    inputMappings:
      - {target: taskToken, source: $context.task.token}
"""


@pytest.mark.parametrize("runtime", ["python3.10", "python3.12", "custom"])
def test_a_flow_calls_a_function_of_any_runtime(tmp_path: Path, runtime: str) -> None:
    code = "from fc_callback import task_callback\n@task_callback\ndef handler(event, context): return {'paid': True}"
    (tmp_path / "index.py").write_text(code, encoding="utf-8")
    with LocalCloudFlow(functions=[FunctionSpec(name="pay", code_dir=tmp_path, runtime=runtime)]) as service:
        service.create_flow("pay", FLOW)
        ended = service.wait("pay", service.start("pay"), timeout=30)
    assert (ended.status, ended.error) == ("Succeeded", "")
