"""Insert values into the text of a YAML file. Every other character stays: comments, order, quotes, line endings.

Each edit is proved: the new text must have exactly the values that were meant. So a value that an anchor, an alias or a
merge key shares with another part of the file is not changed, because the other part would change as well.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.project.documents import value_at
from fc_callback.project.yaml_nodes import read_nodes
from fc_callback.project.yaml_reader import DocumentError, parse_yaml
from fc_callback.scaffolding.errors import NotPlaced
from fc_callback.scaffolding.line_edits import newline_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fc_callback.project.documents import Place
    from fc_callback.project.yaml_nodes import YamlNode

_INDENT = "  "
_SHARED = "an anchor, an alias, a merge key or a template shares it with another part of the file"


@attrs.frozen(kw_only=True)
class YamlFragment:
    """A value to insert.

    Attributes:
        lines: Block YAML from column 0, with comments: `key: value`, or `- element` for an element of a list.
        value: The value of the key, or the element.
    """

    lines: tuple[str, ...]
    value: Any

    def under(self, key: str, value: Any) -> YamlFragment:
        """Return the fragment of an entry `key:` whose value these lines are."""
        return YamlFragment(lines=(f"{key}:", *(f"{_INDENT}{line}" for line in self.lines)), value=value)


def with_entry(text: str, place: Place, fragment: YamlFragment, *, after: Sequence[str] = ()) -> str:
    """Return a YAML text with one more entry of a mapping. Mappings on the way to it are made where they are missing.

    Args:
        text: The text. `parse_yaml` can read it.
        place: The keys on the way to the entry, and its own. A null or an empty text there is replaced.
        fragment: The entry.
        after: Keys of the same mapping. The entry comes behind the last of them, or at the end if there is none.

    Raises:
        NotPlaced: The entry cannot be inserted without a change of something else.
    """
    value = fragment.value
    way = _way_to(text, place)
    for depth in range(len(place) - 2, len(way) - 1, -1):  # the mappings that are missing, from the inside
        fragment = fragment.under(str(place[depth]), {place[depth + 1]: fragment.value})
    if len(way) == len(place):
        changed = _replaced(text, way, fragment)
    else:
        changed = _with_child(text, way, str(place[len(way)]), fragment, after)
    return _proved(text, changed, place, value)


def with_element(text: str, place: Place, fragment: YamlFragment, *, after: Sequence[str] = ()) -> str:
    """Return a YAML text with one more element at the end of a list. A missing list is made.

    Args:
        text: The text. `parse_yaml` can read it.
        place: The list.
        fragment: The element.
        after: As for `with_entry`, where the list or a mapping around it is made.

    Raises:
        NotPlaced: The element cannot be inserted without a change of something else.
    """
    way = _way_to(text, place)
    node = way[-1][1] if len(way) == len(place) else None
    if node is None or node.is_empty:
        return with_entry(text, place, fragment.under(str(place[-1]), [fragment.value]), after=after)
    if node.kind != "sequence":
        raise NotPlaced(_why_closed(node, text))
    before = value_at(parse_yaml(text), *place)
    if node.flow:
        changed = _in_brackets(text, node, json.dumps(fragment.value, ensure_ascii=False))
    else:
        end = node.items[-1].end
        first = text[_start_of_line(text, node.items[0].start) : node.items[0].start]
        indent = first[: len(first) - len(first.lstrip(" "))]
        changed = _with_lines(text, end, [indent + line for line in fragment.lines])
    return _proved(text, changed, place, [*before, fragment.value])


def with_suffix(text: str, place: Place, suffix: str) -> str:
    """Return a YAML text in which the text at a place ends with a suffix.

    Raises:
        NotPlaced: There is no text on one line, or it is shared with another part of the file.
    """
    way = _way_to(text, place)
    if len(way) < len(place):
        raise NotPlaced(_SHARED)
    node = way[-1][1]
    if node.kind != "scalar" or node.style in {"|", ">"}:
        raise NotPlaced(_why_closed(node, text))
    at = node.end - (1 if node.style else 0)
    return _proved(text, text[:at] + suffix + text[at:], place, f"{node.text}{suffix}")


def _way_to(text: str, place: Place) -> list[tuple[YamlNode, YamlNode]]:
    """Return the keys and values on the way to a place, as far as they exist."""
    root = read_nodes(text)
    if root is None:
        raise NotPlaced("the file is empty")
    way: list[tuple[YamlNode, YamlNode]] = []
    node = root
    for step in place:
        entry = node.entry(step)
        if entry is None:
            break
        way.append(entry)
        node = entry[1]
    return way


def _parent(text: str, way: list[tuple[YamlNode, YamlNode]]) -> YamlNode:
    root = way[-1][1] if way else read_nodes(text)
    assert root is not None
    return root


def _with_child(
    text: str, way: list[tuple[YamlNode, YamlNode]], key: str, fragment: YamlFragment, after: Sequence[str]
) -> str:
    node = _parent(text, way)
    if node.is_empty and way:
        return _filled(text, way, {key: fragment.value}, fragment.lines)
    if node.kind == "alias" and not _parent(text, way[:-1]).flow:
        return _filled(text, way, None, (f"<<: *{node.text}", *fragment.lines))
    if node.kind != "mapping":
        raise NotPlaced(_why_closed(node, text))
    if node.flow:
        quoted = any(text[each.start] == '"' for each, _ in node.entries)
        name = json.dumps(key) if quoted else key
        return _in_brackets(text, node, f"{name}: {json.dumps(fragment.value, ensure_ascii=False)}")
    behind = [value for name, value in node.entries if name.text in after] or [node.entries[-1][1]]
    return _with_lines(text, behind[-1].end, [" " * node.column + line for line in fragment.lines])


def _replaced(text: str, way: list[tuple[YamlNode, YamlNode]], fragment: YamlFragment) -> str:
    """Replace a null or an empty text by the fragment's value."""
    node = way[-1][1]
    if not node.is_empty and not (node.kind == "scalar" and not node.text):
        raise NotPlaced(_why_closed(node, text))
    inner = [*fragment.lines]
    while inner[0].startswith("#"):
        del inner[0]
    _, _, inline = inner.pop(0).partition(":")
    return _filled(text, way, fragment.value, [line.removeprefix(_INDENT) for line in inner], inline.strip())


