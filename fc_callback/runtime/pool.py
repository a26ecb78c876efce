"""As many instances of a function as requests arrive at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from fc_callback.errors import FcCallbackError, SettingsError
from fc_callback.runtime.instance import FunctionInstance

if TYPE_CHECKING:
    from fc_callback.runtime.function import FunctionSpec, InvocationResult
    from fc_callback.values.context import Credentials


class FunctionPool:
    """A function's instances: a warm one that is free takes the next request, else a new one starts.

    Args:
        spec: The function.
        max_instances: How many may run at once; further requests wait for one, where FC would answer 429.

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
        """Every instance there is, free or not."""
        with self._changed:
            return tuple(self._all)

    def invoke(
        self,
        event: bytes,
        *,
        credentials: Credentials | None,
        request_id: str | None = None,
        retry_count: int = 0,
    ) -> InvocationResult:
        """Run the function once, on an instance of its own for the time; see `FunctionInstance.invoke`."""
        instance = self._take()
        try:
            return instance.invoke(event, credentials=credentials, request_id=request_id, retry_count=retry_count)
        finally:
            with self._changed:
                self._free.append(instance)
                self._changed.notify()

    def _take(self) -> FunctionInstance:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._free or len(self._all) < self.max_instances)
            if self._closed:
                raise FcCallbackError(f"The instances of function {self.spec.name!r} are closed.")
            if self._free:
                return self._free.pop()
            instance = FunctionInstance(self.spec)
            self._all.append(instance)
            return instance

    def interrupt(self) -> None:
        """Cut off what runs, and take nothing more; requests that wait for an instance end in FcCallbackError."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for instance in self.instances:
            instance.interrupt()

    def close(self) -> None:
        """Close every instance, those that are busy too; requests that wait for one end in FcCallbackError."""
        self.interrupt()  # all of them first: a process that ignores SIGTERM takes some seconds to end
        for instance in self.instances:
            instance.close()

    def __enter__(self) -> FunctionPool:
        """Return the pool."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self.close()
