"""Draws the graph of a flow as Mermaid text, with the states of an execution if they are given.

The text depends on the graph and the states only. Everything that a definition names is escaped: it cannot change the
picture around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from fc_callback.flows.graph import BEGIN, END

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fc_callback.flows.graph import FlowGraph, GraphEdge, GraphNode

StepState: TypeAlias = Literal["done", "running", "waiting", "failed", "caught", "stopped"]

_UNREACHED = "unreached"
_STYLES = {
    "done": "fill:#d5f0dc,stroke:#2b8a3e,color:#123",
    "running": "fill:#d6e8fb,stroke:#1864ab,color:#123",
    "waiting": "fill:#fff1c2,stroke:#b07d00,color:#123,stroke-width:3px",
    "failed": "fill:#fbd5d5,stroke:#b42020,color:#123",
    "caught": "fill:#fde3cf,stroke:#b8541a,color:#123",
    "stopped": "fill:#e4e4e8,stroke:#b42020,color:#123",
    _UNREACHED: "fill:#fafafa,stroke:#b9b9c2,color:#777,stroke-dasharray:4",
}
_BOX = '["{}"]'
_SHAPES = {
    "choice": '{{"{}"}}',
    "wait": '("{}")',
    "succeed": '(["{}"])',
    "fail": '[["{}"]]',
}
_DOTTED = frozenset({"catch", "retry"})
_SPECIAL = frozenset('"#&<>%`\\')
_MOST_CHARACTERS = 80
_INDENT = "  "


def draw_graph(graph: FlowGraph, states: Mapping[str, StepState] | None = None) -> str:
    """Return the graph of a flow as Mermaid text.

    Args:
        graph: The graph.
        states: The states of an execution's steps, by the ids of their nodes; steps that are not in it have not been
            reached. None draws the definition alone.
    """
    # Mermaid draws no edge from a frame to itself: retries of frames are in their titles.
    frames = {node.id for node in graph.nodes if node.is_frame}
    edges = [edge for edge in graph.edges if edge.kind != "retry" or edge.source not in frames]
    lines = ["flowchart TD", f'{_INDENT}{BEGIN}(["start"])', *_Nodes(graph).lines(), f'{_INDENT}{END}(["end"])']
    lines += map(_edge_line, edges)
    if states is not None:
        lines += [f"{_INDENT}classDef {name} {style}" for name, style in _STYLES.items()]
        classes: dict[str, list[str]] = {}
        for node in graph.nodes:
            classes.setdefault(states.get(node.id, _UNREACHED), []).append(node.id)
        lines += [f"{_INDENT}class {','.join(classes[name])} {name}" for name in _STYLES if name in classes]
    return "\n".join(lines) + "\n"


class _Nodes:
    """Writes the lines of the nodes; those inside a frame stand between the lines that begin and end it."""

    def __init__(self, graph: FlowGraph) -> None:
        self._inside: dict[str | None, list[GraphNode]] = {}
        for node in graph.nodes:
            self._inside.setdefault(node.frame, []).append(node)
        self._branches: dict[str, list[str]] = {}
        for branch in graph.branches:
            self._branches.setdefault(branch.frame, []).append(branch.id)
        self._retries: dict[str, list[str]] = {}
        for edge in graph.edges:
            if edge.kind == "retry":
                self._retries.setdefault(edge.source, []).append(_label_of(edge))

    def lines(self, frame: str | None = None, depth: int = 1) -> Iterator[str]:
        """Yield the lines of the nodes in a frame, and of those inside them."""
        for node in self._inside[frame]:
            if node.is_frame:
                yield from self._frame_lines(node, depth)
            else:
                label = "<br/>".join(map(_escaped, (node.name, *node.notes)))
                yield f"{_INDENT * depth}{node.id}{_SHAPES.get(node.step.kind, _BOX).format(label)}"

    def _frame_lines(self, node: GraphNode, depth: int) -> Iterator[str]:
        kind = "in parallel" if node.step.kind == "parallel" else "for each element"
        title = "<br/>".join(map(_escaped, (f"{node.name} ({kind})", *self._retries.get(node.id, ()))))
        yield f'{_INDENT * depth}subgraph {node.id}["{title}"]'
        for number, branch in enumerate(self._branches.get(node.id, ()), start=1):
            yield f'{_INDENT * (depth + 1)}subgraph {branch}["branch {number}"]'
            yield from self.lines(branch, depth + 2)
            yield f"{_INDENT * (depth + 1)}end"
        if node.step.kind == "map":
            yield from self.lines(node.id, depth + 1)
        yield f"{_INDENT * depth}end"


def _edge_line(edge: GraphEdge) -> str:
    label = _label_of(edge)
    text = f'|"{_escaped(label)}"|' if label else ""
    return f"{_INDENT}{edge.source} {'-.->' if edge.kind in _DOTTED else '-->'}{text} {edge.target}"


def _label_of(edge: GraphEdge) -> str:
    return f"{edge.kind} {edge.label}" if edge.kind in _DOTTED else edge.label


def _escaped(text: str) -> str:
    """Return a text for a label: Mermaid's own characters as entities, unprintable ones as spaces, cut if it is long."""
    if len(text) > _MOST_CHARACTERS:
        text = f"{text[: _MOST_CHARACTERS - 1]}…"
    shown = (f"#{ord(char)};" if char in _SPECIAL else char if char.isprintable() else " " for char in text)
    return "".join(shown)
