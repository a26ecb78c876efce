"""Expressions, conditions and constructors of both flow languages, from the values of a definition to functions.

Source: CloudFlow documentation 2402077 (inputs and outputs), 2579872 (built-in functions) and 2412568 (Choice); Serverless
Workflow documentation 122497 (choice). Inferred: `[0]` and `[*]` in CloudFlow's paths, comparisons in constructors.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from fc_callback.flows.builtins import BUILTINS
from fc_callback.flows.comparing import truth
from fc_callback.flows.definition import DefinitionError, JsonObject, Warn, WarnAt, ignore, warn_below
from fc_callback.flows.fields import at_place
from fc_callback.flows.paths import SEGMENT_PATTERN, Condition, Constructor, Expression, Values, constant
from fc_callback.flows.references import ExpressionText, shorten

if TYPE_CHECKING:
    from collections.abc import Callable

# These limits are this emulator's own.
MAX_CHARACTERS = 20_000
MAX_CONSTRUCTOR_LEVELS = 100
# Constants that look like an expression: a path, or the call of a function that reads one.
_ROOT = r"\$(?:Context|Input|Output|Global)"
_LIKE_EXPRESSION = re.compile(
    rf"\s*(?:{_ROOT}{SEGMENT_PATTERN}*|(?:{'|'.join(BUILTINS)})\(.*{_ROOT}\b.*\))\s*", flags=re.DOTALL
)


def parse_expression(text: object, *, roots: tuple[str, ...], label: str, warn: Warn = ignore) -> Expression:
    """Return the expression that a text describes.

    Args:
        text: The text.
        roots: Those of `$Input`, `$Output`, `$Context` and `$Global` that exist here.
        label: The text's name in messages.
        warn: Called with a text about each path that cannot exist, without the label; the path's value is null.

    Raises:
        DefinitionError: The text is not an expression, or names an unknown value; the message names the character.
        UnsupportedDefinition: The text names an unknown function.
    """
    if not isinstance(text, str):
        raise DefinitionError(f"{label}: an expression is text, not {json.dumps(text)}.")
    return _parse(ExpressionText(text=text, roots=roots, functions=BUILTINS, label=label, warn=warn))


def parse_condition(text: object, *, roots: tuple[str, ...], label: str, warn: Warn = ignore) -> Condition:
    """Return the condition of a Choice state that a text describes, with the arguments of `parse_expression`.

    It is true only if its value is the boolean true. A path that leads nowhere makes its comparison false without a call of
    `Values.missing`: this is the documented way to the default.

    Raises:
        DefinitionError: As for `parse_expression`.
    """
    return truth(parse_expression(text, roots=roots, label=label, warn=warn))


def parse_legacy_condition(text: object, *, label: str) -> Callable[[JsonObject], bool]:
    """Return the condition of a legacy choice. It takes the input of the choice, which its paths `$.a.b` read.

    Raises:
        DefinitionError: The text is not a condition, or reads anything else; the message names the character.
    """
    if not isinstance(text, str):
        raise DefinitionError(f"{label}: a condition is text, not {json.dumps(text)}.")
    condition = truth(_parse(ExpressionText(text=text, roots=("$",), functions={}, label=label)))
    return lambda given: condition(Values({"$": given}))


def _parse(given: ExpressionText) -> Expression:
    if len(given.text) > MAX_CHARACTERS:
        raise given.error(f"has {len(given.text)} characters; the limit is {MAX_CHARACTERS}")
    # Most expressions are paths. They need no grammar, whose first use takes a tenth of a second.
    reference = given.reference(given.text)
    if reference is not None:
        return reference
    from fc_callback.flows.compiling import compile_expression

    return compile_expression(given)


def parse_constructor(value: object, *, roots: tuple[str, ...], label: str, warn: WarnAt = ignore) -> Constructor:
    """Return a constructor: constants, and expressions under the keys that end in `.$`; see `parse_expression`.

    `warn` also gets a text about each constant that looks like an expression, and the place of each of its texts.

    Raises:
        DefinitionError: The value is not a mapping, or an expression in it cannot be read.
    """
    return _constructor(value, 0, roots=roots, label=label, warn=warn)


def _constructor(value: object, level: int, *, roots: tuple[str, ...], label: str, warn: WarnAt) -> Constructor:
    if not isinstance(value, dict):
        raise DefinitionError(f"{label} must be a mapping.")
    members: dict[str, Expression] = {}
    for key, part in value.items():
        name = key.removesuffix(".$")
        if name in members:
            raise DefinitionError(f"{label}: {name!r} is given twice.")
        inner, warn_here = f"{label}.{key}", warn_below(warn, key)
        with at_place(key):
            if key.endswith(".$"):
                members[name] = parse_expression(part, roots=roots, label=inner, warn=warn_here)
            else:
                members[name] = _part(part, level + 1, roots=roots, label=inner, warn=warn_here)
    return lambda values: {name: member(values) for name, member in members.items()}


def _part(part: object, level: int, *, roots: tuple[str, ...], label: str, warn: WarnAt) -> Expression:
    if level > MAX_CONSTRUCTOR_LEVELS:
        raise DefinitionError(f"{label[:200]}…: maps and lists nest deeper than {MAX_CONSTRUCTOR_LEVELS} levels.")
    if isinstance(part, dict):
        return _constructor(part, level, roots=roots, label=label, warn=warn)
    if isinstance(part, list):
        items = [
            _part(item, level + 1, roots=roots, label=label, warn=warn_below(warn, index))
            for index, item in enumerate(part)
        ]
        return lambda values: [item(values) for item in items]
    if isinstance(part, str) and _LIKE_EXPRESSION.fullmatch(part):
        warn(f"{shorten(part)!r} is a constant text: only the value of a key that ends in `.$` is an expression.")
    return constant(part)
