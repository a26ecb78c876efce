"""Every option of every decorator is checked when the function is decorated, and not when the first event comes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from fc_callback import (
    CloudFlowClient,
    Credentials,
    FcCallbackError,
    Logger,
    RetryPolicy,
    SettingsError,
    TokenSeal,
    event_parser,
    layers,
    once,
    task_callback,
)
from fc_callback.callback.decorator import TaskOptions
from fc_callback.callback.options import Options
from fc_callback.idempotency import idempotent
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.idempotency.redis import RedisStore
from fc_callback.idempotency.sqlite import SqliteStore
from fc_callback.metrics import listen, log_records
from fc_callback.middleware import Call, CallNext, after, before, on_error
from fc_callback.otel import instrument
from fc_callback.payload.token_search import Finder
from fc_callback.redaction import RedactionFilter, Redactor
from fc_callback.runtime import wsgi_app
from fc_callback.testing import MockTransport
from tests.cloudflow.quick import TOKEN

# Long enough for no message to have it by chance.
SECRET = "an-access-key-secret-of-30-chars"


def handler(event: Any, context: Any) -> None: ...


async def asynchronous(*arguments: Any) -> None: ...


def of_nothing() -> None: ...


def of_three(one: Any, two: Any, three: Any) -> None: ...


def decorated(**options: Any) -> Any:
    return task_callback(**options)(handler)


def policy(**options: Any) -> Any:
    return RetryPolicy(**options)


def client(**options: Any) -> Any:
    return CloudFlowClient(**{"region": "cn-hangzhou", **options})


def credentials(**options: Any) -> Any:
    return Credentials(**{"access_key_id": "id", "access_key_secret": "secret", **options})


def once_with(**options: Any) -> Any:
    return once(**{"key": "order.id", "store": "memory:", **options})


def redis_store(**options: Any) -> Any:
    return RedisStore(**{"url": "redis://127.0.0.1:1/0", **options})


def sqlite_store(**options: Any) -> Any:
    return SqliteStore(**{"path": "once.db", **options})


def unseal(**options: Any) -> Any:
    return TokenSeal(TokenSeal.generate_key()).open("text", **options)


def application(**options: Any) -> Any:
    return wsgi_app(**{"handler": handler, **options})


NOT_NUMBERS: list[Any] = ["3", b"3", None, True, [3], (3,), {}, float("nan"), float("inf"), 10**400, 3j, object(), int]
NOT_FLAGS: list[Any] = ["no", "", 0, 1, None, []]
NOT_TEXTS: list[Any] = ["", " ", 5, b"x", True, ["x"], ("x",), {}, object(), str]

# Who takes the option, the option, and values that it cannot be.
TABLE: list[tuple[Callable[..., Any], str, list[Any]]] = [
    (decorated, "token", [5, True, b"a", "", "a..b", (), [], ["a", 5], ["a", ""], {}, {"a"}, str, of_nothing, of_three,
                          asynchronous, partial(asynchronous, 1)]),
    (decorated, "missing_token", ["", "pass", None, True, 5, ["raise"], ("ignore",), "Raise", object()]),
    (decorated, "on_failure", ["", "retry", None, True, 5, ["report"], "REPORT", {"report"}]),
    (decorated, "already_completed", ["", "maybe", None, False, 5, ["accept"]]),
    (decorated, "large_output", ["", "store", None, True, 5, [], of_nothing, of_three, asynchronous, str, dict]),
    (decorated, "output_limit_bytes", [0, -1, 2.5, 65536.0, "65536", True, [], float("nan"), object()]),
    (decorated, "transient", [ValueError, ValueError(), None, 5, "ValueError", ("ValueError",), (ValueError, "OSError"),
                              (int,), [OSError, None], {"OSError": 1}, (ValueError("x"),), ((ValueError,),)]),
    (decorated, "error_names", [0, "", (), 5, "Bad", [ValueError], [(ValueError, "Bad")], {"ValueError": "Bad"}, {int: "Bad"},
                                {ValueError: 5}, {ValueError: None}, {ValueError: ""}, {ValueError: "x" * 129},
                                {ValueError("x"): "Bad"}, {ValueError: OSError}, {None: "Bad"}, {ValueError},
                                {ValueError: "  "}, {ValueError: "Bad\nline"}, {ValueError: "\ud800"}]),
    (decorated, "deadline_margin_seconds", [*NOT_NUMBERS, -1, -0.5]),
    (decorated, "once", ["id", 5, True, once, ("id",), {"key": "id"}, MemoryStore(), handler]),
    (decorated, "batch", [0, -1, 101, 2.5, True, False, "10", [10], float("nan")]),
    (decorated, "client", ["cn-hangzhou", 5, True, CloudFlowClient, Credentials(access_key_id="a", access_key_secret="b"),
                           {"region": "cn-hangzhou"}, handler]),

    (once_with, "key", [None, 5, True, b"id", "", "a..b", (), [], ("a", 5), {"a": 1}, {"a"}, str, of_nothing, of_three,
                        asynchronous, "taskToken", ("order", "task_token")]),
    (once_with, "store", [5, True, [], "", "once.db", MemoryStore, object(), b"memory:"]),
    (once_with, "expires_after_seconds", [*NOT_NUMBERS, 0, -1]),
    (once_with, "duplicate", ["", "skip", None, True, 5, ["wait"]]),
    (once_with, "name", [one for one in NOT_TEXTS if one is not None]),
    (once_with, "check", [5, True, b"a", "", "a..b", (), [], ("a", 5), {"a": 1}, handler, "taskToken"]),
    (once_with, "seal", ["key", 5, True, TokenSeal, b"key", [TokenSeal]]),
    (once_with, "lease_seconds", [*NOT_NUMBERS, 0, -1]),
    (idempotent, "once", ["id", 5, None, True, once, handler, MemoryStore()]),

    (Logger, "name", [*NOT_TEXTS, None]),
    (Logger, "level", ["LOUD", "", True, 2.5, [], b"INFO", object()]),
    (Logger, "mask", ["card", b"card", 5, None, [""], [" _"], ["card", 5], [None]]),
    (Logger, "redact", NOT_FLAGS),
    (Logger, "hold_debug", NOT_FLAGS),
    (Logger, "sample", [*NOT_NUMBERS, -0.1, 1.1, 50]),
    (Logger, "form", ["", "xml", True, 5, ["json"], "JSON"]),
    (Logger, "fields", ["service", 5, True, ["service"], [("service", "orders")], {5: "x"}, {"": "x"}, {None: 1}]),
    (Logger, "task_record", NOT_FLAGS),
    (Logger, "processors", ["drop", 5, True, len, ["drop"], [5], [lambda: None], [lambda one, two: None]]),
    (Redactor, "names", ["card", b"card", 5, None, [""], [" _"], ["card", 5], [["card"]]]),
    (Redactor, "enabled", NOT_FLAGS),
    (RedactionFilter, "names", ["card", 5, None, [""], [5]]),

    *((policy, name, [*NOT_NUMBERS, 0, -1]) for name in (
        "total_seconds", "base_seconds", "growth", "cap_seconds", "throttled_base_seconds", "throttled_growth",
        "throttled_cap_seconds", "reserve_seconds")),
    (policy, "draw", [0.5, None, "random", of_three, asynchronous, float]),

    (client, "region", [5, True, b"cn-hangzhou", [], "cn_hangzhou", "Hangzhou", object()]),
    (client, "endpoint", [5, True, b"127.0.0.1", [], "http://example.com", "https://a/b", "ftp://a"]),
    (client, "network", ["", "vpc", 5, True, ["internal"]]),
    (client, "credentials", ["key", 5, True, {"access_key_id": "a"}, ("id", "secret"), Credentials, of_three, asynchronous]),
    (client, "signature", ["v2", 5, True, ["v1"], b"v1", "V1"]),
    (client, "connect_timeout", [*(one for one in NOT_NUMBERS if one is not None), 0, -1]),
    (client, "read_timeout", [*(one for one in NOT_NUMBERS if one is not None), 0, -1]),
    (client, "retry", [None, 3, True, "often", RetryPolicy, {"total_seconds": 3}]),
    (client, "already_completed", ["", "maybe", None, True, 5]),
    (client, "transport", ["http://127.0.0.1", 5, True, {}, object(), MockTransport, handler]),

    (credentials, "access_key_id", [*NOT_TEXTS, None]),
    (credentials, "access_key_secret", [*NOT_TEXTS, None]),
    (credentials, "security_token", [5, b"x", True, ["x"], {}]),

    (TokenSeal, "key", ["", "short", 5, True, [], [5], [None], {}, object(), ","]),
    (unseal, "max_age_seconds", [*(one for one in NOT_NUMBERS if one is not None), 0, -1]),

    (redis_store, "url", [*NOT_TEXTS, None]),
    (redis_store, "prefix", [*NOT_TEXTS, None]),
    (redis_store, "timeout_seconds", [*NOT_NUMBERS, 0, -1]),
    (sqlite_store, "path", [5, None, True, ["once.db"], object()]),
    (sqlite_store, "busy_timeout_seconds", [*NOT_NUMBERS, -1]),

    (listen, "listener", ["print", 5, None, of_nothing, of_three, asynchronous]),
    (log_records, "on", NOT_FLAGS),
    (instrument, "flush_milliseconds", [-1, 2.5, "2000", True, [], float("nan")]),
    (instrument, "tracer_provider", ["jaeger", 5, True, TracerProvider]),
    (application, "handler", [5, None, True, "", ["index.handler"]]),
    (application, "initializer", [5, True, "", ["index.initialize"]]),
    (application, "pre_stop", [5, True, "", ["index.pre_stop"]]),
    (application, "http", ["index.site", 5, True, []]),
]  # fmt: skip
CASES = [(taker, option, value) for taker, option, values in TABLE for value in values]
# Those whose error comes from a reader of texts, which knows what is wrong in one.
OF_READERS = {"endpoint", "region", "store", "key"}


def name_of(taker: Any) -> str:
    return getattr(taker, "__name__", "")


def named(cases: list[Any]) -> list[str]:
    """Name each case; a number tells those with the same words apart."""
    return [f"{number}-{name_of(case[0])}-{case[1]}" for number, case in enumerate(cases)]


@pytest.mark.parametrize(("taker", "option", "value"), CASES, ids=named(CASES))
def test_a_value_that_an_option_cannot_be_is_refused_when_decorating(
    taker: Callable[..., Any], option: str, value: Any
) -> None:
    with pytest.raises(SettingsError) as caught:
        taker(**{option: value})
    text = str(caught.value)
    assert option in text or option in OF_READERS, text
    assert caught.value.hint, text
    assert " object at 0x" not in text


def error_of(taker: Callable[..., Any], option: str, value: Any) -> str:
    """The error's texts; none where the value can be used."""
    try:
        taker(**{option: value})
    except FcCallbackError as error:
        return f"{error} {error!r}"
    return ""


