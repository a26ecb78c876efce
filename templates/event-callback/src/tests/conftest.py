"""What the tests share: a local CloudFlow, and the function as s.yaml describes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fc_callback.local import LocalCloudFlow
from fc_callback.runtime import FunctionSpec

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def local_cloudflow() -> Iterator[LocalCloudFlow]:
    with LocalCloudFlow(async_retries=0) as service:
        yield service


@pytest.fixture
def function() -> FunctionSpec:
    props = yaml.safe_load((PROJECT / "s.yaml").read_text("utf-8"))["resources"]["function"]["props"]
    return FunctionSpec(
        name=props["functionName"],
        handler=props["handler"],
        runtime=props["runtime"],
        timeout_seconds=props["timeout"],
        code_dir=PROJECT / props["code"],
    )


def flow(language: str) -> str:
    """Return a flow's definition: `legacy` or `cloudflow`."""
    return (PROJECT / "flows" / f"{language}.yaml").read_text("utf-8")
