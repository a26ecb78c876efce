"""Fixtures of the tests: the function as s.yaml describes it, and the flows.

The fixtures `local_cloudflow` and `fc_context` come with fc-callback.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from fc_callback.runtime import FunctionSpec

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def function() -> FunctionSpec:
    props = yaml.safe_load((PROJECT / "s.yaml").read_text("utf-8"))["resources"]["function"]["props"]
    return FunctionSpec(
        name=props["functionName"],
        handler=props["handler"],
        initializer=props["instanceLifecycleConfig"]["initializer"]["handler"],
        runtime=props["runtime"],
        timeout_seconds=props["timeout"],
        code_dir=PROJECT / props["code"],
    )


def flow(language: str) -> dict[str, Any]:
    """Return a flow's definition: `legacy` or `cloudflow`."""
    definition: dict[str, Any] = yaml.safe_load((PROJECT / "flows" / f"{language}.yaml").read_text("utf-8"))
    return definition