SECRETS = [(taker, option) for taker, option, _ in TABLE]


@pytest.mark.parametrize(("taker", "option"), SECRETS, ids=named(SECRETS))
@pytest.mark.parametrize("secret", [TOKEN, SECRET, TOKEN + ".."], ids=["token", "secret", "no path"])
def test_a_secret_given_in_the_wrong_place_is_not_shown(taker: Callable[..., Any], option: str, secret: str) -> None:
    for value in (secret, (secret, 5), [secret, None], {secret: secret}, partial(handler, secret)):
        text = error_of(taker, option, value)
        assert secret not in text


# Whose options the table has; a new option needs a row.
TAKERS = [
    (decorated, task_callback),
    (once_with, once),
    (idempotent, idempotent),
    (Logger, Logger),
    (Redactor, Redactor),
    (RedactionFilter, RedactionFilter),
    (TokenSeal, TokenSeal),
    (instrument, instrument),
    (application, wsgi_app),
    (listen, listen),
    (log_records, log_records),
]


@pytest.mark.parametrize(("taker", "function"), TAKERS, ids=name_of)
def test_every_option_has_a_row(taker: Any, function: Any) -> None:
    options = set(inspect.signature(function).parameters) - {"function"}
    if function is task_callback:
        options = set(TaskOptions.__annotations__)
        assert options == set(inspect.signature(Options).parameters)
    assert options == {option for who, option, _ in TABLE if who is taker}


