"""Events that are an array with one element for each message."""

from collections.abc import Iterator
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin

from pydantic import BeforeValidator

from fc_callback.events.base import Event, Part, open_text

ElementT = TypeVar("ElementT", bound=Part)


class Batch(Event, Generic[ElementT]):
    """Several messages in one event. Iterate over it. A single message is a batch of one.

    Elements may be JSON in strings: older EventBridge triggers deliver them like that.
    """

    events: list[Annotated[ElementT, BeforeValidator(open_text)]]

    @classmethod
    def _decode(cls, event: object) -> Any:
        decoded = super()._decode(event)
        return {"events": list(decoded) if isinstance(decoded, list | tuple) else [decoded]}

    @classmethod
    def leave_out(cls, decoded: Any, token: str) -> Any:
        """Return the messages without the task token in the data that is validated as a user's type."""
        part = cls._part()
        return {"events": [part.leave_out(open_text(one), token) for one in decoded["events"]]} if part else decoded

    @classmethod
    def check(cls) -> None:
        """Build the validators of the messages. Called when a function is decorated."""
        part = cls._part()
        if part is not None and issubclass(part, Event):
            part.check()

    @classmethod
    def _part(cls) -> type[Part] | None:
        """Return the class of the messages, or None if they may be anything."""
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
        """The key of a single message. None for several messages: each has its own key, if any."""
        return getattr(self.events[0], "dedup_key", None) if len(self.events) == 1 else None
