"""Where each part of a YAML text begins and ends, for a change that leaves every other character as it is.

    root = read_nodes(text)
    props = node_at(root, "resources", "orders", "props")

`yaml_reader` says what the values are. Read a text with it first: it has the bounds that this module relies on.
"""

from __future__ import annotations

from typing import Any, Literal

import attrs
import yaml

from fc_callback.project.yaml_reader import yaml_events


@attrs.frozen(kw_only=True)
class YamlNode:
    """A part of a YAML text.

    Attributes:
        kind: What it is. An alias stands for a value that is elsewhere in the text.
        start: The index of its first character.
        end: The index after its last character, without comments and blank lines.
        column: The column of its first character, from 0.
        flow: Whether it is a collection in brackets, as in JSON.
        text: The value of a scalar; the name of an alias.
        style: The quote of a scalar, or `|` or `>`; None for a plain one.
        entries: The keys and values of a mapping.
        items: The elements of a sequence.
    """

    kind: Literal["scalar", "mapping", "sequence", "alias"]
    start: int
    end: int
    column: int
    flow: bool = False
    text: str = ""
    style: str | None = None
    entries: tuple[tuple[YamlNode, YamlNode], ...] = ()
    items: tuple[YamlNode, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it is a null that may be replaced: nothing, `~` or `null`."""
        return self.kind == "scalar" and self.style is None and self.text in {"", "~", "null", "Null", "NULL"}

    def entry(self, key: str | int) -> tuple[YamlNode, YamlNode] | None:
        """Return the key and the value of a mapping's entry; None if there is none."""
        return next((entry for entry in self.entries if entry[0].text == key), None)

    def child(self, step: str | int) -> YamlNode | None:
        """Return the value under a key, or an element; None if there is none."""
        if isinstance(step, int):
            return self.items[step] if step < len(self.items) else None
        entry = self.entry(step)
        return entry[1] if entry else None


def read_nodes(text: str) -> YamlNode | None:
    """Return the parts of a YAML text that `parse_yaml` can read; None for an empty one."""
    events = yaml_events(text)
    while events.check_event(yaml.StreamStartEvent, yaml.DocumentStartEvent):
        events.get_event()
    return None if events.check_event(yaml.StreamEndEvent) else _node(events, text)


def node_at(root: YamlNode | None, *place: str | int) -> YamlNode | None:
    """Return the part at a place; None if there is none, or if it is behind an alias."""
    node = root
    for step in place:
        node = node.child(step) if node else None
    return node


def _node(events: Any, text: str) -> YamlNode:
    event: Any = events.get_event()
    start, end, column = event.start_mark.index, event.end_mark.index, event.start_mark.column
    if isinstance(event, yaml.AliasEvent):
        return YamlNode(kind="alias", start=start, end=end, column=column, text=str(event.anchor))
    if isinstance(event, yaml.ScalarEvent):
        # The mark of a block scalar is behind the blank lines that follow it.
        end = start + len(text[start:end].rstrip())
        return YamlNode(kind="scalar", start=start, end=end, column=column, text=event.value, style=event.style)
    entries: list[tuple[YamlNode, YamlNode]] = []
    items: list[YamlNode] = []
    is_mapping = isinstance(event, yaml.MappingStartEvent)
    while not events.check_event(yaml.MappingEndEvent, yaml.SequenceEndEvent):
        if is_mapping:
            entries.append((_node(events, text), _node(events, text)))
        else:
            items.append(_node(events, text))
    last = entries[-1][1] if entries else items[-1] if items else None
    end_mark = events.get_event().end_mark
    flow = bool(event.flow_style)
    if is_mapping and entries and not flow:
        column = entries[0][0].column  # an anchor or a tag may come before the first key
    return YamlNode(
        kind="mapping" if is_mapping else "sequence",
        start=start,
        end=end_mark.index if flow or last is None else last.end,  # that of a block is where the next token begins
        column=column,
        flow=flow,
        entries=tuple(entries),
        items=tuple(items),
    )
