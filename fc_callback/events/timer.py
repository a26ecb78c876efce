"""Time triggers. Source: FC documentation, "Formats of event for different triggers"."""

from typing import Any

from fc_callback.events.base import Carrier, Event, Time, dedup_key


class TimerEvent(Carrier, Event):
    """A time trigger went off. `text` and `json()` read the payload that the trigger's settings hold."""

    trigger_time: Time
    trigger_name: str
    payload: Any = ""

    def _content(self) -> Any:
        return "" if self.payload is None else self.payload

    @property
    def dedup_key(self) -> str:
        """The trigger's name and the time it was due."""
        return dedup_key("timer", self.trigger_name, self.trigger_time.isoformat())
