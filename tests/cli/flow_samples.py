"""Flows for the tests of `fc-callback flow`, and services that run them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback.local import LocalCloudFlow

if TYPE_CHECKING:
    from collections.abc import Iterator

APPROVE = """
version: v1
type: flow
steps:
  - type: task
    name: Approve
    resourceArn: acs:fc:::services/s/functions/ask
    pattern: waitForCallback
    timeoutSeconds: 36000
    serviceParams: {InvocationType: Async}
    inputMappings:
      - {target: taskToken, source: $context.task.token}
      - {target: order, source: $input.order}
    retry: [{errors: [Flaky], maxAttempts: 1, intervalSeconds: 1}]
    catch: [{errors: [Rejected], goto: Sorry}]
  - {type: succeed, name: Done}
  - {type: fail, name: Sorry, error: Refused, cause: too dear}
"""
EACH = """
Type: StateMachine
Name: each
SpecVersion: v1
StartAt: All
States:
  - Type: Map
    Name: All
    ItemsPath: $Input.items
    Processor:
      StartAt: Ask
      States:
        - Type: Task
          Name: Ask
          Action: FC:InvokeFunction
          TaskMode: WaitForCustomCallback
          Parameters:
            resourceArn: acs:fc:::functions/ask
            invocationType: Async
            body: {taskToken.$: $Context.Current.TaskToken}
          End: true
    End: true
"""


@contextlib.contextmanager
def flow_service(*, real: bool = False, **options: Any) -> Iterator[LocalCloudFlow]:
    """Run a service with the flows `approve` and `each`, and put it into the environment.

    With `real`, it has no control API, as the real service.
    """
    with pytest.MonkeyPatch.context() as patched:
        if real:
            patched.setattr("fc_callback.local.service.control_routes", lambda _components: [])
        with LocalCloudFlow(**options) as service:
            for name, value in service.environment.items():
                patched.setenv(name, value)
            service.add_function(lambda _event: {}, name="ask")
            service.create_flow("approve", APPROVE)
            service.create_flow("each", EACH)
            yield service