def _filled(text: str, way: list[tuple[YamlNode, YamlNode]], value: Any, lines: Sequence[str], inline: str = "") -> str:
    """Write a value in place of a key's own: behind the key, or on the lines below it."""
    key, node = way[-1]
    parent = _parent(text, way[:-1])
    if parent.flow:
        inline, lines = json.dumps(value, ensure_ascii=False), ()
    space = " " if inline and text[node.start - 1] == ":" else ""
    changed = text[: node.start] + space + inline + text[node.end :]
    if not lines:
        return changed
    return _with_lines(changed, node.start, [" " * key.column + _INDENT + line for line in lines])


def _in_brackets(text: str, node: YamlNode, inserted: str) -> str:
    last = node.entries[-1][1] if node.entries else node.items[-1] if node.items else None
    at, comma = (node.end - 1, "") if last is None else (last.end, ", ")
    return text[:at] + comma + inserted + text[at:]


def _with_lines(text: str, index: int, lines: Sequence[str]) -> str:
    """Insert lines below the line of an index, with the line ending that is there."""
    end = re.compile(r"[\r\n]").search(text, index)
    index = end.start() if end else len(text)
    newline = newline_of(text[index:] or text)
    return text[:index] + newline + newline.join(lines) + text[index:]


def _start_of_line(text: str, index: int) -> int:
    return max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1


def _why_closed(node: YamlNode, text: str) -> str:
    """Return why nothing can be inserted into a part. A value is only shown if it is an expression: it may be a secret."""
    shown = text[node.start : node.end]
    if node.kind == "alias":
        return _SHARED
    return f"its value is {shown}" if re.fullmatch(r"\$\{[^\r\n]*\}", shown) else "it has a value of another kind"


def _proved(text: str, changed: str, place: Place, value: Any) -> str:
    """Return the changed text if it has the values of the old one, and this value at the place."""
    expected = _unshared(parse_yaml(text))
    inner = expected
    for step in place[:-1]:
        if not isinstance(inner, dict):
            break
        if inner.get(step) is None:
            inner[step] = {}
        inner = inner[step]
    if not isinstance(inner, dict):
        raise NotPlaced("what is around it is not a mapping")
    inner[place[-1]] = value
    try:
        proved = parse_yaml(changed) == expected
    except DocumentError:
        proved = False
    if not proved:
        raise NotPlaced(_SHARED)
    return changed


def _unshared(value: Any) -> Any:
    """Return a copy in which no two places hold the same object, as the aliases of YAML make them."""
    if isinstance(value, dict):
        return {key: _unshared(each) for key, each in value.items()}
    return [_unshared(each) for each in value] if isinstance(value, list) else value
