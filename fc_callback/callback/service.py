"""The client of one decorated function, and its Output limit. They are created again when the settings change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fc_callback import settings
from fc_callback.cloudflow.client import CloudFlowClient
from fc_callback.values.base import Value

if TYPE_CHECKING:
    from fc_callback.callback.options import Options
    from fc_callback.values.context import FcContext


class Service(Value):
    """The CloudFlow to which a function's tasks are reported.

    Attributes:
        key: The values from which the client was created, beside the options.
        client: The client that reports the tasks.
        limit_bytes: The largest Output, in bytes of UTF-8.
    """

    key: tuple[object, ...]
    client: CloudFlowClient
    limit_bytes: int

    @classmethod
    def made_for(cls, options: Options, context: FcContext, key: tuple[object, ...]) -> Service:
        """Create the client of a function.

        With the context of a local CloudFlow, the client reports to that CloudFlow, because only it knows the task.
        """
        local, client = context.cloudflow_endpoint, options.client
        if client is None:
            client = CloudFlowClient(
                region=settings.text("CLOUDFLOW_REGION") or context.region,
                endpoint=local or "",
                already_completed=options.already_completed,
            )
        else:
            changed: dict[str, Any] = {}
            if options.already_completed == "raise":
                changed["already_completed"] = "raise"
            if local and not client.is_local:
                changed["endpoint"] = local
            client = client.evolve(**changed) if changed else client
        limit_bytes = settings.byte_count(
            "CLOUDFLOW_OUTPUT_LIMIT", options.output_limit_bytes, default=settings.CLOUDFLOW_OUTPUT_LIMIT_BYTES
        )
        return cls(key=key, client=client, limit_bytes=limit_bytes)
