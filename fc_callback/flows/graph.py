"""The graph of a flow: its steps, the edges between them, and the frames around lists of steps.

Everything that shows a flow is drawn from these values: the Mermaid text of `picture`, and the console page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import quote

import attrs

from fc_callback.flows.cloudflow import State
from fc_callback.flows.flow import Chosen
from fc_callback.flows.legacy import LegacyStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fc_callback.flows.definition import Body, RetryRule, Step
    from fc_callback.flows.flow import Flow

EdgeKind: TypeAlias = Literal["next", "choice", "catch", "retry"]

BEGIN, END = "begin", "finish"  # `end` is a word of Mermaid's
FRAMES = frozenset({"parallel", "map"})


@attrs.frozen(kw_only=True)
class GraphNode:
    """A step.

    Attributes:
        id: `s1`, `s2`, ...; unique in the graph.
        path: The address of the step: the names of the steps around it and its own, percent-encoded and joined by `/`.
            After the name of a parallel comes an element like `branch 2`. Steps of one name in two alternatives of a
            choice share their path.
        step: The step itself.
        type: What it is, in the words of its language: `task`, `child flow`, `choice`, `foreach`, ...
        frame: The id of the frame that it is in; None for the flow's own list and the alternatives in it.
        within: The id of the step whose list it is in; None for the flow's own list.
        body: The index of that list.
    """

    id: str
    path: str
    step: Step
    type: str
    frame: str | None
    within: str | None
    body: int

    @property
    def name(self) -> str:
        """The step's name."""
        return self.step.name

    @property
    def is_frame(self) -> bool:
        """Whether it is drawn around its lists of steps."""
        return self.step.kind in FRAMES

    @property
    def notes(self) -> tuple[str, ...]:
        """What a picture says about it beside its name."""
        step = self.step
        notes = ("waits for a report",) if step.callback else ()
        if step.kind == "wait":
            return (*notes, "wait")
        if step.kind == "fail":
            return (*notes, f"fails with {step.error}" if step.error else "fails")
        return notes


@attrs.frozen(kw_only=True)
class GraphBranch:
    """The frame around one branch of a parallel; `frame` is the id of the parallel, `number` counts from 1."""

    id: str
    frame: str
    number: int


@attrs.frozen(kw_only=True)
class GraphEdge:
    """What can follow a step.

    Attributes:
        source: The id of a node, or `begin`.
        target: The id of a node in the same frame, or `finish`. For a retry it is the source.
        kind: `next`, `choice`, `catch` or `retry`.
        label: The condition, the errors or the rule, as a text.
    """

    source: str
    target: str
    kind: EdgeKind
    label: str = ""


@attrs.frozen(kw_only=True)
class FlowGraph:
    """The graph of a flow; everything in the order of the definition."""

    nodes: tuple[GraphNode, ...]
    branches: tuple[GraphBranch, ...]
    edges: tuple[GraphEdge, ...]


def flow_graph(flow: Flow) -> FlowGraph:
    """Return the graph of a flow."""
    builder = _Builder()
    first = builder.add_body(flow.body, _Surroundings(after=END))
    edges = (GraphEdge(source=BEGIN, target=first, kind="next"), *builder.edges)
    return FlowGraph(nodes=tuple(builder.nodes), branches=tuple(builder.branches), edges=edges)


@attrs.frozen(kw_only=True)
class _Surroundings:
    """Where a list of steps is; `after` is the node that follows it, `path` ends in `/` if it is not empty."""

    path: str = ""
    frame: str | None = None
    within: str | None = None
    body: int = 0
    after: str | None = None


