"""What a function gets for each annotation of its event, or which annotation is refused when it is decorated."""

from __future__ import annotations

import json
import typing
import uuid
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from datetime import date, datetime, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

import attrs
import pydantic
import pytest
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, PlainValidator, Strict
from typing_extensions import Doc, Never

from fc_callback import FcContext, PayloadInvalid, Task, event_parser, task_callback
from fc_callback.events import CloudEvent, HttpEvent, HttpResponse, MnsQueueMessage, TimerEvent
from tests.payload import kinds as k
from tests.waiting import WaitingTasks

ORDER: dict[str, Any] = {"id": 7}
STRICT: dict[str, Any] = {
    "id": 7,
    "ref": "6f1e8f3e-3f5c-4b6e-9d7a-0a5b1f7a2c11",
    "at": "2026-01-02T03:04:05Z",
    "day": "2026-01-02",
    "color": "red",
    "pair": [1, 2],
    "price": "12.50",
    "names": ["a"],
}


@attrs.frozen
class Refused:
    """Refused when the function is decorated, with these words."""

    words: str


@attrs.frozen
class Invalid:
    """Refused when the event comes, because of these paths."""

    paths: tuple[str, ...]


@attrs.frozen
class Case:
    """One annotation.

    Args:
        kind: The annotation.
        gets: What the function gets: a value, a `Refused`, an `Invalid`, or a check. TOKEN stands for the task token.
        alone: The same under event_parser, which leaves no token out; None where it is the same.
        payload: The event, beside the token.
    """

    kind: Any
    gets: Any
    alone: Any = None
    payload: dict[str, Any] = ORDER


TOKEN = "the task token"
WITH_TOKEN: dict[str, Any] = {"id": 7, "taskToken": TOKEN}
NO_OBJECT = Refused("the payload is a JSON object, which ")
UNKNOWN = Refused("pydantic cannot validate")
STANDS_ALONE = Refused("Use Task and FcContext alone")
NOT_AN_EVENT = Refused("Annotate with the class of one trigger's event")
FORBIDDEN = Invalid(("$.taskToken",))


def raw(event: Any, delivered: bytes) -> bool:
    return event is delivered


def is_(kind: type, **fields: Any) -> Callable[[Any, bytes], bool]:
    return lambda value, _: type(value) is kind and all(getattr(value, name) == field for name, field in fields.items())


