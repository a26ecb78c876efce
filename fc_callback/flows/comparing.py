"""How conditions compare: types that differ and paths that lead nowhere make a comparison false.

Source: Serverless Workflow documentation 122497 and CloudFlow documentation 2412568, which compare strings with strings and
numbers with numbers. Inferred: the rules for booleans, null, arrays and maps.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from fc_callback.errors import FcCallbackError
from fc_callback.flows.definition import RUNTIME_ERROR, FlowError
from fc_callback.flows.paths import Condition, Expression, Values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class _Missing(FcCallbackError):
    """A path of a condition leads nowhere."""


def _raise_missing(_path: str) -> None:
    raise _Missing("A path leads nowhere.")


def null(_values: Values) -> None:
    """Return None: the literal `null`, the only value that `==` and `!=` compare with every type."""


def truth(expression: Expression) -> Condition:
    """Return a condition: true only if the expression's value is the boolean true."""

    def evaluate(values: Values) -> bool:
        try:
            return expression(_strict(values)) is True
        except _Missing:
            return False

    return evaluate


def all_true(expressions: Iterable[Expression]) -> Condition:
    """Return the condition `a && b && ...`. The first part that is false ends it."""
    parts = [truth(expression) for expression in expressions]

    def evaluate(values: Values) -> bool:
        for part in parts:  # noqa: SIM110 - a generator would double the stack of nested conditions
            if not part(values):
                return False
        return True

    return evaluate


def any_true(expressions: Iterable[Expression]) -> Condition:
    """Return the condition `a || b || ...`. The first part that is true ends it."""
    parts = [truth(expression) for expression in expressions]

    def evaluate(values: Values) -> bool:
        for part in parts:  # noqa: SIM110 - the same
            if part(values):
                return True
        return False

    return evaluate


def comparison(left: Expression, sign: str, right: Expression) -> Condition:
    """Return the comparison of two expressions; a missing path on either side makes it false, also with `!=`."""
    against_null = sign in {"==", "!="} and null in {left, right}

    def evaluate(values: Values) -> bool:
        strict = _strict(values)
        try:
            one, other = left(strict), right(strict)
        except _Missing:
            return False
        return (one is other) is (sign == "==") if against_null else compare(one, sign, other)

    return evaluate


def compare(left: Any, sign: str, right: Any) -> bool:
    """Return the result of a comparison: false if the types differ, also with `!=`."""
    if _kind(left) is not _kind(right):
        return False
    if sign in _ORDER:
        return isinstance(left, str | int | float) and not isinstance(left, bool) and _ORDER[sign](left, right)
    return (json_key(left) == json_key(right)) is (sign == "==")


def json_key(value: Any) -> Any:
    """Return a hashable value that is equal for equal JSON values only: true is not 1, unlike in Python.

    Raises:
        FlowError: The value is nested too deeply.
    """
    try:
        return _json_key(value)
    except RecursionError:
        raise FlowError(RUNTIME_ERROR, "A value that is compared is nested too deeply.") from None


def _json_key(value: Any) -> Any:
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, list):
        return (list, *map(_json_key, value))
    if isinstance(value, dict):
        return (dict, frozenset((name, _json_key(member)) for name, member in value.items()))
    return value


def _kind(value: Any) -> type:
    return float if type(value) is int else type(value)


def _strict(values: Values) -> Values:
    return values if values.missing is _raise_missing else Values(values.roots, _raise_missing)
