"""The base of the values on the way from an event to its report."""

from __future__ import annotations

import copy
import inspect
import pickle
import pydoc
import re
from typing import Any

import pytest

from fc_callback import CloudFlowClient, Credentials, FcContext, RetryPolicy, TaskToken, task_callback
from fc_callback.values.base import Value


class Point(Value, hidden=("secret",)):
    """Two numbers, and something that is not shown."""

    x: int
    y: int = 0
    secret: str = ""

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x is below zero.")


class Named(Point):
    """A point with a name."""

    name: str


def test_fields_are_given_by_name_and_the_others_have_their_defaults() -> None:
    point = Point(x=1)
    assert (point.x, point.y) == (1, 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Point needs x."),
        ({"x": 1, "z": 2}, "Point does not know z."),
        ({"y": 1, "z": 2}, "Point does not know z and needs x."),
    ],
)
def test_a_field_too_many_or_too_few_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        Point(**given)


def test_a_value_does_not_change() -> None:
    point = Point(x=1)
    with pytest.raises(AttributeError, match=r"evolve\(x=\.\.\.\)"):
        point.x = 2  # type: ignore[misc]  # what is tested
    with pytest.raises(AttributeError):
        del point.y
    assert point == Point(x=1)


def test_evolve_gives_another_one_and_checks_it() -> None:
    point = Point(x=1)
    assert (point.evolve(x=5), point.x) == (Point(x=5), 1)
    with pytest.raises(ValueError, match="below zero"):
        point.evolve(x=-1)
    with pytest.raises(TypeError, match="does not know z"):
        point.evolve(z=1)


def test_copy_replace_is_evolve() -> None:
    replace: Any = getattr(copy, "replace", lambda value, **changes: type(value).__replace__(value, **changes))
    assert replace(Point(x=1), y=2) == Point(x=1, y=2)


def test_values_of_one_class_are_compared_by_their_fields() -> None:
    assert Point(x=1, secret="a") != Point(x=1, secret="b")
    assert Named(x=1, name="a") != Point(x=1)
    assert {Point(x=1), Point(x=1), Point(x=2)} == {Point(x=1), Point(x=2)}
    assert Point(x=1) != (1, 0, "")


def test_what_is_kept_beside_the_fields_is_no_part_of_the_value() -> None:
    point = Point(x=1)
    vars(point)["kept"] = "made later"
    assert point == Point(x=1)
    assert "kept" not in repr(point)
    assert point.evolve(y=1) == Point(x=1, y=1)


def test_hidden_fields_are_not_shown() -> None:
    assert repr(Named(x=1, name="a", secret="b")) == "Named(x=1, y=0, name='a')"


def test_values_are_copied_and_pickled() -> None:
    point = Named(x=1, name="a")
    assert pickle.loads(pickle.dumps(point)) == copy.deepcopy(point) == copy.copy(point) == point


class Quiet(Point):
    """A point made in a way of its own."""

    def __init__(self, at: str) -> None:
        super().__init__(x=len(at))


def test_the_signature_of_a_class_shows_its_fields_by_name_with_their_defaults() -> None:
    shown = inspect.signature(Named)
    assert str(shown) == "(*, x: 'int', y: 'int' = 0, secret: 'str' = '', name: 'str')"
    assert {one.kind for one in shown.parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


def test_the_signature_takes_what_the_class_takes() -> None:
    given = {"x": 1, "name": "a"}
    assert Named(**inspect.signature(Named).bind(**given).kwargs) == Named(x=1, name="a")
    for wrong in ({"x": 1}, {"x": 1, "name": "a", "z": 1}):
        with pytest.raises(TypeError):
            inspect.signature(Named).bind(**wrong)
        with pytest.raises(TypeError):
            Named(**wrong)


def test_a_subclass_with_its_own_init_keeps_its_own_signature() -> None:
    assert str(inspect.signature(Quiet)) == "(at: 'str') -> 'None'"
    assert str(inspect.signature(TaskToken)) == "(secret: 'str') -> 'None'"


def test_a_value_that_is_called_has_the_signature_of_its_call() -> None:
    class Adding(Value):
        by: int

        def __call__(self, number: int) -> int:
            return number + self.by

    assert list(inspect.signature(Adding(by=1)).parameters) == ["number"]
    assert list(inspect.signature(task_callback(lambda event, context: {})).parameters) == ["event", "context"]


@pytest.mark.parametrize("kind", [CloudFlowClient, RetryPolicy, Credentials, FcContext], ids=lambda kind: kind.__name__)
def test_help_shows_the_fields_of_a_public_value(kind: type[Value]) -> None:
    parameters = inspect.signature(kind).parameters
    assert set(parameters) == kind._fields
    written = re.sub(r"[\s|]", "", pydoc.plain(pydoc.render_doc(kind)))  # Python 3.13 wraps a long one
    assert f"{kind.__name__}(*,{next(iter(parameters))}:" in written


def test_a_production_key_has_no_secret_by_default() -> None:
    parameters = inspect.signature(Credentials).parameters
    assert parameters["access_key_secret"].default is inspect.Parameter.empty
