"""Time triggers. Source: FC documentation, "Formats of event for different triggers"."""

from typing import Any, ClassVar

from fc_callback.events.base import Carrier, Event, Time, dedup_key


class TimerEvent(Carrier, Event):
    """The event of a time trigger. `text` and `json()` read the payload from the trigger's settings."""

    _content_field: ClassVar[str] = "payload"

    trigger_time: Time
    trigger_name: str
    payload: Any = ""

    @property
    def dedup_key(self) -> str:
        """The trigger's name and the time it was due."""
        return dedup_key("timer", self.trigger_name, self.trigger_time.isoformat())
