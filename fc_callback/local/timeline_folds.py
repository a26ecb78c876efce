"""What the reader of a timeline has unfolded, as a text that stands in the page's address."""

from __future__ import annotations

import re

import attrs

_STEP = 50
_MOST = 1_000
_MOST_ITEMS = 200
_ITEM = re.compile(r"([0-9]{1,8})(?::([0-9]{1,8}))?")


@attrs.frozen(kw_only=True)
class Folds:
    """The items that are not as they are by default. An item is named by the id of the event that it began with.

    Attributes:
        flipped_items: The branches and iterations that are open although they are folded by default, or folded although
            they are open by default.
        counts: How many branches, iterations or steps an item shows.
    """

    flipped_items: tuple[int, ...] = ()
    counts: tuple[tuple[int, int], ...] = ()

    @classmethod
    def read(cls, text: str) -> Folds:
        """Read a text like `17,23,4:62`: flip 17 and 23, and show 62 items of 4. What cannot be read is ignored."""
        words = [_ITEM.fullmatch(word) for word in text.split(",")[:_MOST_ITEMS]]
        found = [(int(word[1]), word[2]) for word in words if word]
        return cls(
            flipped_items=tuple(item for item, count in found if count is None),
            counts=tuple((item, min(int(count), _MOST)) for item, count in found if count is not None),
        )

    def __str__(self) -> str:
        """Return the text that `read` reads."""
        return ",".join([*map(str, self.flipped_items), *(f"{item}:{count}" for item, count in self.counts)])

    def is_open(self, item: int, *, by_default: bool) -> bool:
        """Return whether an item shows what is inside it."""
        return by_default != (item in self.flipped_items)

    def count(self, item: int, default: int) -> int:
        """Return how much of an item is shown."""
        return max(default, dict(self.counts).get(item, 0))

    def flipped(self, item: int) -> str:
        """Return the text after a click that opens or folds an item."""
        others = tuple(each for each in self.flipped_items if each != item)
        return str(
            attrs.evolve(self, flipped_items=others if len(others) < len(self.flipped_items) else (*others, item))
        )

    def with_more(self, item: int, shown: int) -> str | None:
        """Return the text after a click that shows more of an item; None if it shows the most already."""
        if shown >= _MOST:
            return None
        others = [each for each in self.counts if each[0] != item]
        return str(attrs.evolve(self, counts=(*others, (item, shown + _STEP))))
