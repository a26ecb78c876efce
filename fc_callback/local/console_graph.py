"""What the console's page draws a graph from: plain values for JSON and for the list of steps beside the picture."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from fc_callback.flows.graph import flow_graph
from fc_callback.local.clock import parse_time
from fc_callback.local.graph_progress import graph_progress
from fc_callback.local.progress import has_ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fc_callback.flows import Flow
    from fc_callback.flows.graph import FlowGraph, GraphNode
    from fc_callback.flows.picture import StepState
    from fc_callback.local.graph_progress import ItemProgress, NodeProgress
    from fc_callback.local.history import HistoryEvent

NOT_REACHED = "not reached"
_COUNTED: tuple[StepState, ...] = ("failed", "waiting", "running", "stopped")
# The items of a map are listed in this order.
_ITEM_ORDER = {state: position for position, state in enumerate(("failed", "waiting", "running", "stopped", "done"))}


def flow_graph_json(flow: Flow) -> dict[str, Any]:
    """Return the graph of a flow.

    It has `nodes`, `branches` (the frames in a parallel) and `edges`. A node has `id`, `path`, `name`, `type`, `notes`,
    `isFrame` and `frame`, the id of the frame that it is in; an edge has `source`, `target`, `kind` and `label`.
    """
    return _graph_json(flow_graph(flow))


def execution_graph_json(flow: Flow, history: Sequence[HistoryEvent], now: float) -> dict[str, Any]:
    """Return the graph of a flow with what happened in one execution of it.

    Beside what `flow_graph_json` returns, a node has `state`, `runs`, `attempts`, `run` (the id of its last run), `error`
    and, if it waits for a report, `ageSeconds`; a map has `summary` and `items`, failed ones first. An edge has `state`:
    empty, `taken`, or `active` if the step after it runs. `last` is the id of the last event.

    Args:
        flow: The flow as it was when the execution began.
        history: All events of the execution.
        now: The service's time.
    """
    graph = flow_graph(flow)
    shown = _graph_json(graph)
    progress = graph_progress(flow, graph, history)
    for node, shown_node in zip(graph.nodes, shown["nodes"], strict=True):
        shown_node.update(_progress_json(node, progress.nodes.get(node.id), now))
    for position, edge in enumerate(shown["edges"]):
        edge["state"] = progress.edges.get(position, "")
    return {"last": history[-1].id if history else 0, "ended": has_ended(history), **shown}


def _graph_json(graph: FlowGraph) -> dict[str, Any]:
    return {
        "nodes": [
            {
                "id": node.id,
                "path": node.path,
                "name": node.name,
                "type": node.type,
                "notes": list(node.notes),
                "isFrame": node.is_frame,
                "frame": node.frame,
            }
            for node in graph.nodes
        ],
        "branches": [{"id": each.id, "frame": each.frame, "number": each.number} for each in graph.branches],
        "edges": [
            {"source": edge.source, "target": edge.target, "kind": edge.kind, "label": edge.label}
            for edge in graph.edges
        ],
    }


def _progress_json(node: GraphNode, progress: NodeProgress | None, now: float) -> dict[str, Any]:
    if progress is None:
        return {"state": NOT_REACHED, "runs": 0, "attempts": 0, "run": 0, "error": ""}
    found: dict[str, Any] = {
        "state": progress.state,
        "runs": len(progress.runs),
        "attempts": progress.attempts,
        "run": progress.current[-1].id,
        "error": progress.error,
    }
    began = parse_time(progress.waiting_since) if progress.waiting_since else None
    if began is not None:
        found["ageSeconds"] = round(max(0.0, now - began), 3)
    if node.step.kind == "map":
        items = sorted(progress.items, key=lambda item: (_ITEM_ORDER[item.state], item.number))
        found |= {"summary": _summary(progress), "items": [_item_json(item) for item in items]}
    return found


def _summary(progress: NodeProgress) -> str:
    """Return the states of a map's items, like `37 of 200 done, 2 failed, 12 waiting`."""
    counts = Counter(item.state for item in progress.items)
    others = [f"{counts[state]} {state}" for state in _COUNTED if counts[state]]
    return ", ".join([f"{counts['done']} of {progress.total} done", *others])


def _item_json(item: ItemProgress) -> dict[str, Any]:
    run = item.last
    return {
        "number": " › ".join(map(str, item.number)),  # noqa: RUF001 - a sign between numbers
        "state": item.state,
        "step": "" if run is None else run.step,
        "path": "" if run is None else run.path,
        "run": 0 if run is None else run.id,
    }
