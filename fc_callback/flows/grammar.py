"""The grammar of expressions and conditions of both flow languages: from a text to its syntax tree.

This module imports `lark`. It is imported by the first text that is not a plain path.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from fc_callback.errors import FcCallbackError
from fc_callback.flows.paths import ROOT_PATTERN, SEGMENT_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable

# CloudFlow documentation 2579872: calls nest to 10 levels. The other limit is this emulator's own.
MAX_CALLS = 10
MAX_BRACKETS = 50
_GRAMMAR = rf"""
?start: either
?either: both (_OR both)*
?both: compared (_AND compared)*
?compared: operand (COMPARISON operand)?
?operand: PATH -> path
    | STRING -> string
    | NUMBER -> number
    | NAME -> name
    | NAME "(" [items] ")" [SUFFIX] -> call
    | "[" [items] "]" -> array
    | "{{" [members] "}}" -> object
    | "(" either ")"
items: either ("," either)*
members: member ("," member)*
member: STRING ":" either

PATH: /{ROOT_PATTERN}{SEGMENT_PATTERN}*/
SUFFIX: /{SEGMENT_PATTERN}+/
STRING: /"(?:[^"\\]|\\.)*"/s | /'(?:[^'\\]|\\.)*'/s | /`[^`]*`/
NUMBER: /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/
NAME: /[A-Za-z_][A-Za-z0-9_]*/
COMPARISON: /[=!]=|[<>]=?/
_AND: "&&"
_OR: "||"
%ignore /\s+/
"""
_OPENING = {"LPAR", "LSQB", "LBRACE"}
_CLOSING = {"RPAR", "RSQB", "RBRACE"}
_VALUE = {"PATH", "STRING", "NUMBER", "NAME", *_OPENING}
_WORDS = {
    "COMPARISON": "a comparison (== != < <= > >=)",
    "_AND": "&&",
    "_OR": "||",
    "COMMA": "','",
    "COLON": "':'",
    "RPAR": "')'",
    "RSQB": "']'",
    "RBRACE": "'}'",
    "$END": "the end",
}
_SHOWN_CHARACTERS = 20


class ExpressionSyntaxError(FcCallbackError):
    """A text breaks the grammar; the message continues "the expression ..."."""


class UnknownOperator(ExpressionSyntaxError):
    """A text has an operator that no document mentions; the real service may have it."""


@lru_cache(maxsize=256)
def parse_text(text: str) -> Tree[Token]:
    """Return the syntax tree of an expression or a condition. It must not be changed, because it is cached.

    Raises:
        ExpressionSyntaxError: The text breaks the grammar, or a limit of nesting.
    """
    parser = _parser().parse_interactive(text)
    try:
        _check_nesting(parser.iter_parse())
        tree: Tree[Token] = parser.feed_eof()  # type: ignore[no-untyped-call]
    except UnexpectedInput as error:
        accepted: set[str] = parser.accepts()  # type: ignore[no-untyped-call]
        raise _syntax_error(text, error, accepted) from None
    return tree


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", maybe_placeholders=True)


def _check_nesting(tokens: Iterable[Token]) -> None:
    calls: list[bool] = []  # for each open bracket, whether it belongs to a function
    before = ""
    for token in tokens:
        if token.type in _OPENING:
            calls.append(token.type == "LPAR" and before == "NAME")
            position = (token.start_pos or 0) + 1
            if sum(calls) > MAX_CALLS:
                raise ExpressionSyntaxError(f"nests functions deeper than {MAX_CALLS} levels at character {position}")
            if len(calls) > MAX_BRACKETS:
                raise ExpressionSyntaxError(f"nests brackets deeper than {MAX_BRACKETS} levels at character {position}")
        elif token.type in _CLOSING and calls:
            calls.pop()
        before = token.type


def _syntax_error(text: str, error: UnexpectedInput, accepted: set[str]) -> ExpressionSyntaxError:
    expected = [word for name, word in _WORDS.items() if name in accepted]
    if accepted >= _VALUE:
        expected.insert(0, "a value")
    elif "STRING" in accepted:
        expected.insert(0, "a key in quotes")
    elif "LPAR" in accepted:
        expected.insert(0, "'('")
    wanted = f"expected is {' or '.join(expected)}"
    position = None
    if isinstance(error, UnexpectedCharacters):
        position = error.pos_in_stream
    elif isinstance(error, UnexpectedToken) and error.token.type != "$END":
        position = error.token.start_pos
    if position is None:
        return ExpressionSyntaxError(f"ends too early: {wanted}")
    place = f"character {position + 1}"
    if text[position] in "+-*/%!":
        lacks = f"the local CloudFlow does not have the operator {text[position]!r}"
        return UnknownOperator(f"cannot be evaluated from {place} on: {lacks}; {wanted}")
    if text[position] in "\"'`" and "STRING" in accepted:
        return ExpressionSyntaxError(f"has a text without its closing {text[position]} from {place} on")
    found = text[position : position + _SHOWN_CHARACTERS]
    return ExpressionSyntaxError(f"is wrong at {place}: {wanted}, not {found!r}")