CASES: dict[str, Case] = {
    # The event as it came
    "none": Case(..., raw),
    "bytes": Case(bytes, raw),
    "Any": Case(Any, raw),
    "object": Case(object, raw),
    "text of bytes": Case("bytes", raw),
    "text of Any": Case("typing.Any", raw),
    "NewType of bytes": Case(k.Raw, raw),
    "alias of bytes": Case(k.RawAlias, raw),
    "Annotated bytes": Case(Annotated[bytes, "as it came"], raw),
    "Annotated bytes with Doc": Case(Annotated[bytes, Doc("as it came")], raw),
    "Annotated alias of bytes": Case(Annotated[k.RawAlias, "as it came"], raw),
    "Annotated Any": Case(Annotated[Any, "as it came"], raw),
    "validated bytes": Case(Annotated[bytes, AfterValidator(len)], Refused("is not validated")),
    "bytes of a length": Case(Annotated[bytes, Field(max_length=3)], Refused("is not validated")),
    "bytes or None": Case(bytes | None, NO_OBJECT),
    "Optional bytes": Case(Optional[bytes], NO_OBJECT),  # noqa: UP045 - people write it
    "bytearray": Case(bytearray, NO_OBJECT),
    "memoryview": Case(memoryview, NO_OBJECT),
    # The payload as a dict
    "dict": Case(dict, ORDER, WITH_TOKEN),
    "dict of Any": Case(dict[str, Any], ORDER, WITH_TOKEN),
    "dict of object": Case(dict[str, object], ORDER, WITH_TOKEN),
    "dict of any keys": Case(dict[Any, Any], ORDER, WITH_TOKEN),
    "typing.Dict": Case(typing.Dict[str, Any], ORDER, WITH_TOKEN),  # noqa: UP006 - people write it
    "bare typing.Dict": Case(typing.Dict, ORDER, WITH_TOKEN),  # noqa: UP006
    "Mapping": Case(Mapping, ORDER, WITH_TOKEN),
    "Mapping of Any": Case(Mapping[str, Any], ORDER, WITH_TOKEN),
    "typing.Mapping": Case(typing.Mapping[str, Any], ORDER, WITH_TOKEN),
    "MutableMapping": Case(MutableMapping[str, Any], ORDER, WITH_TOKEN),
    "dict or None": Case(dict[str, Any] | None, ORDER, WITH_TOKEN),
    "Optional dict": Case(Optional[dict], ORDER, WITH_TOKEN),  # noqa: UP045
    "Annotated dict": Case(Annotated[dict[str, Any], "the order"], ORDER, WITH_TOKEN),
    "alias of dict": Case(k.DictAlias, ORDER, WITH_TOKEN),
    "text of dict": Case("dict[str, typing.Any]", ORDER, WITH_TOKEN),
    "validated dict": Case(
        Annotated[dict[str, Any], AfterValidator(k.counted)], {"keys": ["id"]}, {"keys": ["id", "taskToken"]}
    ),
    "validated Any": Case(Annotated[Any, BeforeValidator(k.counted)], {"keys": ["id"]}, {"keys": ["id", "taskToken"]}),
    "dict of int": Case(dict[str, int], ORDER, Invalid(("$.taskToken",))),
    "dict of int keys": Case(dict[int, Any], {7: 1}, Invalid(('$.taskToken["[key]"]',)), payload={"7": 1}),
    "dict of models": Case(
        dict[str, k.Model], {"a": k.Model(id=7)}, Invalid(("$.taskToken",)), payload={"a": {"id": 7}}
    ),
    "OrderedDict": Case(OrderedDict[str, Any], OrderedDict(ORDER), OrderedDict(WITH_TOKEN)),
    "defaultdict": Case(defaultdict[str, int], defaultdict(int, ORDER), Invalid(("$.taskToken",))),
    "dict or bytes": Case(Union[bytes, dict[str, Any]], ORDER, WITH_TOKEN),  # noqa: UP007
    "recursive alias": Case(k.JsonAlias, ORDER, WITH_TOKEN),
    # Models
    "model": Case(k.Model, k.Model(id=7)),
    "text of model": Case("k.Model", k.Model(id=7)),
    "text in brackets": Case(Optional["k.Model"], k.Model(id=7)),
    "alias of model": Case(k.ModelAlias, k.Model(id=7)),
    "NewType of model": Case(k.NewModel, k.Model(id=7)),
    "model or None": Case(k.Model | None, k.Model(id=7)),
    "alias of model or None": Case(k.MaybeAlias, k.Model(id=7)),
    "validated model": Case(Annotated[k.Model, AfterValidator(k.doubled)], k.Model(id=14)),
    "alias of validated model": Case(k.CheckedAlias, k.Model(id=14)),
    "validated model or None": Case(Annotated[k.Model, AfterValidator(k.doubled)] | None, k.Model(id=14)),
    "validated union": Case(Annotated[k.Model | None, AfterValidator(k.doubled)], k.Model(id=14)),
    "plainly validated": Case(
        Annotated[k.Model, PlainValidator(k.counted)], {"keys": ["id"]}, {"keys": ["id", "taskToken"]}
    ),
    "strict by Annotated": Case(Annotated[k.Model, Strict()], k.Model(id=7)),
    "described model": Case(Annotated[k.Model, "the order"], k.Model(id=7)),
    "described with Field": Case(Annotated[k.Model, Field(description="the order")], k.Model(id=7)),
    "model that does not fit": Case(k.Model, Invalid(("$.id",)), payload={"id": "seven"}),
    "model that forbids": Case(k.Forbidding, k.Forbidding(id=7), FORBIDDEN),
    "model that allows": Case(
        k.Allowing, lambda one, _: one.model_extra == {}, lambda one, _: list(one.model_extra) == ["taskToken"]
    ),
    "model that looks first": Case(k.Checked, k.Checked(id=7), Invalid(("$",))),
    "strict model": Case(
        k.Strict,
        is_(
            k.Strict,
            ref=uuid.UUID(STRICT["ref"]),
            at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
            day=date(2026, 1, 2),
            color=k.Color.RED,
            pair=(1, 2),
            price=Decimal("12.50"),
            names=frozenset("a"),
        ),
        payload=STRICT,
    ),
    "strict model of another type": Case(k.Strict, Invalid(("$.id",)), payload={**STRICT, "id": "7"}),
    "frozen model": Case(k.Frozen, k.Frozen(id=7)),
    "model built later": Case(k.Deferred, k.Deferred(id=7)),
    "recursive model": Case(k.Tree, k.Tree(id=7, children=[k.Tree(id=8)]), payload={"id": 7, "children": [{"id": 8}]}),
    "generic model": Case(
        k.Generic_[k.Model], k.Generic_[k.Model](id=7, content=k.Model(id=8)), payload={"id": 7, "content": {"id": 8}}
    ),
    "bare generic model": Case(k.Generic_, is_(k.Generic_, id=7)),
    "root that is an object": Case(k.Texts, k.Texts(ORDER), k.Texts(WITH_TOKEN)),
    "root that is a union": Case(k.Pet, k.Pet(k.Cat(kind="cat", id=7)), payload={"kind": "cat", "id": 7}),
    "root that is an array": Case(k.Many, NO_OBJECT),
    "union of models": Case(k.Cat | k.Dog, k.Dog(kind="dog", id=7), payload={"kind": "dog", "id": 7}),
    "tagged union": Case(
        Annotated[k.Cat | k.Dog, Discriminator("kind")], k.Dog(kind="dog", id=7), payload={"kind": "dog", "id": 7}
    ),
    "union with a text": Case(str | k.Model, k.Model(id=7)),
    # Models that keep the token
    "model with the token": Case(k.WithToken, k.WithToken(**WITH_TOKEN)),
    "model with its alias": Case(k.WithTokenAlias, is_(k.WithTokenAlias, token=TOKEN)),
    "model with its validation alias": Case(k.WithTokenValidationAlias, is_(k.WithTokenValidationAlias, token=TOKEN)),
    "model with alias choices": Case(k.WithTokenChoices, is_(k.WithTokenChoices, token=TOKEN)),
    "model with an alias path of one key": Case(k.WithTokenPath, is_(k.WithTokenPath, token=TOKEN)),
    "model with a serialization alias": Case(k.WithTokenWritten, k.WithTokenWritten(id=7), FORBIDDEN),
    "model with the token deeper": Case(k.WithTokenInside, k.WithTokenInside(id=7), FORBIDDEN),
    "union with the token": Case(k.Forbidding | k.WithToken, k.WithToken(**WITH_TOKEN)),
    "model with the token, or None": Case(k.WithToken | None, k.WithToken(**WITH_TOKEN)),
    "dataclass with the token": Case(k.DataWithToken, k.DataWithToken(**WITH_TOKEN)),
    "attrs class with the token": Case(k.AttrsWithToken, k.AttrsWithToken(**WITH_TOKEN)),
    "TypedDict with the token": Case(k.TypedWithToken, WITH_TOKEN),
    # Dataclasses
    "dataclass": Case(k.Data, k.Data(7)),
    "dataclass or None": Case(k.Data | None, k.Data(7)),
    "dataclass with slots": Case(k.SlotsData, k.SlotsData(7, ["a"]), payload={"id": 7, "notes": ["a"]}),
    "dataclass by keyword": Case(k.KeywordData, k.KeywordData(id=7)),
    "dataclass with InitVar": Case(k.InitVarData, is_(k.InitVarData, id=7, product=21), payload={"id": 7, "factor": 3}),
    "generic dataclass": Case(
        k.GenericData[k.Model], k.GenericData(7, k.Model(id=8)), payload={"id": 7, "content": {"id": 8}}
    ),
    "generic alias of a dataclass": Case(
        k.GenericAlias_[k.Model], k.GenericData(7, k.Model(id=8)), payload={"id": 7, "content": {"id": 8}}
    ),
    "pydantic's dataclass": Case(k.PydanticData, k.PydanticData(7)),
    "validated dataclass": Case(Annotated[k.Data, AfterValidator(lambda one: one.id)], 7),
    "dataclass with attrs classes": Case(
        k.DataWithAttrs,
        k.DataWithAttrs(7, [k.Line("a")], k.AliasedAttrs(8)),
        payload={"id": 7, "lines": [{"sku": "a"}], "alias": {"id": 8}},
    ),
    # attrs classes
    "attrs class": Case(k.Attrs, k.Attrs(7, [k.Line("a", 2)]), payload={"id": 7, "lines": [{"sku": "a", "count": 2}]}),
    "attrs class or None": Case(k.Attrs | None, k.Attrs(7)),
    "attrs class with an alias": Case(k.AliasedAttrs, k.AliasedAttrs(7, "x"), payload={"id": 7, "hidden": "x"}),
    "attrs class in itself": Case(
        k.AttrsTree, k.AttrsTree(7, [k.AttrsTree(8)]), payload={"id": 7, "children": [{"id": 8}]}
    ),
    "attrs class with a converter": Case(k.ConvertedAttrs, k.ConvertedAttrs("7")),
    "attrs class that looks a value up": Case(k.LookedUpAttrs, k.LookedUpAttrs("one"), payload={"id": "one"}),
    "attrs class with an __init__ of its own": Case(
        k.OwnInitAttrs, Refused("an __init__ that does not accept its fields")
    ),
    "attrs class that finds no value": Case(k.LookedUpAttrs, Invalid(("$",)), payload={"id": "two"}),
    "attrs class of a broken Decimal": Case(k.LookedUpAttrs, Invalid(("$",)), payload={"id": "one", "price": "much"}),
    "attrs class with an assertion": Case(k.LookedUpAttrs, Invalid(("$",)), payload={"id": "one", "price": "-3"}),
    "attrs class with models": Case(
        k.AttrsWithModel,
        k.AttrsWithModel(7, k.Model(id=8), k.Tree(id=9, children=[k.Tree(id=10)])),
        payload={"id": 7, "model": {"id": 8}, "tree": {"id": 9, "children": [{"id": 10}]}},
    ),
    "generic attrs class": Case(k.GenericAttrs[k.Model], Refused("GenericAttrs is generic")),
    "bare generic attrs class": Case(k.GenericAttrs, Refused("GenericAttrs is generic")),
    "dict of attrs classes": Case(
        dict[str, k.Line], {"a": k.Line("x")}, Invalid(("$.taskToken",)), payload={"a": {"sku": "x"}}
    ),
    "union of attrs classes": Case(k.AttrsWithModel | k.Line, k.Line("x"), payload={"sku": "x"}),
    "validated attrs class": Case(Annotated[k.Attrs, AfterValidator(lambda one: one.id)], 7),
    "generic dataclass of attrs": Case(
        k.GenericData[k.Line], k.GenericData(7, k.Line("x")), payload={"id": 7, "content": {"sku": "x"}}
    ),
    "generic dataclass of a list of attrs": Case(
        k.GenericData[list[k.Line]], k.GenericData(7, [k.Line("x")]), payload={"id": 7, "content": [{"sku": "x"}]}
    ),
    "model with attrs classes": Case(
        k.ModelWithAttrs, Refused("the attrs class Line in the pydantic class ModelWithAttrs")
    ),
    "TypedDict with attrs classes": Case(
        k.TypedDictWithAttrs, {"id": 7, "lines": [k.Line("x")]}, payload={"id": 7, "lines": [{"sku": "x"}]}
    ),
    "NamedTuple with attrs classes": Case(
        k.NamedTupleWithAttrs, k.NamedTupleWithAttrs(7, k.Line("x")), FORBIDDEN, payload={"id": 7, "line": {"sku": "x"}}
    ),
    "attrs class that does not fit": Case(k.Attrs, Invalid(("$.lines[0].sku",)), payload={"id": 7, "lines": [{}]}),
    # TypedDict, NamedTuple
    "TypedDict": Case(k.Typed, ORDER),
    "TypedDict with a NotRequired": Case(k.Typed, {"id": 7, "note": "x"}, payload={"id": 7, "note": "x"}),
    "TypedDict with a Required": Case(k.Untotal, ORDER),
    "generic TypedDict": Case(k.GenericTyped[int], {"id": 7, "content": 8}, payload={"id": 7, "content": 8}),
    "NamedTuple": Case(k.Tuple, k.Tuple(7), FORBIDDEN),
    # Aliases that cannot be looked up
    "broken alias": Case(k.BrokenAlias, UNKNOWN),
    "missing name": Case("Missing", Refused(r"cannot be resolved \(NameError")),
    "broken text": Case("k.", Refused("cannot be resolved")),
    "a value": Case(5, UNKNOWN),
    "the function any": Case(any, Refused("it is typing.Any")),
    "dict of the function any": Case(dict[str, any], Refused("it is typing.Any")),  # type: ignore[valid-type]
    "a model's instance": Case(k.Model(id=7), UNKNOWN),
    "a list with a type": Case([k.Model], UNKNOWN),
    "a module": Case(typing, UNKNOWN),
    "Never": Case(Never, UNKNOWN),
    "ClassVar": Case(typing.ClassVar[k.Model], UNKNOWN),
    "a person's function": Case(k.function, NO_OBJECT),
    "BaseModel": Case(pydantic.BaseModel, NO_OBJECT),
    # What no JSON object can be
    "str": Case(str, NO_OBJECT),
    "int": Case(int, NO_OBJECT),
    "float": Case(float, NO_OBJECT),
    "bool": Case(bool, NO_OBJECT),
    "None": Case(None, NO_OBJECT),
    "str or None": Case(str | None, NO_OBJECT),
    "str or int": Case(str | int, NO_OBJECT),
    "list": Case(list, NO_OBJECT),
    "list of models": Case(list[k.Model], NO_OBJECT),
    "list of attrs classes": Case(list[k.Line], NO_OBJECT),
    "Sequence": Case(Sequence[k.Model], NO_OBJECT),
    "Iterator": Case(Iterator[int], UNKNOWN),
    "tuple": Case(tuple[int, str], NO_OBJECT),
    "deque": Case(deque[int], NO_OBJECT),
    "Fraction": Case(Fraction, NO_OBJECT),
    "set": Case(set[int], NO_OBJECT),
    "frozenset": Case(frozenset, NO_OBJECT),
    "complex": Case(complex, Refused("the payload is a JSON object|pydantic cannot validate")),
    "Enum": Case(k.Color, NO_OBJECT),
    "Enum or None": Case(k.Color | None, NO_OBJECT),
    "Literal": Case(Literal["a"], NO_OBJECT),
    "UUID": Case(uuid.UUID, NO_OBJECT),
    "datetime": Case(datetime, NO_OBJECT),
    "date": Case(date, NO_OBJECT),
    "Decimal": Case(Decimal, NO_OBJECT),
    "Path": Case(Path, NO_OBJECT),
    "NewType of int": Case(k.OrderId, NO_OBJECT),
    "validated str": Case(Annotated[str, AfterValidator(str.upper)], NO_OBJECT),
    "Json": Case(pydantic.Json[k.Model], NO_OBJECT),
    "HttpUrl": Case(pydantic.HttpUrl, NO_OBJECT),
    "a callable": Case(Callable[[], int], NO_OBJECT),
    "a type": Case(type[k.Model], NO_OBJECT),
    # What pydantic does not know
    "plain class": Case(k.Plain, UNKNOWN),
    "plain class or None": Case(k.Plain | None, UNKNOWN),
    "dict of plain classes": Case(dict[str, k.Plain], UNKNOWN),
    "protocol": Case(k.Proto, UNKNOWN),
    "model that wants a plain class": Case(k.ModelWithPlain, NO_OBJECT),
    "model that may have one": Case(k.ModelWithMaybePlain, is_(k.ModelWithMaybePlain, id=7)),
    "model that wants a callable": Case(k.ModelWithCallable, NO_OBJECT),
    "TypeVar": Case(k.T, Refused("is not a type at run time")),
    # Classes of events
    "event class": Case(
        TimerEvent,
        is_(TimerEvent, payload="x"),
        payload={"triggerTime": "2026-01-02T03:04:05Z", "triggerName": "t", "payload": "x"},
    ),
    "validated event class": Case(
        Annotated[TimerEvent, AfterValidator(lambda one: one.trigger_name)],
        "t",
        payload={"triggerTime": "2026-01-02T03:04:05Z", "triggerName": "t", "payload": "x"},
    ),
    "alias of event class": Case(
        typing.NewType("Tick", TimerEvent),
        is_(TimerEvent, payload="x"),
        payload={"triggerTime": "2026-01-02T03:04:05Z", "triggerName": "t", "payload": "x"},
    ),
    "event class that does not fit": Case(HttpEvent, Invalid(("$.version", "$.requestContext"))),
    "part of an event": Case(MnsQueueMessage, NOT_AN_EVENT),
    "answer": Case(HttpResponse, NOT_AN_EVENT),
    "event or None": Case(HttpEvent | None, NOT_AN_EVENT),
    "events or events": Case(HttpEvent | TimerEvent, NOT_AN_EVENT),
    "list of events": Case(list[CloudEvent], NOT_AN_EVENT),
    "dict of events": Case(dict[str, HttpEvent], NOT_AN_EVENT),
    # The task and the context
    "validated task": Case(Annotated[Task, Strict()], STANDS_ALONE),
    "validated context": Case(Annotated[FcContext, AfterValidator(str)], STANDS_ALONE),
    "task or model": Case(Task | k.Model, STANDS_ALONE),
    "task or context": Case(Task | FcContext, STANDS_ALONE),
    "list of tasks": Case(list[Task], Refused("a Task or an FcContext is not a part of an event")),
    "dict of contexts": Case(dict[str, FcContext], Refused("a Task or an FcContext is not a part of an event")),
}


