"""What the history of an execution says about the nodes and edges of its flow's graph.

A node's state is that of its current runs: the last run of each step in each list, and in each attempt of a step around it
the lists of the last attempt.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

from fc_callback.flows import EvaluationContext, FlowError
from fc_callback.flows.graph import BEGIN, END, FlowGraph, GraphNode
from fc_callback.local.progress import STATE_ORDER, has_ended, step_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fc_callback.flows import Flow
    from fc_callback.flows.picture import StepState
    from fc_callback.local.history import HistoryEvent
    from fc_callback.local.progress import ListRun, StepRun

EdgeState: TypeAlias = Literal["taken", "active"]

_ACTIVE: frozenset[StepState] = frozenset({"running", "waiting"})


@attrs.frozen(kw_only=True)
class ItemProgress:
    """One iteration of a map.

    Attributes:
        number: Its number, from 1; before it the numbers of the iterations around it.
        state: `done`, `failed`, `waiting`, `running` or `stopped`.
        last: The run to look at: the failed step, the one that waits, or the last one; None if no step has begun.
    """

    number: tuple[int, ...]
    state: StepState
    last: StepRun | None = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class NodeProgress:
    """What happened to a step.

    Attributes:
        state: The first state of `STATE_ORDER` that one of its current runs has.
        runs: All runs of the step.
        current: Its current runs; all runs if no current list has reached it.
        waiting_since: When the oldest task that waits for a report was called; empty if none waits.
        items: The begun iterations of a map.
        total: The number of elements of a map, as far as its history and definition tell; at least those that began.
    """

    state: StepState
    runs: tuple[StepRun, ...]
    current: tuple[StepRun, ...]
    waiting_since: str = ""
    items: tuple[ItemProgress, ...] = ()
    total: int = 0

    @property
    def attempts(self) -> int:
        """How often its task was called, in all runs together."""
        return sum(run.attempts for run in self.runs)

    @property
    def error(self) -> str:
        """The name of the error of the last current run that has one; empty if none has."""
        return next((str(run.error["error"]) for run in reversed(self.current) if run.error), "")


@attrs.frozen(kw_only=True)
class GraphProgress:
    """What happened in a graph.

    Attributes:
        nodes: By the ids of nodes; a node that is not in it has not been reached.
        edges: The edges that were taken, by their positions in the graph; `active` if it leads to a step that runs now.
    """

    nodes: dict[str, NodeProgress]
    edges: dict[int, EdgeState]


def graph_progress(flow: Flow, graph: FlowGraph, history: Sequence[HistoryEvent]) -> GraphProgress:
    """Return what the history of an execution says about the graph of its flow."""
    return _Reader(flow, graph, history).read()


class _Reader:
    def __init__(self, flow: Flow, graph: FlowGraph, history: Sequence[HistoryEvent]) -> None:
        self._flow = flow
        self._graph = graph
        self._history = history
        self._ended = has_ended(history)
        self._runs = step_runs(history)
        self._by_place = {(node.within, node.body, node.name): node for node in graph.nodes}
        self._nodes: dict[int, GraphNode] = {}  # by the ids of runs
        self._states: dict[int, StepState] = {}
        self._alternatives: dict[ListRun, int | None] = {}

    def read(self) -> GraphProgress:
        known: dict[str, list[StepRun]] = {}
        for run in self._runs:
            node = self._find_node(run)
            if node is not None:
                self._nodes[run.id] = node
                self._states[run.id] = run.state(waiting=node.step.callback, ended=self._ended)
                known.setdefault(node.id, []).append(run)
        current: dict[str, list[StepRun]] = {}
        for run in _current_runs([run for run in self._runs if run.within is None]):
            if run.id in self._nodes:
                current.setdefault(self._nodes[run.id].id, []).append(run)
        by_id = {node.id: node for node in self._graph.nodes}
        nodes = {key: self._read_node(by_id[key], runs, current.get(key, runs)) for key, runs in known.items()}
        return GraphProgress(nodes=nodes, edges=self._read_edges(nodes))

    def _find_node(self, run: StepRun) -> GraphNode | None:
        within = run.within
        if within is None:
            return self._by_place.get((None, 0, run.step))
        around = self._nodes.get(within.around.id)
        if around is None:
            return None
        body: int | None = within.number - 1 if within.kind == "branch" else 0
        if within.kind == "alternative":
            if within not in self._alternatives:
                self._alternatives[within] = self._find_alternative(around, within)
            body = self._alternatives[within]
        return None if body is None else self._by_place.get((around.id, body, run.step))

    def _find_alternative(self, choice: GraphNode, within: ListRun) -> int | None:
        """Return the index of an alternative of a choice. Events do not name it: its steps do, or else the choice's input."""
        names = {run.step for run in within.runs}
        fitting = [
            index
            for index, body in enumerate(choice.step.bodies)
            if body.first == within.runs[0].step and names <= body.steps.keys()
        ]
        if len(fitting) > 1:
            with contextlib.suppress(FlowError):
                chosen = self._flow.choose(choice.step, self._context(within.around)).body
                fitting = [chosen] if chosen in fitting else fitting
        return fitting[0] if fitting else None

    def _context(self, run: StepRun) -> EvaluationContext:
        """Return what an expression of a step can read, as far as the history tells it."""
        started = next((event.detail for event in run.events if event.type == "StepStarted"), {})
        first = self._history[0].detail
        return EvaluationContext(
            flow_name="",
            execution_name="",
            execution_input=first.get("input") or {},
            step_input=started.get("input") or {},
        )

    def _read_node(self, node: GraphNode, runs: list[StepRun], current: list[StepRun]) -> NodeProgress:
        states = {self._states[run.id] for run in current}
        waiting = [run.open_task for run in current if self._states[run.id] == "waiting"]
        items = [item for run in current for item in self._read_items(run)] if node.step.kind == "map" else []
        return NodeProgress(
            state=next(state for state in STATE_ORDER if state in states),
            runs=tuple(runs),
            current=tuple(current),
            waiting_since=min((task.time for task in waiting if task is not None), default=""),
            items=tuple(items),
            total=sum(self._count_items(node, run) for run in current) if node.step.kind == "map" else 0,
        )

    def _count_items(self, node: GraphNode, run: StepRun) -> int:
        begun = len(_current_lists(run))
        try:
            return max(begun, len(self._flow.children(node.step, self._context(run)).items))
        except FlowError:
            return begun

    def _read_items(self, run: StepRun) -> Iterator[ItemProgress]:
        around = _iterations_around(run)
        for item in _current_lists(run):
            state, last = self._read_item(item)
            yield ItemProgress(number=(*around, item.number), state=state, last=last)

    def _read_item(self, item: ListRun) -> tuple[StepState, StepRun | None]:
        inside = [run for run in _current_runs(item.runs) if run.id in self._states]
        last = inside[-1] if inside else None
        if item.end is not None:
            return "done", item.runs[-1] if item.runs else None
        failed = [run for run in inside if self._states[run.id] == "failed"]
        if item.over is not None or self._ended:
            return ("failed", failed[-1]) if any(run.within is item for run in failed) else ("stopped", last)
        waiting = [run for run in inside if self._states[run.id] == "waiting"]
        return ("waiting", waiting[0]) if waiting else ("running", last)

    def _read_edges(self, nodes: dict[str, NodeProgress]) -> dict[int, EdgeState]:
        positions: dict[tuple[str, str, bool], list[int]] = {}
        found: dict[int, EdgeState] = {}
        for position, edge in enumerate(self._graph.edges):
            if edge.kind != "retry":
                positions.setdefault((edge.source, edge.target, edge.kind == "catch"), []).append(position)
            elif edge.source in nodes and nodes[edge.source].attempts > len(nodes[edge.source].runs):
                found[position] = "taken"
        for source, target, caught, state in self._moves():
            for position in positions.get((source, target, caught), ()):
                if state == "active" or position not in found:
                    found[position] = state
        return found

    def _moves(self) -> Iterator[tuple[str, str, bool, EdgeState]]:
        """Yield each move from a node to another one: both ids, whether an error was caught, and the state of the edge."""
        last: dict[ListRun | None, StepRun] = {}
        for run in self._runs:
            before, within = last.get(run.within), run.within
            last[within] = run
            if before is None and within is not None and within.kind != "alternative":
                continue  # no edge leads into a branch or an iteration
            source, caught = self._source(before, within)
            target = self._nodes.get(run.id)
            if target is not None:
                yield source, target.id, caught, "active" if self._states[run.id] in _ACTIVE else "taken"
        if self._history[-1:] and self._history[-1].type == "ExecutionSucceeded":
            source, _ = self._source(last.get(None), None)
            yield source, END, False, "taken"

    def _source(self, before: StepRun | None, within: ListRun | None) -> tuple[str, bool]:
        """Return the node before the next step of a list, and whether an error of it was caught."""
        if before is None:
            around = None if within is None else self._nodes.get(within.around.id)
            return BEGIN if within is None else around.id if around is not None else "", False
        caught = self._states.get(before.id) == "caught"
        while not caught and before.lists and before.lists[-1].kind == "alternative":
            before = before.lists[-1].runs[-1]  # the edge leads from the last step of the alternative
        node = self._nodes.get(before.id)
        return "" if node is None else node.id, caught


def _current_lists(run: StepRun) -> list[ListRun]:
    """Return the lists inside a step that its last attempt has begun; of a choice the last one."""
    if not run.lists:
        return []
    last = run.lists[-1]
    return [
        each for each in run.lists if each is last or (each.retry_of == last.retry_of and each.kind != "alternative")
    ]


def _current_runs(runs: Iterable[StepRun]) -> Iterator[StepRun]:
    """Yield the last run of each step of a list, each followed by those inside it."""
    last: dict[str, StepRun] = {}
    for run in runs:
        last.pop(run.step, None)  # in the order of the last runs
        last[run.step] = run
    for run in last.values():
        yield run
        for inside in _current_lists(run):
            yield from _current_runs(inside.runs)


def _iterations_around(run: StepRun) -> tuple[int, ...]:
    numbers: list[int] = []
    while run.within is not None:
        if run.within.kind == "iteration":
            numbers.append(run.within.number)
        run = run.within.around
    return tuple(reversed(numbers))
