"""Where `fc-callback invoke` gets its event from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.cli.remote import MASKED_TOKEN, RemoteTask, seen_event
from fc_callback.cli.usage import bytes_of_file, text_of
from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from fc_callback.testing import WaitingTask

_NOT_TEXT = "Use --event-file for an event that is not text."


@attrs.frozen(kw_only=True)
class EventSource:
    """The source of the event: the bytes of a file, or a trigger's event format with a payload."""

    raw: bytes | None = None
    trigger: Callable[..., bytes] | None = None
    payload: Mapping[str, Any] | str | None = None

    @classmethod
    def read(cls, event: str, payload: str | None, event_file: Path | None) -> EventSource:
        """Return the source that the options give.

        Raises:
            SettingsError: The options exclude each other, or one of them cannot be used.
        """
        if event_file is not None:
            if payload is not None:
                raise SettingsError("--event-file gives the whole event.", hint="Remove --payload.")
            return cls(raw=bytes_of_file("--event-file", str(event_file)))
        trigger = triggers().get(event)
        if trigger is None:
            raise SettingsError(f"--event {event!r} is not known.", hint=f"Use one of {', '.join(triggers())}.")
        from fc_callback.testing.events import WITH_PAYLOAD

        if trigger not in WITH_PAYLOAD:
            if payload is not None:
                raise SettingsError(f"Events of {event} have no payload.", hint="Remove --payload.")
            return cls(trigger=trigger)
        return cls(trigger=trigger, payload=_payload(payload))

    @classmethod
    def replay(cls, number: int, endpoint: str | None, *, is_alone: bool) -> EventSource:
        """Return an event that the local CloudFlow at `endpoint` gave a function, to be delivered with a new task.

        Raises:
            SettingsError: There is no such event, or another option gives an event too.
        """
        if not is_alone:
            raise SettingsError("--replay gives the whole event.", hint="Remove --payload and --event-file.")
        if not endpoint:
            raise SettingsError("--replay needs CLOUDFLOW_ENDPOINT.", hint="Export what `fc-callback local` prints.")
        event = seen_event(endpoint, number).encode()
        return cls(raw=event, payload={} if MASKED_TOKEN.encode() in event else None)

    def build(self, task: WaitingTask | RemoteTask | None) -> bytes:
        """Return the event's bytes, with the task's token if the format has a payload."""
        if self.raw is not None or self.trigger is None:
            raw = self.raw or b""
            # Only --replay has a task here.
            return raw.replace(MASKED_TOKEN.encode(), task.token.reveal().encode()) if task else raw
        if self.payload is None:
            return self.trigger()
        return task.event_as(self.trigger) if task else self.trigger(self.payload)

    @property
    def new_payload(self) -> Mapping[str, Any] | None:
        """The input of a new task; None if the event cannot carry a token."""
        return None if self.payload is None or isinstance(self.payload, str) else self.payload


def triggers() -> dict[str, Callable[..., bytes]]:
    """Return what builds the event of each trigger, by the name that `--event` takes."""
    from fc_callback.testing import events

    return {trigger.__name__.replace("_", "-"): trigger for trigger in (*events.WITH_PAYLOAD, *events.WITHOUT_PAYLOAD)}


def _payload(text: str | None) -> Mapping[str, Any] | str:
    if text is None:
        return {}
    text = text_of("--payload", "@-" if text == "-" else text, hint=_NOT_TEXT)
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict) else text
