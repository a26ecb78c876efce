"""Type parameters and aliases in the syntax of Python 3.12."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from fc_callback import event_parser, task_callback
from tests.invoking import fc_context
from tests.payload.kinds import Line, Model
from tests.waiting import WaitingTasks

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax of Python 3.12")

SOURCE = """
import dataclasses
from pydantic import AfterValidator, BaseModel
from fc_callback import FcContext, Task
from tests.payload.kinds import Line, Model, doubled

type Raw = bytes
type T = Task
type MaybeTask = Task | None
type Order = Model
type Checked = __import__("typing").Annotated[Model, AfterValidator(doubled)]
type Page[Item] = Box[Item]
type Swapped[A, B] = Pair[B, A]
type Payload = dict[str, object]
type Tree = dict[str, Tree] | int | str
type Itself = Itself
type Other = __import__("typing").Annotated[Another, "one"]
type Another = Other

class Box[Item](BaseModel):
    content: Item

@dataclasses.dataclass
class Pair[A, B]:
    a: A
    b: B

SEEN = []
def raw(event: Raw, context, task: T = None): SEEN.append((event, task))
def raw_or_none(event: Raw, context, task: MaybeTask = None): SEEN.append((event, task))
def order(order: Order): SEEN.append(order)
def checked(order: Checked): SEEN.append(order)
def box(order: Box[Model]): SEEN.append(order.content)
def page(order: Page[Model]): SEEN.append(order.content)
def pair(order: Pair[int, Line]): SEEN.append((order.a, order.b))
def swapped(order: Swapped[Line, int]): SEEN.append((order.a, order.b))
def payload(order: Payload): SEEN.append(order)
def tree(order: Tree): SEEN.append(order)
def itself(order: Itself): SEEN.append(order)
def each_other(order: Other): SEEN.append(order)
def bound[M: Model](order: M): SEEN.append(order)
def generic[M](order: Box[M]): SEEN.append(order.content)
"""
CONTENT = {"content": {"id": 7}}
PAIR = {"a": 7, "b": {"sku": "x"}}
CASES: list[tuple[str, Any, Any]] = [
    ("order", {"id": 7}, Model(id=7)),
    ("checked", {"id": 7}, Model(id=14)),
    ("box", CONTENT, Model(id=7)),
    ("page", CONTENT, Model(id=7)),
    ("pair", PAIR, (7, Line("x"))),
    ("swapped", PAIR, (7, Line("x"))),
    ("payload", {"id": 7}, {"id": 7}),
    ("tree", {"a": {"b": 1}}, {"a": {"b": 1}}),
    ("generic", CONTENT, {"id": 7}),
]


def module() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": __name__}
    exec(SOURCE, names)
    return names


@pytest.mark.parametrize(("name", "payload", "expected"), CASES, ids=[case[0] for case in CASES])
def test_aliases_and_generics_are_served(name: str, payload: Any, expected: Any, tasks: WaitingTasks) -> None:
    names = module()
    task_callback(names[name])(tasks.service.new_task(payload).event, fc_context(tasks))
    assert names["SEEN"] == [expected]


@pytest.mark.parametrize("name", ["raw", "raw_or_none"])
def test_aliases_of_bytes_and_of_the_task_are_looked_through(name: str, tasks: WaitingTasks) -> None:
    names = module()
    event = tasks.new().event
    task_callback(names[name])(event, fc_context(tasks))
    ((seen, task),) = names["SEEN"]
    assert seen is event
    assert task.token.reveal() in event.decode()


def test_a_type_parameter_alone_is_refused() -> None:
    for decorate in (task_callback, event_parser):
        with pytest.raises(TypeError, match="is not a type at run time"):
            decorate(module()["bound"])


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["itself", "each_other"])
def test_an_alias_that_stands_for_itself_is_refused(name: str) -> None:
    for decorate in (task_callback, event_parser):
        with pytest.raises(TypeError, match="an alias in it refers to itself"):
            decorate(module()[name])
