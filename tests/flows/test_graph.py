"""The graph of a flow: nodes with their paths, frames and edges."""

from __future__ import annotations

from fc_callback.flows import parse_flow
from fc_callback.flows.graph import flow_graph
from tests.flows.test_picture import CLOUDFLOW, LEGACY


def test_each_step_has_the_path_of_the_steps_and_branches_around_it() -> None:
    assert [(node.path, node.type, node.frame) for node in flow_graph(parse_flow(LEGACY)).nodes] == [
        ("charge", "task", None),
        ("which", "choice", None),
        ("which/many", "pass", None),
        ("which/nap", "wait", None),
        ("both", "parallel", None),
        ("both/branch 1/left", "pass", "s3b1"),
        ("both/branch 1/then", "pass", "s3b1"),
        ("both/branch 2/each", "foreach", "s3b2"),
        ("both/branch 2/each/inner", "pass", "s10"),
        ("good", "succeed", None),
        ("sorry", "fail", None),
    ]


def test_edges_tell_choices_caught_errors_and_retries_apart() -> None:
    edges = flow_graph(parse_flow(CLOUDFLOW)).edges
    assert [(edge.source, edge.target, edge.kind, edge.label) for edge in edges] == [
        ("begin", "s1", "next", ""),
        ("s1", "s2", "choice", "$Input.n > 3"),
        ("s1", "s3", "choice", "default"),
        ("s2", "s2", "retry", "Busy: once"),
        ("s2", "finish", "next", ""),
        ("s2", "s3", "catch", "Bad"),
    ]