class _Builder:
    """Collects the parts of a graph. The steps of a list are numbered before those inside them."""

    def __init__(self) -> None:
        self.nodes: list[GraphNode] = []
        self.branches: list[GraphBranch] = []
        self.edges: list[GraphEdge] = []
        self._count = 0

    def _new_id(self) -> str:
        self._count += 1
        return f"s{self._count}"

    def add_body(self, body: Body, around: _Surroundings) -> str:
        """Add a list of steps; return the id of its first one."""
        ids = {name: self._new_id() for name in body.steps}
        for step in body.steps.values():
            node = GraphNode(
                id=ids[step.name],
                path=around.path + quote(step.name, safe=""),
                step=step,
                type=_type_of(step),
                frame=around.frame,
                within=around.within,
                body=around.body,
            )
            self.nodes.append(node)
            self._add_contents(node, ids, around)
        return ids[body.first]

    def _add_contents(self, node: GraphNode, ids: Mapping[str, str], around: _Surroundings) -> None:
        """Add what is inside a step, and its edges."""
        step = node.step
        following = around.after if step.following is None else ids[step.following]
        if step.kind == "map":
            inside = attrs.evolve(around, path=f"{node.path}/", frame=node.id, within=node.id, body=0, after=None)
            self.add_body(step.bodies[0], inside)
        elif step.kind == "parallel":
            self._add_branches(node, around)
        for rule in step.retry:
            self._add_edge(node.id, node.id, "retry", _retry_text(rule))
        if step.kind == "choice":
            self._add_choice(node, ids, around, following)
        elif step.kind != "fail":
            self._add_edge(node.id, following, "next")
        for caught in step.catch:
            self._add_edge(node.id, ids[caught.goto], "catch", ", ".join(caught.errors))

    def _add_branches(self, node: GraphNode, around: _Surroundings) -> None:
        for index, body in enumerate(node.step.bodies):
            branch = GraphBranch(id=f"{node.id}b{index + 1}", frame=node.id, number=index + 1)
            self.branches.append(branch)
            path = f"{node.path}/branch {branch.number}/"
            self.add_body(
                body, attrs.evolve(around, path=path, frame=branch.id, within=node.id, body=index, after=None)
            )

    def _add_choice(
        self, node: GraphNode, ids: Mapping[str, str], around: _Surroundings, following: str | None
    ) -> None:
        has_default = False
        for label, chosen in _choices_of(node.step):
            has_default = has_default or not label
            target = following if chosen.goto is None else ids[chosen.goto]
            if chosen.body is not None:
                inside = attrs.evolve(around, path=f"{node.path}/", within=node.id, body=chosen.body, after=target)
                target = self.add_body(node.step.bodies[chosen.body], inside)
            self._add_edge(node.id, target, "choice", label or "default")
        # In Serverless Workflow's language a choice without a true condition ends. In CloudFlow's it fails.
        if not has_default and isinstance(node.step, LegacyStep):
            self._add_edge(node.id, following, "choice", "otherwise")

    def _add_edge(self, source: str, target: str | None, kind: EdgeKind, label: str = "") -> None:
        if target is not None:
            self.edges.append(GraphEdge(source=source, target=target, kind=kind, label=label))


def _choices_of(step: Step) -> Iterator[tuple[str, Chosen]]:
    """Yield the condition of each alternative of a choice (empty for the default), and what follows."""
    if isinstance(step, LegacyStep):
        yield from ((alternative.text, alternative.chosen) for alternative in step.alternatives)
    elif isinstance(step, State):
        yield from ((branch.text, Chosen(goto=branch.goto)) for branch in step.branches)
        if step.default is not None:
            yield "", Chosen(goto=step.default)


def _type_of(step: Step) -> str:
    if step.kind == "map" and isinstance(step, LegacyStep):
        return "foreach"
    if step.kind != "task" or not isinstance(step, LegacyStep | State):
        return step.kind
    if step.action == "FNF:StartExecution":
        return "child flow"
    return "task" if step.action == "FC:InvokeFunction" else step.action


def _retry_text(rule: RetryRule) -> str:
    times = "once" if rule.max_attempts == 1 else f"{rule.max_attempts} times"
    return f"{', '.join(rule.errors)}: {times}"