@pytest.mark.parametrize(
    ("taker", "kind"), [(client, CloudFlowClient), (policy, RetryPolicy), (credentials, Credentials)], ids=name_of
)
def test_every_field_has_a_row(taker: Any, kind: Any) -> None:
    assert kind._fields == {option for who, option, _ in TABLE if who is taker}


@pytest.mark.parametrize(
    ("taker", "options"),
    [
        (decorated, {"token": ["data.ticket", "ticket"]}),
        (decorated, {"token": lambda event: None}),
        (decorated, {"large_output": lambda *given: {}}),
        (decorated, {"large_output": partial(of_three, 1)}),
        (decorated, {"transient": [OSError, KeyboardInterrupt]}),
        (decorated, {"transient": ()}),
        (decorated, {"error_names": None}),
        (decorated, {"error_names": MappingProxyType({Exception: "x" * 128})}),
        (decorated, {"deadline_margin_seconds": 0}),
        (decorated, {"deadline_margin_seconds": 2}),
        (decorated, {"output_limit_bytes": 1}),
        (decorated, {"once": once("id", store=MemoryStore()), "batch": 100}),
        (decorated, {"client": CloudFlowClient(region="cn-hangzhou")}),
        (once_with, {"key": lambda payload: 1, "check": None, "name": "orders"}),
        (once_with, {"key": ["a", "b[0].c"], "check": ("a", "b"), "seal": TokenSeal()}),
        (client, {"credentials": lambda: None, "network": "internal", "connect_timeout": 1, "read_timeout": 2.5}),
        (client, {"retry": RetryPolicy(draw=lambda: 0.0), "signature": "v3"}),
        (client, {"transport": MockTransport()}),
        (Redactor, {"names": (name for name in ("card", "iban"))}),
        (sqlite_store, {"busy_timeout_seconds": 0}),
        (application, {"handler": "index.handler", "http": handler}),
    ],
    ids=lambda one: name_of(one) or ",".join(one),
)
def test_what_an_option_can_be_is_taken(taker: Callable[..., Any], options: dict[str, Any]) -> None:
    taker(**options)


