"""From the syntax tree of an expression or a condition to a function that evaluates it.

This module imports `lark`, like `grammar`.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from lark import Token
from lark.exceptions import VisitError
from lark.visitors import Transformer_NonRecursive, v_args

from fc_callback.flows.builtins import NOTHING, bounded_items
from fc_callback.flows.comparing import all_true, any_true, comparison, null
from fc_callback.flows.definition import DefinitionError, UnsupportedDefinition
from fc_callback.flows.grammar import ExpressionSyntaxError, UnknownOperator, parse_text
from fc_callback.flows.paths import Expression, Path, Values, constant, parse_segments
from fc_callback.flows.references import ExpressionText, shorten

_CONSTANTS = {"true": True, "false": False}


def compile_expression(given: ExpressionText) -> Expression:
    """Return the expression that a text describes.

    Raises:
        DefinitionError: The text is not an expression, or names an unknown function or value.
    """
    try:
        expression: Expression = _Compiler(given).transform(parse_text(given.text))
    except ExpressionSyntaxError as error:
        kind = UnsupportedDefinition if isinstance(error, UnknownOperator) else DefinitionError
        raise given.error(str(error), kind) from None
    except VisitError as error:
        raise error.orig_exc from None
    return expression


@v_args(inline=True)
class _Compiler(Transformer_NonRecursive[Token, Any]):
    """Has a method for each rule of the grammar; it takes what the methods of the rule's parts returned."""

    def __init__(self, given: ExpressionText) -> None:
        super().__init__()
        self.given = given

    def either(self, *parts: Expression) -> Expression:
        return any_true(parts)

    def both(self, *parts: Expression) -> Expression:
        return all_true(parts)

    def compared(self, left: Expression, sign: Token, right: Expression) -> Expression:
        return comparison(left, str(sign), right)

    def path(self, token: Token) -> Expression:
        reference = self.given.reference(token)
        assert reference is not None  # the grammar has the pattern of paths
        return reference

    def string(self, token: Token) -> Expression:
        return constant(self._text(token))

    def number(self, token: Token) -> Expression:
        try:
            value = json.loads(token)
        except ValueError:  # more digits than Python reads
            value = math.inf
        if not math.isfinite(value):
            raise self._error("has a number that is too large", token)
        return constant(value)

    def name(self, token: Token) -> Expression:
        if str(token) == "null":
            return null
        if token not in _CONSTANTS:
            raise self._error(
                f"has {shorten(token)!r}, which is neither true, false, null nor the call of a function", token
            )
        return constant(_CONSTANTS[token])

    def call(self, name: Token, arguments: tuple[Expression, ...] | None, suffix: Token | None) -> Expression:
        function = self.given.functions.get(name)
        if function is None:
            known = ", ".join(self.given.functions)
            lacks = f"the local CloudFlow does not have the function {shorten(name)!r}"
            has = f"it has {known}" if known else "a condition of this language has no functions"
            raise self._error(f"cannot be evaluated: {lacks}; {has}", name, UnsupportedDefinition)
        parts = arguments or ()
        if len(parts) < function.least or (function.most is not None and len(parts) > function.most):
            wants = function.most if function.most is not None else f"at least {function.least}"
            raise self._error(f"gives {name} {len(parts)} arguments; it takes {wants}", name)
        path = Path(f"{name}(...){suffix or ''}", parse_segments(suffix or ""))

        def evaluate(values: Values) -> Any:
            result = function.run([part(values) for part in parts])
            if result is NOTHING:
                values.missing(path.text)
                return None
            return path.read(result, values.missing)

        return evaluate

    def items(self, *items: Expression) -> tuple[Expression, ...]:
        return items

    def array(self, items: tuple[Expression, ...] | None) -> Expression:
        parts = items or ()
        return lambda values: bounded_items(part(values) for part in parts)

    def member(self, key: Token, value: Expression) -> tuple[str, Expression]:
        return self._text(key), value

    def members(self, *members: tuple[str, Expression]) -> dict[str, Expression]:
        return dict(members)

    def object(self, members: dict[str, Expression] | None) -> Expression:
        parts = members or {}
        return lambda values: dict(zip(parts, bounded_items(part(values) for part in parts.values()), strict=True))

    def _text(self, token: Token) -> str:
        inner = token[1:-1]
        if token[0] == "`":
            return inner
        if token[0] == "'":
            return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)
        try:
            text = str(json.loads(token, strict=False))
            text.encode()
        except ValueError:
            raise self._error(f"has a text that cannot be read, {shorten(token)}", token) from None
        return text

    def _error(self, reason: str, token: Token, kind: type[DefinitionError] = DefinitionError) -> DefinitionError:
        return self.given.error(f"{reason} (character {(token.start_pos or 0) + 1})", kind)
