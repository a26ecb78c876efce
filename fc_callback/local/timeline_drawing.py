"""Places the bars of a timeline on its axis: positions in percent of its width, so that the picture fits every screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from fc_callback.local.timeline import TimelineRow

_MOST_MARKS = 5
_STEPS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400),
)
# How much of the width a duration needs, and where one that begins to the right of its bar would not fit any more.
_LABEL_WIDTH = 14.0
_LAST_LABEL = 84.0


def axis_marks(seconds: float) -> list[float]:
    """Return the seconds at which the axis of a timeline has marks; all are before its end."""
    step = next((step for step in _STEPS if seconds / step <= _MOST_MARKS), None)
    if step is None:
        days = seconds / _STEPS[-1]
        step = _STEPS[-1] * -(-days // _MOST_MARKS)
    return [step * number for number in range(_MOST_MARKS + 1) if step * number < seconds or not number]


def percent(seconds: float, whole: float) -> str:
    """Return a position like `12.5%`; the whole of nothing is 100 %."""
    share = 100 * seconds / whole if whole > 0 else 100.0 * (seconds > 0)
    return f"{share:.4g}%"


@attrs.frozen(kw_only=True)
class LabelPlace:
    """Where the duration of a row is written.

    Attributes:
        x: The position.
        anchor: `start` or `end`: which end of the text is there.
        bar: The index of the bar that the text is on; None if it is beside the bars.
    """

    x: str
    anchor: str
    bar: int | None


def label_place(row: TimelineRow, whole: float) -> LabelPlace:
    """Return where the duration of a row is written: on its longest bar, or beside the bars if none is long enough."""
    if not row.bars or whole <= 0:
        return LabelPlace(x="0%", anchor="start", bar=None)
    if row.is_group:  # its bar is thin, and below the text
        first, last = row.bars[0].begin, row.bars[-1].end
        if 100 * first / whole <= _LAST_LABEL:
            return LabelPlace(x=percent(first, whole), anchor="start", bar=None)
        return LabelPlace(x=percent(last, whole), anchor="end", bar=None)
    index, longest = max(enumerate(row.bars), key=lambda pair: pair[1].end - pair[1].begin)
    if 100 * (longest.end - longest.begin) / whole >= _LABEL_WIDTH:
        return LabelPlace(x=percent(longest.begin, whole), anchor="start", bar=index)
    end = row.bars[-1].end
    if 100 * end / whole <= _LAST_LABEL:
        return LabelPlace(x=percent(end, whole), anchor="start", bar=None)
    begin = row.bars[0].begin if row.pause is None else min(row.bars[0].begin, row.pause[0])
    return LabelPlace(x=percent(begin, whole), anchor="end", bar=None)
