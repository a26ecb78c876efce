"""FC's initializer hook: it opens the connection to CloudFlow before the first report."""

from __future__ import annotations

import logging
from typing import Any

from fc_callback import settings
from fc_callback.cloudflow.client import CloudFlowClient
from fc_callback.cloudflow.transport import transport_for
from fc_callback.values.context import FcContext

# FC gives an initializer up to 300 seconds; a connection is not worth more than these.
_OPEN_SECONDS = 5.0

logger = logging.getLogger("fc_callback")


def initializer(context: Any = None) -> str:
    """Prepare an instance for its first task: FC's initializer hook.

    Name it in s.yaml, `instanceLifecycleConfig.initializer.handler: index.initialize`, and in index.py::

        from fc_callback import initializer

        initialize = initializer

    It opens the connection to CloudFlow, and loads the driver of `CLOUDFLOW_ONCE_STORE` if that is set. It ends within a few
    seconds and never fails: if there is a problem, the first report raises the error.

    Args:
        context: FC's context, which has the region.

    Returns:
        An empty text, which every runtime can encode.
    """
    for prepare in (_load_driver, lambda: _open_connection(context)):
        try:
            prepare()
        except Exception as error:  # noqa: BLE001, PERF203 - a start that is slow is better than one that fails
            logger.debug("The initializer could not prepare the first report: %s: %s", type(error).__name__, error)
    return ""


def _load_driver() -> None:
    url = settings.text("CLOUDFLOW_ONCE_STORE")
    if url is not None:
        from fc_callback.idempotency.opening import open_store

        open_store(url)


def _open_connection(context: Any) -> None:
    client = CloudFlowClient(region=settings.text("CLOUDFLOW_REGION") or FcContext.read(context).region)
    transport_for(client.endpoint).open(connect=min(client.connect_seconds, _OPEN_SECONDS))
