"""Events that are an array: one element for each message."""

from collections.abc import Iterator
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin

from pydantic import BeforeValidator

from fc_callback.events.base import Event, Part, open_text

ElementT = TypeVar("ElementT", bound=Part)


class Batch(Event, Generic[ElementT]):
    """Several messages in one event: iterate over it. A message that comes alone is a batch of one.

    Elements may be JSON in strings: older EventBridge triggers push them so.
    """

    events: list[Annotated[ElementT, BeforeValidator(open_text)]]

    @classmethod
    def _decode(cls, event: object) -> Any:
        decoded = super()._decode(event)
        return {"events": list(decoded) if isinstance(decoded, list | tuple) else [decoded]}

    @classmethod
    def leave_out(cls, decoded: Any, token: str) -> Any:
        """Return the messages without the task token, each where a type of a person's own is validated."""
        part = cls._part()
        return {"events": [part.leave_out(open_text(one), token) for one in decoded["events"]]} if part else decoded

    @classmethod
    def check(cls) -> None:
        """Build what reads the messages, when a function is decorated."""
        part = cls._part()
        if part is not None and issubclass(part, Event):
            part.check()

    @classmethod
    def _part(cls) -> type[Part] | None:
        """Return the class of the messages; None in a batch of any."""
        element = get_args(cls.model_fields["events"].annotation)[0]
        part = get_args(element)[0] if get_origin(element) is Annotated else element
        return part if isinstance(part, type) else None

    def __iter__(self) -> Iterator[ElementT]:  # type: ignore[override]  # its elements, not pydantic's (name, value) pairs
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, index: int) -> ElementT:
        return self.events[index]

    @property
    def dedup_key(self) -> str | None:
        """The key of the one message; None where there are more: each has its own, if any."""
        return getattr(self.events[0], "dedup_key", None) if len(self.events) == 1 else None