def test_an_error_says_the_option_what_it_got_and_what_to_give() -> None:
    def said(**options: Any) -> str:
        with pytest.raises(SettingsError) as caught:
            decorated(**options)
        return str(caught.value)

    assert said(once="order.id") == (
        'once= is a str of 8 characters. Give the result of once(), like once("order.id"), with: from fc_callback import once.'
    )
    assert (
        said(transient=TimeoutError) == "transient= is the class TimeoutError. Give a tuple: transient=(TimeoutError,)."
    )
    assert said(error_names={"ValueError": "Bad"}) == (
        "error_names= has a str of 10 characters as a key. Give a dict of exception classes and names: "
        'error_names={ValueError: "BadOrder"}.'
    )
    assert said(deadline_margin_seconds="3") == (
        "deadline_margin_seconds= is a str of 1 character. Give a number, 0 or more."
    )
    assert said(on_failure="reprot") == "on_failure= is 'reprot'. Use one of 'raise', 'report'."
    assert said(batch=10**5000) == "batch= is an int. Give a whole number from 1 to 100."


# What is no function


@pytest.mark.parametrize("decorator", [event_parser, idempotent(once("id", store="memory:")), layers()])
@pytest.mark.parametrize("given", ["index.handler", 5, None, {}], ids=str)
def test_what_is_no_function_is_not_decorated(decorator: Any, given: Any) -> None:
    with pytest.raises(TypeError, match="decorates functions, not"):
        decorator(given)


def layer(call: Call, call_next: CallNext) -> Any:
    return call_next(call)


def layer_of_one(call: Call) -> Any: ...


def generating(call: Call) -> Any:
    yield


async def async_generating(call: Call) -> Any:
    yield


@pytest.mark.parametrize("given", ["layer", 5, None, Call, of_nothing, of_three, layer_of_one])
def test_what_is_no_layer_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=r"^layers\(\) got"):
        layers(given)


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (make, given)
        for make, wrong in ((before, layer), (after, of_three), (on_error, of_three))
        for given in ("check", 5, None, of_nothing, wrong, Call, generating, async_generating, asynchronous)
    ],
)
def test_what_makes_no_layer_is_refused(make: Any, given: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{make.__name__}\(\) got"):
        make(given)


def test_a_layer_of_a_function_stays_a_layer() -> None:
    layers(before(lambda call: None), after(lambda call, result: None), on_error(lambda call, error: None))(handler)


def test_a_finder_checks_its_option_alone() -> None:
    with pytest.raises(SettingsError, match="token= is a function that cannot be called with"):
        Finder(of_three)  # type: ignore[arg-type]  # wrong on purpose


def test_an_option_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(
        TypeError, match=r"task_callback\(\) has no option 'retries'. Its options are token, .*client"
    ) as caught:
        task_callback(retries=3)  # type: ignore[call-overload]  # what is tested
    assert "Options" not in str(caught.value)
