"""Projects that the tests of this room write."""

from __future__ import annotations

from pathlib import Path

FUNCTION = """\
  {key}:
    component: fc3
    props:
      region: cn-hangzhou
      functionName: {key}
      runtime: {runtime}
      handler: index.handler
      code: ./{key}
      timeout: 30
"""
HEAD = "edition: 3.0.0\nname: orders\nresources:\n"
TOPIC = """\
      triggers:
        - triggerName: orders
          triggerType: mns_topic
          sourceArn: "acs:mns:cn-hangzhou:1000000000000001:/topics/orders"
          triggerConfig: {notifyContentFormat: JSON, notifyStrategy: BACKOFF_RETRY}
"""
QUEUE = """\
      triggers:
        - triggerName: orders
          triggerType: eventbridge
          triggerConfig:
            triggerEnable: true
            eventSourceConfig:
              eventSourceType: MNS
              eventSourceParameters: {sourceMNSParameters: {QueueName: orders, IsBase64Decode: false}}
"""
FLOW = """\
  flow:
    component: flow
    props:
      region: cn-hangzhou
      name: orders-flow
      definition: ${path('./flows/orders.yaml')}
"""
DEFINITION = """\
Type: StateMachine
SpecVersion: v1
Name: orders-flow
StartAt: price
States:
  - Type: Task
    Name: price
    Action: FC:InvokeFunction
    TaskMode: RequestComplete
    Parameters:
      resourceArn: acs:fc:cn-hangzhou:1000000000000001:functions/price/LATEST
      invocationType: Sync
      body: {order.$: $Input.order}
    OutputConstructor:
      order.$: $Input.order
      price.$: $Output.Body.price
    Next: pay
  - Type: Task
    Name: pay
    Action: MNS:SendMessage
    TaskMode: WaitForCustomCallback
    Parameters:
      resourceArn: acs:mns:::/topics/orders/messages
      message:
        taskToken.$: $Context.Current.TaskToken
        order.$: $Input.order
        price.$: $Input.price
    End: true
"""
PRICE = "def handler(event, context):\n    return {'price': 5}\n"
PAY = """\
from pydantic import BaseModel
from fc_callback import task_callback

class Payload(BaseModel):
    order: str
    price: int | str

@task_callback
def handler(payload: Payload, context):
    return {"order": payload.order, "paid": payload.price}
"""


def function(key: str, *, runtime: str = "python3.10", more: str = "") -> str:
    """Return the resource of a function, whose code is in the folder of that name."""
    return FUNCTION.format(key=key, runtime=runtime) + more


def write_project(folder: Path, *resources: str, **files: str) -> Path:
    """Write s.yaml with these resources, and files; `flows__orders_yaml` is `flows/orders.yaml`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        stem, _, suffix = name.replace("__", "/").rpartition("_")
        path = folder / f"{stem}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    manifest = folder / "s.yaml"
    manifest.write_text(HEAD + "".join(resources), encoding="utf-8")
    return manifest


def write_orders(folder: Path) -> Path:
    """Write a project of two functions and a flow over MNS."""
    return write_project(
        folder,
        function("price"),
        function("pay", more=TOPIC),
        FLOW,
        price__index_py=PRICE,
        pay__index_py=PAY,
        flows__orders_yaml=DEFINITION,
    )
