"""What the page of an execution shows of its history: its timeline and its table of events."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode

import attrs

from fc_callback.local.clock import iso_milliseconds
from fc_callback.local.console_gate import read_number
from fc_callback.local.console_rendering import execution_path, pretty, size_of
from fc_callback.local.progress import seconds_between
from fc_callback.local.timeline import read_timeline
from fc_callback.local.timeline_drawing import axis_marks, label_place, percent
from fc_callback.local.timeline_folds import Folds
from fc_callback.redaction import mask_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.local.console_reading import ExecutionReading
    from fc_callback.local.history import HistoryEvent
    from fc_callback.local.progress import StepRun
    from fc_callback.local.store import Row
    from fc_callback.local.timeline import Timeline, TimelineRow
    from fc_callback.local.timeline_drawing import LabelPlace

# The parts of the page's address: the tab, the chosen step and its run; of the timeline what is unfolded; of the history
# the first event, the one step that is shown, and the event that is shown whole.
_PARAMETERS = ("tab", "step", "run", "open", "from", "of", "event")
_PAGE_EVENTS = 200
_MOST_CHARACTERS = 4_000


@attrs.frozen(kw_only=True)
class PageAddress:
    """The address of an execution's page, and the addresses that its links lead to.

    Attributes:
        path: The path.
        chosen: The parameters.
    """

    path: str
    chosen: dict[str, str]

    @classmethod
    def read(cls, row: Row, given: Mapping[str, str]) -> PageAddress:
        """Build an instance from the row of an execution and the parameters of a request."""
        chosen = {name: given[name] for name in _PARAMETERS if given.get(name)}
        return cls(path=execution_path(row["flow_name"], row["name"]), chosen=chosen)

    def link(self, **changes: str | int | None) -> str:
        """Return the address with other parameters; an empty value removes one. `first` stands for `from`."""
        if "first" in changes:
            changes["from"] = changes.pop("first")
        values = {**self.chosen, **changes}
        found = [(name, values[name]) for name in _PARAMETERS if values.get(name)]
        return f"{self.path}?{urlencode(found)}" if found else self.path


def names_of(path: str) -> list[str]:
    """Return the elements of a step's path as the definition has them."""
    return [unquote(each) for each in path.split("/")]


@attrs.frozen(kw_only=True)
class TimelineView:
    """A timeline, the address of its page, and the seconds at which its axis has marks."""

    page: PageAddress
    timeline: Timeline
    marks: list[float]

    def moment(self, seconds: float) -> str:
        """Return the time that a position stands for."""
        return iso_milliseconds(self.timeline.begin + seconds)

    def percent(self, seconds: float) -> str:
        """Return a position or a width in percent of the timeline."""
        return percent(seconds, self.timeline.seconds)

    def label_place(self, row: TimelineRow) -> LabelPlace:
        """Return where the duration of a row is written."""
        return label_place(row, self.timeline.seconds)


def timeline_of(reading: ExecutionReading, given: Mapping[str, str]) -> TimelineView:
    """Return what timeline.html shows; `given` are the parameters of the request."""
    page = PageAddress.read(reading.row, given)
    timeline = read_timeline(
        reading.history,
        now=reading.components.clock.now(),
        waits=reading.waits,
        folds=Folds.read(page.chosen.get("open", "")),
    )
    return TimelineView(page=page, timeline=timeline, marks=axis_marks(timeline.seconds))


# The history


@attrs.frozen(kw_only=True)
class HistoryRow:
    """An event as the table shows it.

    Attributes:
        event: The event.
        seconds: Since the begin of the execution.
        path: The path of its step; empty for an event of the execution.
        run: The id of the step's run.
        cause: The event that caused it; None if it is the first.
        is_cause_above: Whether that is the row above it.
        is_cause_shown: Whether the page shows the cause too.
        detail: The detail as JSON text, cut if it is long.
        is_cut: Whether it is cut.
        size: The size of the whole detail, like `1.5 KiB`.
    """

    event: HistoryEvent
    seconds: float
    path: str
    run: int
    cause: HistoryEvent | None
    is_cause_above: bool
    is_cause_shown: bool
    detail: str
    is_cut: bool
    size: str


@attrs.frozen(kw_only=True)
class HistoryView:
    """The events of an execution, one page of them.

    Attributes:
        page: The address of the page.
        rows: The events.
        count: How many there are of the chosen step, or of all.
        first: The position of the first row among them, from 1.
        paths: The paths of the steps that have events.
        earlier: The id of the first event of the page before; None if there is none.
        later: The id of the first event of the next page; None if there is none.
        last: The id of the first event of the last page; None if this is the last page.
    """

    page: PageAddress
    rows: list[HistoryRow]
    count: int
    first: int
    paths: list[str]
    earlier: int | None
    later: int | None
    last: int | None

    @property
    def chosen(self) -> int:
        """The position of the chosen step in `paths`, from 1; 0 if all steps are shown."""
        only = self.page.chosen.get("of")
        return self.paths.index(only) + 1 if only in self.paths else 0

    def name_of(self, path: str) -> str:
        """Return the path of a step as people read it."""
        return " / ".join(names_of(path))


def history_of(reading: ExecutionReading, given: Mapping[str, str]) -> HistoryView:
    """Return what history.html shows; `given` are the parameters of the request."""
    page = PageAddress.read(reading.row, given)
    history, runs = reading.history, reading.runs
    owners = {event.id: run for run in runs for event in run.events}
    only = page.chosen.get("of")
    events = [each for each in history if not only or (each.id in owners and owners[each.id].path == only)]
    begin = next((index for index, event in enumerate(events) if event.id >= _number_of(page, "from")), 0)
    shown = events[begin : begin + _PAGE_EVENTS]
    after = begin + len(shown)
    reader = _RowReader(history, owners, shown, whole=_number_of(page, "event"))
    return HistoryView(
        page=page,
        rows=[reader.row(event, above) for event, above in zip(shown, [None, *shown], strict=False)],
        count=len(events),
        first=begin + 1,
        paths=list(dict.fromkeys(run.path for run in runs)),
        earlier=events[max(0, begin - _PAGE_EVENTS)].id if begin else None,
        later=events[after].id if after < len(events) else None,
        last=events[max(after, len(events) - _PAGE_EVENTS)].id if after < len(events) else None,
    )


def _number_of(page: PageAddress, name: str) -> int:
    return read_number(page.chosen.get(name, "")) or 0


class _RowReader:
    def __init__(
        self, history: list[HistoryEvent], owners: Mapping[int, StepRun], shown: list[HistoryEvent], *, whole: int
    ) -> None:
        self._begin = history[0].time if history else ""
        self._events = {event.id: event for event in history}
        self._owners = owners
        self._shown = {event.id for event in shown}
        self._whole = whole

    def row(self, event: HistoryEvent, above: HistoryEvent | None) -> HistoryRow:
        # Masked before it is cut: the begin of a secret would not be known as one.
        detail = mask_secrets(pretty(event.detail)) if event.detail else ""
        is_cut = len(detail) > _MOST_CHARACTERS and event.id != self._whole
        run = self._owners.get(event.id)
        cause = self._events.get(event.schedule_event_id)
        return HistoryRow(
            event=event,
            seconds=seconds_between(self._begin, event.time) or 0.0,
            path="" if run is None else run.path,
            run=0 if run is None else run.id,
            cause=cause,
            is_cause_above=cause is above,
            is_cause_shown=cause is not None and cause.id in self._shown,
            detail=detail[:_MOST_CHARACTERS] if is_cut else detail,
            is_cut=is_cut,
            size=size_of(detail),
        )
