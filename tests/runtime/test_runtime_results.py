"""What a handler is given, and what its return value becomes."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

import pytest

from fc_callback.runtime import FunctionInstance, FunctionSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fc_callback.runtime import InvocationResult
    from tests.runtime.runtime_support import MakeInstance

    Evaluate = Callable[[str], InvocationResult]


CODE = """
    import datetime, decimal
    class Own:
        def to_json(self):
            return '{"a": 1}'
    async def coroutine(): pass
    def handler(event, context):
        return eval(event) if context.request_id == "evaluate" else type(event).__name__ + " " + event.hex()
"""


@pytest.fixture(scope="module", params=["python3.10", "python3.12"])
def evaluate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluate]:
    """Let a function return the value of an expression; one process serves them all."""
    code_dir = tmp_path_factory.mktemp("code")
    (code_dir / "index.py").write_text(textwrap.dedent(CODE), encoding="utf-8")
    with FunctionInstance(FunctionSpec(name="results", code_dir=code_dir, runtime=request.param)) as instance:

        def call(expression: str) -> InvocationResult:
            return instance.invoke(expression.encode(), credentials=None, request_id="evaluate")

        yield call


def test_a_handler_gets_the_event_as_bytes(function: MakeInstance) -> None:
    result = function(CODE).invoke(b"\x00\xff{", credentials=None)
    assert result.body == b"bytes 00ff7b"


@pytest.mark.parametrize(
    ("expression", "body"),
    [
        ("b'\\x00\\xff'", b"\x00\xff"),
        ("'grün'", "grün".encode()),
        ("''", b""),
        ("None", b"null"),
        ("True", b"true"),
        ("7", b"7"),
        ("{'b': 'ü', 'a': [1]}", b'{\n    "a": [\n        1\n    ],\n    "b": "\\u00fc"\n}'),
        ("decimal.Decimal('1.10')", b"1.1"),
        ("datetime.datetime(2025, 1, 2, 3, 4, 5)", b'"2025-01-02T03:04:05"'),
        ("datetime.date(2025, 1, 2)", b'"2025-01-02"'),
        ("Own()", b'"{\\"a\\": 1}"'),
        ("float('nan')", b"NaN"),
        ("(1, 2)", b"[\n    1,\n    2\n]"),
    ],
)
def test_a_return_value_is_encoded_as_fc_does(evaluate: Evaluate, expression: str, body: bytes) -> None:
    result = evaluate(expression)
    assert (result.body, result.error_type) == (body, None)


@pytest.mark.parametrize(
    ("expression", "error_name"),
    [
        ("bytearray(b'x')", "TypeError"),
        ("{1, 2}", "TypeError"),
        ("(n for n in [1])", "TypeError"),
        ("{1: 2, 'a': 3}", "TypeError"),
        ("object()", "TypeError"),
        ("'\\ud800'", "UnicodeEncodeError"),
    ],
)
def test_a_value_that_fc_cannot_encode_fails_the_invocation(
    evaluate: Evaluate, expression: str, error_name: str
) -> None:
    result = evaluate(expression)
    assert (result.error_type, result.error_name) == ("UnhandledInvocationError", error_name)


def test_an_coroutine_is_not_awaited(evaluate: Evaluate) -> None:
    result = evaluate("coroutine()")
    assert result.error_message == "Object of type coroutine is not JSON serializable"


def test_an_encoding_error_shows_no_frame_of_the_user(evaluate: Evaluate) -> None:
    result = evaluate("{1, 2}")
    assert not [frame for frame in json.loads(result.body)["stackTrace"] if "index.py" in frame[0]]


def test_the_largest_event_arrives_whole(function: MakeInstance) -> None:
    instance = function("def handler(event, context): return str(len(event))")
    event = b"x" * (32 * 1024 * 1024)
    result = instance.invoke(event, credentials=None)
    assert result.body == b"33554432"


def test_an_event_over_32_mb_is_refused_and_the_function_does_not_run(function: MakeInstance) -> None:
    instance = function(CODE)
    result = instance.invoke(b"x" * (32 * 1024 * 1024 + 1), credentials=None)
    assert (result.error_name, instance.pid) == ("FC.InvalidArgument", None)


def test_a_large_result_comes_back_whole(evaluate: Evaluate) -> None:
    result = evaluate("b'y' * (8 * 1024 * 1024)")
    assert result.body == b"y" * (8 * 1024 * 1024)
