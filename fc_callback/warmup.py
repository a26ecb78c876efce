"""Load what a report needs before it is needed: in FC's initializer hook, or while the function waits on something else."""

from __future__ import annotations

import logging
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fc_callback.cloudflow.client import CloudFlowClient

_NEEDED = (
    "fc_callback.cloudflow.answers",
    "fc_callback.cloudflow.client",
    "fc_callback.cloudflow.delivery",
    "fc_callback.cloudflow.errors",
    "fc_callback.cloudflow.request",
    "fc_callback.cloudflow.transport",
)
# FC gives an initializer up to 300 seconds; this one is never worth more than these.
_OPEN_SECONDS = 5.0
# How long the function is looked at first, and again, each time for longer, while it computes.
_LOOK_SECONDS = 0.01
_LONGEST_LOOK_SECONDS = 0.5

logger = logging.getLogger("fc_callback")


def initializer(context: Any = None) -> str:
    """Prepare an instance for its first task: FC's initializer hook.

    Name it in s.yaml, `instanceLifecycleConfig.initializer.handler: index.initialize`, and in index.py::

        from fc_callback import initializer

        initialize = initializer

    It loads what the first report needs and opens the connection to CloudFlow. It ends within a few seconds and never
    fails: what is wrong is left for the first report to say, and logged at debug.

    Args:
        context: FC's context; the region is taken from it.

    Returns:
        An empty text, which every runtime can encode.
    """
    try:
        _prepare(context)
    except Exception as error:  # noqa: BLE001 - a start that is slow is better than one that fails
        logger.debug("The initializer could not prepare the first report: %s: %s", type(error).__name__, error)
    return ""


def _prepare(context: Any) -> None:
    from importlib import import_module

    load_client()
    for name in ("callback", "softdeadline", "decoding"):
        import_module(f"fc_callback.{name}")
    from fc_callback import settings
    from fc_callback.cloudflow.client import CloudFlowClient
    from fc_callback.context import FcContext

    client = CloudFlowClient(region=settings.text("CLOUDFLOW_REGION") or FcContext.read(context).region)
    # In a thread, because looking up a name cannot be bounded otherwise.
    opening = threading.Thread(target=_open, args=(client,), name="fc_callback-opening", daemon=True)
    opening.start()
    opening.join(_OPEN_SECONDS)
    if opening.is_alive():
        logger.debug("%s has not accepted a connection within %g seconds.", client.endpoint, _OPEN_SECONDS)


def load_client() -> None:
    """Import what a report needs."""
    from importlib import import_module

    for name in _NEEDED:
        import_module(name)


class Loading:
    """What a report needs, being loaded beside a block; at the end of the block, a thread that has not begun gives up.

    `wait` is what a report calls first: it waits for the thread, if that has begun. Two threads that import parts of one
    package at once may see it half done.
    """

    def __init__(self, client: CloudFlowClient | None) -> None:
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        if client is not None:
            thread = threading.Thread(target=self._load, args=(client,), name="fc_callback-loading", daemon=True)
            with suppress(RuntimeError):  # no thread is to be had: the report loads what it needs
                thread.start()
                self._thread = thread

    def __enter__(self) -> Loading:
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()

    def wait(self) -> None:
        """Wait until nothing is being loaded any more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _load(self, client: CloudFlowClient) -> None:
        if _something_waits(self._ended):
            with suppress(Exception):  # the report does the same, and says what is wrong
                load_client()
                _open(client)


def load_in_background(client: CloudFlowClient) -> Loading:
    """Import what a report needs and open its connection, in a thread beside the caller; once in a process.

    The thread begins when the process has something to wait on: beside a function that computes it would only take turns
    with it. A failure is left for the report to find.

    Args:
        client: Who will report.
    """
    return Loading(None if all(name in sys.modules for name in _NEEDED) else client)


def _something_waits(ended: threading.Event) -> bool:
    """Wait until the process uses less than half of a processor; False when the function has ended before."""
    look = _LOOK_SECONDS
    while True:
        before = time.process_time()
        if ended.wait(look):
            return False
        if time.process_time() - before < look / 2:
            return True
        look = min(look * 2, _LONGEST_LOOK_SECONDS)


def _open(client: CloudFlowClient) -> None:
    from fc_callback.cloudflow.transport import transport_for

    transport_for(client.endpoint).open(connect=client.connect_seconds)
