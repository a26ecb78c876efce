"""Functions of a person's that change or drop the fields of each line before it is masked and written."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from fc_callback.errors import FcCallbackError
from fc_callback.values import validators
from fc_callback.values.record_text import PASSING_THROUGH, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Processor = Callable[[dict[str, Any]], "dict[str, Any] | None"]

_GIVE = "Give functions of a line's fields that return them, like processors=(add_version,)."

# Set while a processor runs: a line that the processor logs itself is not processed, which would never end.
_is_running: ContextVar[bool] = ContextVar("fc_callback_log_processor", default=False)


class Processors:
    """Applies the processors of a `Logger`, in order.

    Args:
        processors: The functions.

    Raises:
        SettingsError: One is no plain function of one argument.
    """

    def __init__(self, processors: Iterable[Processor]) -> None:
        if not hasattr(type(processors), "__iter__"):
            validators.refuse("processors", processors, _GIVE)
        self._processors = tuple(processors)
        for processor in self._processors:
            validators.function("processors", processor, gets=("fields",), give=_GIVE)
        self._names = [text_of(getattr(one, "__qualname__", type(one).__qualname__)) for one in self._processors]
        self._failed: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._processors)

    def apply(self, fields: dict[str, Any]) -> dict[str, Any] | None:
        """Return what the processors make of a line's fields; None where one drops the record.

        A processor that raises, or returns neither a dict nor None, is passed over. The first line on which it fails says
        so in its field `processor_failed`.
        """
        if _is_running.get():
            return fields
        mark = _is_running.set(True)
        try:
            processed: dict[str, Any] | None = fields
            for number, processor in enumerate(self._processors):
                if processed is None:
                    break
                processed = self._apply_one(number, processor, processed)
            return processed
        finally:
            _is_running.reset(mark)

    def _apply_one(self, number: int, processor: Processor, fields: dict[str, Any]) -> dict[str, Any] | None:
        try:
            given = processor(dict(fields))
            return None if given is None else _checked_fields(given)
        except PASSING_THROUGH:
            raise
        except BaseException as error:  # noqa: BLE001 - a person's function may raise anything
            if number in self._failed:
                return fields
            self._failed.add(number)
            said = str(error) if type(error) is _NoFields else type(error).__name__
            return {**fields, "processor_failed": f"{self._names[number]}: {said}"}


class _NoFields(FcCallbackError, TypeError):
    """A processor returned neither a dict nor None."""


def _checked_fields(given: Any) -> dict[str, Any]:
    if not issubclass(type(given), dict):
        raise _NoFields(f"it returned {validators.kind_of(given)}")
    return {name if type(name) is str else text_of(name): value for name, value in dict.items(given)}
