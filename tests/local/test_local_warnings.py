"""What a definition has and nothing reads: it is in the log, in the response, and in Python."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_fnf20190315 import models

from fc_callback.local import LocalCloudFlow
from tests.local.test_local_sdk import client_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

LEGACY = """
version: v1
type: flow
steps:
  - type: foreach
    name: each
    iterationMapping: {collection: $.items, item: item}
    steps:
      - {type: pass, name: kept, resultPath: $.x}
"""
CLOUDFLOW = """
Type: StateMachine
SpecVersion: v1
Name: orders
StartAt: Both
States:
  - Type: Parallel
    Name: Both
    Branches:
      - StartAt: Kept
        States:
          - Type: Pass
            Name: Kept
            OutputConstructor: {id: $Input.id, run.$: $Context.Execution.Id}
            End: true
    End: true
"""


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "fc_callback.local"]


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (LEGACY, ["Step 'kept': the field 'resultPath' is unknown"]),
        (CLOUDFLOW, ["State 'Kept': '$Input.id' is a constant text", "$Context.Execution.Id leads nowhere"]),
    ],
)
def test_a_flow_that_is_created_or_updated_tells_its_warnings_in_the_log(
    service: LocalCloudFlow, caplog: pytest.LogCaptureFixture, definition: str, words: list[str]
) -> None:
    for _ in ("CreateFlow", "UpdateFlow"):
        caplog.clear()
        service.create_flow("orders", definition, replace=True)
        lines = logged(caplog)
        assert len(lines) == len(words)
        for line, word in zip(lines, words, strict=True):
            assert line.startswith("Flow orders: ")
            assert word in line

    caplog.clear()
    service.warnings("orders")
    assert logged(caplog) == []


def test_a_test_asserts_that_a_flow_has_no_warnings(service: LocalCloudFlow) -> None:
    service.create_flow("orders", CLOUDFLOW.replace("id:", "id.$:").replace("Execution.Id", "Execution.Name"))
    assert service.warnings("orders") == []

    service.create_flow("orders", CLOUDFLOW, replace=True)
    assert len(service.warnings("orders")) == 2


def test_a_name_that_is_not_the_flows_is_a_warning(service: LocalCloudFlow, caplog: pytest.LogCaptureFixture) -> None:
    plain = CLOUDFLOW.replace("{id: $Input.id, run.$: $Context.Execution.Id}", "{}")
    service.create_flow("others", plain)
    (warning,) = service.warnings("others")
    assert "its Name is 'orders'" in warning
    assert "'others'" in warning
    assert logged(caplog) == [f"Flow others: {warning}"]
    service.create_flow("nameless", plain.replace("Name: orders\n", ""))
    assert service.warnings("nameless") == []


def test_a_flow_that_is_refused_logs_no_warnings(service: LocalCloudFlow, caplog: pytest.LogCaptureFixture) -> None:
    service.create_flow("orders", CLOUDFLOW)
    caplog.clear()
    with pytest.raises(Exception, match="already exists"):
        service.create_flow("orders", CLOUDFLOW)
    assert logged(caplog) == []


def test_the_official_sdk_reads_a_response_with_warnings(service: LocalCloudFlow) -> None:
    client = client_of(service)
    asked: dict[str, Any] = {"name": "orders", "definition": CLOUDFLOW, "type": "FDL", "description": ""}
    created = client.create_flow(models.CreateFlowRequest(**asked)).body
    updated = client.update_flow(models.UpdateFlowRequest(**asked)).body
    described = client.describe_flow(models.DescribeFlowRequest(name="orders")).body
    for body in (created, updated, described):
        assert (body.name, body.definition) == ("orders", CLOUDFLOW)
        assert body.id.startswith("flow-")
        assert body.request_id


@pytest.mark.parametrize("operation", ["CreateFlow", "UpdateFlow", "DescribeFlow"])
def test_any_client_finds_the_warnings_in_the_response(service: LocalCloudFlow, operation: str) -> None:
    from fc_callback import CloudFlowClient

    client = CloudFlowClient(endpoint=service.endpoint, credentials=service.credentials)
    if operation != "CreateFlow":
        service.create_flow("orders", LEGACY)
    given = {"Name": "orders", "Definition": LEGACY, "Type": "FDL", "Description": ""}
    answer = (
        client.call(operation, query={"Name": "orders"})
        if operation == "DescribeFlow"
        else client.call(operation, form=given)
    )
    (warning,) = answer["Warnings"]
    assert "'resultPath' is unknown" in warning


def test_warnings_are_still_there_in_another_process_of_the_database(tmp_path: Path) -> None:
    with LocalCloudFlow(database=tmp_path / "local.db") as service:
        service.create_flow("orders", LEGACY)
        before = service.warnings("orders")
    with LocalCloudFlow(database=tmp_path / "local.db") as service:
        assert service.warnings("orders") == before != []


def test_a_token_in_a_misspelt_field_is_in_no_warning(
    service: LocalCloudFlow, waiting: str, caplog: pytest.LogCaptureFixture
) -> None:
    flow = {"version": "v1", "type": "flow", "steps": [{"type": "pass", "name": "a", waiting: 1}]}
    service.create_flow("orders", json.dumps(flow))
    (warning,) = service.warnings("orders")
    assert "<task-token>" in warning
    assert waiting not in warning + caplog.text


def test_ten_thousand_unknown_fields_are_a_hundred_warnings(
    service: LocalCloudFlow, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    step = {"type": "pass", "name": "a", **{f"field{number}": 1 for number in range(10_000)}}
    service.create_flow("orders", {"version": "v1", "type": "flow", "steps": [step]})
    assert len(service.warnings("orders")) == len(logged(caplog)) == 100
