"""Several instances of a function, for concurrent requests."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import attrs

from fc_callback.errors import FcCallbackError, SettingsError
from fc_callback.runtime.instance import FunctionInstance

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.runtime.function import FunctionSpec, InvocationResult
    from fc_callback.values.context import Credentials


class FunctionPool:
    """The instances of a function. A free warm instance takes the next request; otherwise a new one starts.

    Args:
        spec: The function.
        max_instances: The largest number of instances. Further requests wait for one; FC would respond with 429.

    Raises:
        SettingsError: `max_instances` is less than 1.
    """

    def __init__(self, spec: FunctionSpec, *, max_instances: int = 4) -> None:
        if max_instances < 1:
            raise SettingsError(f"max_instances must be 1 or more, not {max_instances}.")
        self.spec = spec
        self.max_instances = max_instances
        self._changed = threading.Condition()
        self._all: list[FunctionInstance] = []
        self._free: list[FunctionInstance] = []
        self._closed = False

    @property
    def instances(self) -> tuple[FunctionInstance, ...]:
        """All instances, free or busy."""
        with self._changed:
            return tuple(self._all)

    def invoke(
        self,
        event: bytes,
        *,
        credentials: Credentials | None,
        request_id: str | None = None,
        retry_count: int = 0,
        cancelled: threading.Event | None = None,
        on_log: Callable[[str], None] | None = None,
    ) -> InvocationResult:
        """Run the function once, on an instance of its own for the time; see `FunctionInstance.invoke`.

        To cancel it, set `cancelled`, and then call `interrupt_cancelled`.
        """
        cancelled = cancelled or threading.Event()
        instance = self._take(cancelled)
        try:
            return instance.invoke(
                event,
                credentials=credentials,
                request_id=request_id,
                retry_count=retry_count,
                cancelled=cancelled,
                on_log=on_log,
            )
        finally:
            self._give_back(instance)

    def _take(self, cancelled: threading.Event) -> FunctionInstance:
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or cancelled.is_set() or self._free or len(self._all) < self.max_instances
            )
            if self._closed:
                raise FcCallbackError(f"The instances of function {self.spec.name!r} are closed.")
            if cancelled.is_set():
                raise FcCallbackError(f"The invocation of function {self.spec.name!r} was cancelled.")
            if self._free:
                return self._free.pop()
            instance = FunctionInstance(self.spec)
            self._all.append(instance)
            return instance

    def _give_back(self, instance: FunctionInstance) -> None:
        with self._changed:
            if instance.spec is self.spec:
                self._free.append(instance)
                self._changed.notify()
                return
        self._drop([instance])

    def renew(self, spec: FunctionSpec) -> None:
        """Run the next requests on new instances of `spec`, after an edit of the code or of the function.

        A request that runs now ends on its instance, which is then closed. The free instances are closed before this
        returns; a request that arrives meanwhile does not wait for that, unless there are `max_instances`.
        """
        with self._changed:
            self.spec = attrs.evolve(spec)  # a new object: instances of the old one are recognized by it
            old, self._free = self._free, []
        self._drop(old)

    def _drop(self, instances: list[FunctionInstance]) -> None:
        for instance in instances:
            instance.close()
        with self._changed:
            self._all = [instance for instance in self._all if instance not in instances]
            self._changed.notify_all()

    def interrupt_cancelled(self) -> None:
        """Interrupt the invocations whose `cancelled` is set: their processes end, and other requests get new ones."""
        with self._changed:
            self._changed.notify_all()
        for instance in self.instances:
            instance.interrupt_cancelled()

    def interrupt(self) -> None:
        """Interrupt running invocations and refuse further ones; requests that wait for an instance raise FcCallbackError."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for instance in self.instances:
            instance.interrupt()

    def close(self) -> None:
        """Close all instances, also busy ones; requests that wait for an instance raise FcCallbackError."""
        self.interrupt()  # all of them first: a process that ignores SIGTERM takes some seconds to end
        for instance in self.instances:
            instance.close()

    def __enter__(self) -> FunctionPool:
        """Return the pool."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the pool."""
        self.close()
