"""Compare the payload of a flow's step with the type that a handler asks for, before a deployment.

The parts of the payload that only an execution knows are null here, and their places are given. pydantic itself validates
the rest, so every alias, default and conversion counts as at an event. Only certain results are returned: what a user's own
function may decide or change, and what depends on an unknown part, is left out.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from pydantic import ValidationError
from pydantic_core import to_json

from fc_callback.payload.annotations import core_type, union_members
from fc_callback.payload.arguments import type_text
from fc_callback.payload.models import PAYLOAD_TYPE_MARK, schema_and_validator
from fc_callback.payload.problems import PYDANTIC_TYPES, message_without_values
from fc_callback.payload.schemas import declared_keys, is_user_function, keys_of_fields, nodes, top_objects
from fc_callback.payload.signatures import bind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic_core import ErrorDetails

    Place: TypeAlias = tuple[str | int, ...]

_OBJECTS = {"model-fields", "dataclass-args", "typed-dict", "named-tuple", "arguments"}
_UNIONS = {"union", "tagged-union"}
_MISSING = {"missing", "missing_argument", "missing_keyword_only_argument", "missing_positional_only_argument"}
_EXTRA = {"extra_forbidden", "unexpected_keyword_argument"}
# How alike two keys are: for a hint at a mistake that is certain, and for a finding that rests on it.
_CLOSE = 0.7
_VERY_CLOSE = 0.8
_NOTHING = object()


class Mismatch(NamedTuple):
    """A part of a payload that does not fit the type.

    Attributes:
        kind: `missing`: a required key is not there. `unknown`: the type forbids the key. `ignored`: the type does not read
            the key, which resembles one that it reads. `value`: the value is not valid.
        place: Where the value is, or the object that lacks the key.
        key: The key.
        near: The key of the other side that resembles it; empty if there is none.
        type_name: The type.
        message: For a value: what it should be.
    """

    kind: Literal["missing", "unknown", "ignored", "value"]
    place: Place
    key: str
    type_name: str
    near: str = ""
    message: str = ""


def payload_type(handler: Any) -> Any:
    """Return the type of the payload that a handler of `task_callback` validates; None if it is not certain.

    It is certain where the handler looks for the token at the usual keys, serves one task, and has no decorator above or
    below `task_callback` that could change the event.
    """
    options: Any = getattr(handler, "__task_options__", None)
    function: Any = getattr(handler, "__wrapped__", None)
    if options is None or hasattr(function, "__task_options__"):  # `functools.wraps` copies it to a decorator above
        return None
    if options.token is not None or options.batch is not None:
        return None
    binding = bind(function, decorator="task_callback")
    types = [getattr(one, PAYLOAD_TYPE_MARK, None) for one in (*binding.positional, *binding.named.values())]
    return next((one for one in types if one is not None), None)


def mismatches_of(
    kind: Any, payload: Mapping[str, Any], *, unknown: Iterable[Place], token_keys: Iterable[str]
) -> list[Mismatch]:
    """Return what certainly does not fit a type.

    Args:
        kind: The type, as `payload_type` returns it.
        payload: The payload, with null at each unknown place.
        unknown: The places whose values only an execution knows.
        token_keys: The keys at the top of the payload that hold the task token, which are not read unless declared.
    """
    try:
        schema, _ = schema_and_validator(kind)
        members = list(_members(kind))
        objects = top_objects(schema)
        if len(objects) != len(members) or any(one["type"] not in _OBJECTS for one in objects):
            return []
        compared = [_Comparison(one, payload, {tuple(each) for each in unknown}, set(token_keys)) for one in members]
        return _of_union(compared)
    except Exception:  # noqa: BLE001 - a user's function may raise anything; then nothing is certain
        return []


def _members(kind: Any) -> Iterator[Any]:
    """Yield the members of a union at any depth that are not None, or the type itself."""
    core, _ = core_type(kind)
    members = union_members(core)
    if len(members) == 1:
        if core is not type(None):
            yield kind
        return
    for member in members:
        yield from _members(member)


def _of_union(members: list[_Comparison]) -> list[Mismatch]:
    """Return the mismatches of a union: none if a member may fit, and those of the member that a literal value selects."""
    if len(members) == 1:
        return members[0].mismatches()
    refused = [[one for one in member.mismatches() if one.kind != "ignored"] for member in members]
    if not all(refused):
        return []
    selected = [each for member, each in zip(members, refused, strict=True) if not member.refuses_literal]
    if len(selected) == 1:
        return selected[0]
    name = " | ".join(member.name for member in members)
    reasons = "; ".join(f"{each[0].type_name}: {_reason(each[0])}" for each in refused)
    return [Mismatch(kind="value", place=(), key="", type_name=name, message=f"It fits no member ({reasons})")]


def _reason(one: Mismatch) -> str:
    return {
        "missing": f"{one.key!r} is missing",
        "unknown": f"{one.key!r} is not allowed",
        "value": f"{'.'.join(map(str, one.place))}: {one.message}",
        "ignored": "",
    }[one.kind]


class _Comparison:
    """Compares one payload with one type that is not a union."""

    def __init__(self, kind: Any, payload: Mapping[str, Any], unknown: set[Place], token_keys: set[str]) -> None:
        self.name = type_text(core_type(kind)[0])
        self.refuses_literal = False  # for a value of one word, as the tag of a member of a union has
        self.schema, self._validator = schema_and_validator(kind)
        self._declared = declared_keys(self.schema)
        self.payload = {key: one for key, one in payload.items() if key not in token_keys - self._declared}
        self._unknown = unknown | {(key,) for key in token_keys}
        parts = list(nodes(self.schema))
        self._is_certain = not any(one.get("custom_init") for one in parts)  # a model with its own __init__
        self._has_functions = any(map(is_user_function, parts))
        self._is_plain = not self._has_functions and not any(one["type"] in _UNIONS for one in parts)
        self._has_alias_paths = any(map(_has_alias_path, parts))
        self._keeps_others = any(map(_keeps_other_keys, parts))

    def mismatches(self) -> list[Mismatch]:
        """Return what does not fit; empty if nothing is certain."""
        if not self._is_certain:
            return []
        found: dict[tuple[str, Place, str], Mismatch] = {}
        for detail in self._errors():
            self.refuses_literal |= detail["type"] == "literal_error" and self._is_known(detail["loc"])
            one = self._mismatch(detail)
            if one is not None:
                found.setdefault((one.kind, one.place, one.key), one)
        near = {(one.place, one.near) for one in found.values() if one.kind == "missing"}
        kept = [one for one in found.values() if one.kind != "unknown" or (one.place, one.key) not in near]
        named = {one.key for one in kept if not one.place} | {name for place, name in near if not place}
        return [*kept, *self._ignored(named)]

    def _errors(self) -> list[ErrorDetails]:
        try:
            self._validator.validate_json(to_json(self.payload))
        except ValidationError as error:
            return error.errors(include_url=False)
        return []

    def _mismatch(self, detail: ErrorDetails) -> Mismatch | None:
        place, kind = detail["loc"], detail["type"]
        if not place or kind not in PYDANTIC_TYPES:
            return None
        if kind in _MISSING and self._has_alias_paths:
            return None  # the key may be inside an unknown part
        if kind in _MISSING | _EXTRA and (len(place) == 1 or self._is_plain):
            return self._of_key(place[:-1], str(place[-1]), "missing" if kind in _MISSING else "unknown")
        if self._has_functions:
            return None
        if self._is_plain and self._is_known(place):
            return self._of_value(place, message_without_values(detail))
        if self._is_known(place[:1]):
            inner = "It fits none of its types" if self._value_at(place) is _NOTHING else message_without_values(detail)
            return self._of_value(place[:1], inner)
        return None

    def _of_key(self, holder: Place, key: str, kind: Literal["missing", "unknown"]) -> Mismatch | None:
        given = self._value_at(holder)
        if not isinstance(given, dict):
            return None
        if kind == "unknown":
            near = "" if holder else nearest(key, self._absent())
        else:
            # A key of another field is not a misspelt one, unless it has the same letters: a name in place of an alias.
            taken = frozenset() if holder else self._declared
            near = nearest(key, [one for one in given if one not in taken or _same_letters(one, key)])
        return Mismatch(kind=kind, place=holder, key=key, type_name=self.name, near=near)

    def _of_value(self, place: Place, message: str) -> Mismatch:
        return Mismatch(kind="value", place=place, key=str(place[-1]), type_name=self.name, message=message)

    def _ignored(self, named: set[str]) -> Iterator[Mismatch]:
        if self._keeps_others or self._has_functions:
            return
        for key in self.payload:
            near = "" if key in self._declared or key in named else nearest(key, self._absent(), close=_VERY_CLOSE)
            if near and near not in named:
                yield Mismatch(kind="ignored", place=(), key=key, type_name=self.name, near=near)

    def _absent(self) -> list[str]:
        """Return the keys of the fields for which the payload has no key."""
        absent = (keys for keys in keys_of_fields(self.schema) if not keys & self.payload.keys())
        return sorted(frozenset().union(*absent))

    def _value_at(self, place: Place) -> Any:
        """Return the value at a place; `_NOTHING` if there is none, or only an execution knows it."""
        value: Any = self.payload
        for index, step in enumerate(place):
            if place[:index] in self._unknown:
                return _NOTHING
            try:
                value = value[step]
            except (LookupError, TypeError):
                return _NOTHING
        return _NOTHING if place in self._unknown else value

    def _is_known(self, place: Place) -> bool:
        """Return whether the payload has a value at a place, and no part of it is unknown."""
        inside = any(one[: len(place)] == place for one in self._unknown)
        return not inside and self._value_at(place) is not _NOTHING


def _has_alias_path(schema: Mapping[str, Any]) -> bool:
    """Return whether a field is read from inside another key, as pydantic's `AliasPath` says."""
    alias = schema.get("validation_alias")
    paths = alias if isinstance(alias, list) else []
    return any(len(path) > 1 for path in (paths if paths and isinstance(paths[0], list) else [paths]))


def _keeps_other_keys(schema: Mapping[str, Any]) -> bool:
    config = schema.get("config") or {}
    return "allow" in {schema.get("extra_behavior"), config.get("extra_fields_behavior")} or "extras_schema" in schema


def _same_letters(one: str, other: str) -> bool:
    return _letters(one) == _letters(other)


def _letters(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


def nearest(key: str, others: Iterable[str], *, close: float = _CLOSE) -> str:
    """Return the other key that a key resembles: the same letters in another style, or a typing mistake; else empty."""
    candidates = list(others)
    same = [one for one in candidates if _same_letters(one, key)]
    return next(iter(same or difflib.get_close_matches(key, candidates, n=1, cutoff=close)), "")
