"""Starts executions: checks the name and the input, and stores the execution. It begins by a timer that is due at once."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING

from fc_callback.flows.definition import parse_object
from fc_callback.local.api_errors import ApiError, invalid_argument
from fc_callback.local.execution_record import parsed_flow

if TYPE_CHECKING:
    from fc_callback.local.clock import Clock
    from fc_callback.local.store import Row, ServiceStore

# The service itself creates names that begin with a digit (UUIDs), so callers may use them too.
_EXECUTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")


def insert_execution(
    store: ServiceStore,
    clock: Clock,
    flow: Row,
    *,
    name: str = "",
    execution_input: str = "",
    reports_to: int | None = None,
    express: bool = False,
) -> str:
    """Store a new execution, unless one of the name runs already; return its name.

    Args:
        store: The store.
        clock: The clock.
        flow: The flow's row.
        name: The execution's name; a new one if it is empty.
        execution_input: A JSON object; `{}` if it is empty.
        reports_to: The task that the end of the execution completes.
        express: Whether the flow must be an Express flow; its executions get a name of their own: `{name}:{uuid}`.

    Raises:
        ApiError: The flow has the other mode, the name or the input cannot be used, an execution of the name has ended,
            or one runs and completes another task.
    """
    if express != (flow["mode"] == "Express"):
        operation = "StartExecution" if express else "StartSyncExecution"
        raise invalid_argument(f"Flow {flow['name']} has ExecutionMode {flow['mode']}: start it with {operation}.")
    name = name or str(uuid.uuid4())
    if not _EXECUTION_NAME.fullmatch(name):
        raise invalid_argument("An execution's name has 1 to 128 letters, digits, _ and -.")
    name = f"{name}:{uuid.uuid4()}" if express else name
    text = _checked_input(flow["definition"], execution_input)
    row = store.one("SELECT status, reports_to FROM executions WHERE flow = ? AND name = ?", flow["id"], name)
    if row is not None:
        # A call that is repeated, because its response was lost, starts nothing.
        if row["status"] != "Running" or reports_to not in {None, row["reports_to"]}:
            raise ApiError("ExecutionAlreadyExists", name, flow["name"])
        return name
    execution = store.insert(
        "executions",
        flow=flow["id"],
        account=flow["account"],
        flow_name=flow["name"],
        name=name,
        definition=flow["definition"],
        role_arn=flow["role_arn"],
        input=store.mask_tokens(text),
        started=clock.now(),
        reports_to=reports_to,
        express=express,
    )
    store.insert("timers", due=clock.now(), kind="begin", execution=execution)
    return name


def _checked_input(definition: str, text: str) -> str:
    limit = parsed_flow(definition).limit_bytes
    if len(text.encode()) > limit:
        raise ApiError("EntityTooLarge", limit)
    value = parse_object(text or "{}")
    if value is None:
        raise invalid_argument("The Input is not a JSON object.")
    return json.dumps(value, ensure_ascii=False)
