"""YAML and JSON files, read as plain values, with the line of every key and element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import yaml

if TYPE_CHECKING:
    from pathlib import Path

Place = tuple[str | int, ...]


@attrs.frozen(kw_only=True)
class Document:
    """A file, read.

    Attributes:
        path: Where it is.
        file: Its name for people, relative to the project.
        data: What it holds.
        lines: The line of each key and element, by its place.
        duplicates: Keys that stand twice, with the line of the second.
        error: Why it cannot be read, and where; then `data` is None.
    """

    path: Path
    file: str
    data: Any = None
    lines: dict[Place, int] = attrs.field(factory=dict, repr=False)
    duplicates: tuple[tuple[str, int], ...] = ()
    error: tuple[str, int] | None = None

    def line(self, *place: str | int) -> int:
        """Return the line of a place, or of the nearest one around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def get(self, *place: str | int) -> Any:
        """Return what stands at a place; None where nothing does."""
        value = self.data
        for step in place:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value


def read_document(path: Path, root: Path) -> Document:
    """Read a YAML or JSON file below `root`; what is wrong with it is in `error`."""
    try:
        file = path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        file = str(path)
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        lines: dict[Place, int] = {}
        duplicates: list[tuple[str, int]] = []
        data = None if node is None else _value(node, (), lines, duplicates)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        return Document(path=path, file=file, error=(problem, mark.line + 1 if mark else 1))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        return Document(path=path, file=file, error=(str(error), 1))
    return Document(path=path, file=file, data=data, lines=lines, duplicates=tuple(duplicates))


def _value(node: yaml.Node, place: Place, lines: dict[Place, int], duplicates: list[tuple[str, int]]) -> Any:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_value(each, (*place, index), lines, duplicates) for index, each in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node)
    seen = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    for index, (key, _) in enumerate(node.value):
        if isinstance(key, yaml.ScalarNode) and key.value != "<<" and key.value in seen[:index]:
            duplicates.append((key.value, key.start_mark.line + 1))
    yaml.SafeLoader("").flatten_mapping(node)  # `<<` becomes the keys it stands for
    result: dict[Any, Any] = {}
    for key, value in node.value:
        name = _scalar(key) if isinstance(key, yaml.ScalarNode) else str(key.value)
        below = (*place, name)
        lines[below] = key.start_mark.line + 1
        result[name] = _value(value, below, lines, duplicates)
    return result


def _scalar(node: yaml.Node) -> Any:
    return yaml.SafeLoader("").construct_object(node, deep=True)
