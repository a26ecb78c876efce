"""Draws a flow as Mermaid text: a flowchart of its steps, with the states of an execution if they are given.

The text depends on the flow and the states only. Everything that a definition names is escaped: it cannot change the
picture around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from fc_callback.flows.cloudflow import State
from fc_callback.flows.flow import Chosen
from fc_callback.flows.legacy import LegacyStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fc_callback.flows.definition import Body, RetryRule, Step
    from fc_callback.flows.flow import Flow

StepState: TypeAlias = Literal["done", "running", "waiting", "failed", "caught", "stopped"]

_BEGIN, _END = "begin", "finish"  # `end` is a word of Mermaid's
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
_SHAPES = {
    "choice": '{{"{}"}}',
    "wait": '("{}")',
    "succeed": '(["{}"])',
    "fail": '[["{}"]]',
}
_SPECIAL = frozenset('"#&<>%`\\')
_MOST_CHARACTERS = 80
_INDENT = "  "


def draw_flow(flow: Flow, states: Mapping[str, StepState] | None = None) -> str:
    """Return a flow as Mermaid text.

    Args:
        flow: The flow.
        states: The states of an execution's steps, by name; steps that are not in it have not been reached. Steps of
            one name in different lists share their state. None draws the definition alone.
    """
    drawing = _Drawing(states)
    first = drawing.add_body(flow.body, depth=1, after=_END)
    lines = ["flowchart TD", f'{_INDENT}{_BEGIN}(["start"])', *drawing.nodes, f'{_INDENT}{_END}(["end"])']
    lines += [f"{_INDENT}{_BEGIN} --> {first}", *drawing.edges]
    if states is not None:
        lines += [f"{_INDENT}classDef {name} {style}" for name, style in _STYLES.items()]
        lines += [
            f"{_INDENT}class {','.join(drawing.classes[name])} {name}" for name in _STYLES if name in drawing.classes
        ]
    return "\n".join(lines) + "\n"


class _Drawing:
    """The lines of a picture. Each step gets a node `s1`, `s2`, ..., in the order of the definition."""

    def __init__(self, states: Mapping[str, StepState] | None) -> None:
        self.nodes: list[str] = []
        self.edges: list[str] = []
        self.classes: dict[str, list[str]] = {}
        self._states = states
        self._count = 0

    def _new_id(self) -> str:
        self._count += 1
        return f"s{self._count}"

    def add_body(self, body: Body, *, depth: int, after: str | None) -> str:
        """Draw a list of steps; return the node of its first one. `after` is the node that follows the list."""
        ids = {name: self._new_id() for name in body.steps}
        for name, step in body.steps.items():
            self._add_step(step, ids, depth=depth, after=after)
            state = _UNREACHED if self._states is None else self._states.get(name, _UNREACHED)
            self.classes.setdefault(state, []).append(ids[name])
        return ids[body.first]

    def _add_step(self, step: Step, ids: Mapping[str, str], *, depth: int, after: str | None) -> None:
        node = ids[step.name]
        following = after if step.following is None else ids[step.following]
        if step.kind in {"parallel", "map"}:
            self._add_group(step, node, depth)
        else:
            shape = _SHAPES.get(step.kind, '["{}"]')
            self._add_line(f"{node}{shape.format('<br/>'.join(map(_escaped, _words_of(step))))}", depth)
            for rule in step.retry:
                self._add_edge(node, node, _retry_text(rule), dotted=True)
        if step.kind == "choice":
            self._add_choice(step, ids, depth=depth, following=following)
        elif step.kind != "fail":
            self._add_edge(node, following)
        for caught in step.catch:
            self._add_edge(node, ids[caught.goto], f"catch {', '.join(caught.errors)}", dotted=True)

    def _add_group(self, step: Step, node: str, depth: int) -> None:
        """Draw a `parallel` or a `map` around its lists. Mermaid draws no edge from a group to itself: retries are in its title."""
        kind = "in parallel" if step.kind == "parallel" else "for each element"
        title = [f"{step.name} ({kind})", *map(_retry_text, step.retry)]
        with_branches = step.kind == "parallel"
        self._add_line(f'subgraph {node}["{"<br/>".join(map(_escaped, title))}"]', depth)
        for number, body in enumerate(step.bodies, start=1):
            if with_branches:
                self._add_line(f'subgraph {node}b{number}["branch {number}"]', depth + 1)
            self.add_body(body, depth=depth + 1 + with_branches, after=None)
            if with_branches:
                self._add_line("end", depth + 1)
        self._add_line("end", depth)

    def _add_choice(self, step: Step, ids: Mapping[str, str], *, depth: int, following: str | None) -> None:
        has_default = False
        for label, chosen in _choices_of(step):
            has_default = has_default or not label
            target = following if chosen.goto is None else ids[chosen.goto]
            if chosen.body is not None:
                target = self.add_body(step.bodies[chosen.body], depth=depth, after=target)
            self._add_edge(ids[step.name], target, label or "default")
        # In Serverless Workflow's language a choice without a true condition ends. In CloudFlow's it fails.
        if not has_default and isinstance(step, LegacyStep):
            self._add_edge(ids[step.name], following, "otherwise")

    def _add_line(self, text: str, depth: int) -> None:
        self.nodes.append(_INDENT * depth + text)

    def _add_edge(self, source: str, target: str | None, label: str = "", *, dotted: bool = False) -> None:
        if target is None:
            return
        arrow = "-.->" if dotted else "-->"
        text = f'|"{_escaped(label)}"|' if label else ""
        self.edges.append(f"{_INDENT}{source} {arrow}{text} {target}")


def _choices_of(step: Step) -> Iterator[tuple[str, Chosen]]:
    """Yield the condition of each alternative of a choice (empty for the default), and what follows."""
    if isinstance(step, LegacyStep):
        yield from ((alternative.text, alternative.chosen) for alternative in step.alternatives)
    elif isinstance(step, State):
        yield from ((branch.text, Chosen(goto=branch.goto)) for branch in step.branches)
        if step.default is not None:
            yield "", Chosen(goto=step.default)


def _words_of(step: Step) -> Iterator[str]:
    yield step.name
    if step.callback:
        yield "waits for a report"
    if step.kind == "wait":
        yield "wait"
    if step.kind == "fail":
        yield f"fails with {step.error}" if step.error else "fails"


def _retry_text(rule: RetryRule) -> str:
    times = "once" if rule.max_attempts == 1 else f"{rule.max_attempts} times"
    return f"retry {', '.join(rule.errors)}: {times}"


def _escaped(text: str) -> str:
    """Return a text for a label: Mermaid's own characters as entities, unprintable ones as spaces, cut if it is long."""
    if len(text) > _MOST_CHARACTERS:
        text = f"{text[: _MOST_CHARACTERS - 1]}…"
    shown = (f"#{ord(char)};" if char in _SPECIAL else char if char.isprintable() else " " for char in text)
    return "".join(shown)