def seen_by(decorator: Any, kind: Any, event: bytes, context: Any = None) -> Any:
    """Decorate a function whose event is annotated so, deliver an event, and return what the function got."""
    seen: list[Any] = []

    def handler(event, context):  # type: ignore[no-untyped-def]  # annotated below
        seen.append(event)
        return {}

    if kind is not ...:
        handler.__annotations__["event"] = kind
    decorator(handler)(event, context)
    (event_seen,) = seen
    return event_seen


def judge(decorator: Any, case: Case, expected: Any, event: bytes, token: str) -> None:
    if isinstance(expected, Refused):
        with pytest.raises(TypeError, match=expected.words):
            seen_by(decorator, case.kind, event)
    elif isinstance(expected, Invalid):
        with pytest.raises(PayloadInvalid) as caught:
            seen_by(decorator, case.kind, event)
        assert tuple(path for path, _ in caught.value.problems) == expected.paths
        assert token not in f"{caught.value} {caught.value.problems}"
    else:
        seen = seen_by(decorator, case.kind, event)
        shown = repr(seen).replace(token, TOKEN)
        if callable(expected):
            assert expected(Replaced.of(seen, token), event), shown
        else:
            assert Replaced.of(seen, token) == expected
            assert type(seen) is type(expected)


class Replaced:
    """A value with TOKEN in the place of the task token."""

    @staticmethod
    def of(seen: Any, token: str) -> Any:
        if isinstance(seen, dict):
            made = seen.copy()
            made.update({key: TOKEN for key, value in seen.items() if value == token})
            return made
        for name in ("taskToken", "token"):
            if getattr(seen, name, None) == token:
                object.__setattr__(seen, name, TOKEN)
        if isinstance(seen, k.Texts):
            return k.Texts(Replaced.of(seen.root, token))
        return seen


@pytest.mark.parametrize("name", CASES)
def test_under_task_callback_each_annotation_gets_its_form_or_is_refused(name: str, tasks: WaitingTasks) -> None:
    case = CASES[name]
    task = tasks.service.new_task(case.payload)
    judge(task_callback, case, case.gets, task.event, task.token.reveal())
    assert task.status == ("Running" if isinstance(case.gets, Refused | Invalid) else "Succeeded")


@pytest.mark.parametrize("name", CASES)
def test_under_event_parser_each_annotation_gets_its_form_or_is_refused(name: str) -> None:
    case = CASES[name]
    event = json.dumps({**case.payload, "taskToken": "secret-token-of-the-task"}).encode()
    judge(event_parser, case, case.gets if case.alone is None else case.alone, event, "secret-token-of-the-task")
