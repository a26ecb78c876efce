"""The null object of `Work`: a handler without `once` holds it, so that no caller asks whether there is a record.

It has a file of its own because a cold start without `once` loads neither stores nor attrs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fc_callback.values.context import Deadline


class Unremembered:
    """Has the attributes and methods of `Work` and remembers nothing.

    Attributes:
        is_remembered: Always False; True for every `Work`.
        stored: Always None: the work must run.
        came_before: Always False.
        is_reported: Always False.
        is_written: Always True: nothing is left to record.
        record: Always None.
        release_hint: Always empty.
    """

    __slots__ = ()

    is_remembered = False
    stored: None = None
    came_before = False
    is_reported = False
    is_written = True
    record: None = None
    release_hint = ""

    def _do_nothing(self, *_: str, until: Deadline | None = None) -> None:
        """Do nothing."""

    done = failed = refused = deferred = write_again = reported = abandon = _do_nothing


NO_WORK = Unremembered()
