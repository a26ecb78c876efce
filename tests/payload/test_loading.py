"""What an annotation needs is loaded and built when the function is decorated, and only there."""

from __future__ import annotations

import pytest
from pydantic_core import SchemaValidator

from fc_callback.payload.models import Model
from tests.payload.kinds import Deferred
from tests.test_budget import loaded_by

LIGHT = [
    "event, context",
    "event, context=None",
    "event: bytes, context",
    "event: bytes, context: FcContext, task: Task",
    "event: dict, context: typing.Any",
    "event: dict[str, typing.Any], *, task: Task | None = None",
    "event: collections.abc.Mapping[str, object]",
    "event: dict | None",
    "event: typing.Annotated[dict, 'the order']",
    "event: typing.NewType('Raw', bytes)",
]
HEADER = "import collections.abc, typing\nfrom fc_callback import FcContext, Task, event_parser, task_callback\n"


@pytest.mark.parametrize("parameters", LIGHT)
@pytest.mark.parametrize("decorator", ["task_callback", "event_parser"])
def test_a_handler_of_bytes_or_a_dict_loads_no_pydantic_ever(decorator: str, parameters: str) -> None:
    if decorator == "event_parser":
        parameters = (
            parameters.replace("task: Task,", "")
            .replace(", task: Task", ", task: Task | None")
            .replace("Task | None | None", "Task | None")
        )
    missing = '(missing_token="ignore")' if decorator == "task_callback" else ""
    code = f"""{HEADER}
@{decorator}{missing}
def handler({parameters}):
    return {{}}
assert handler(b'{{"id": 7}}', None) in ("{{}}", {{}})
"""
    modules = loaded_by(code)
    assert [name for name in modules if name.split(".")[0] in {"attr", "pydantic", "pydantic_core"}] == []


FIRST_EVENT = """
import sys
{header}
{imports}
{decorator}
def handler(event: {kind}, context: FcContext):
    SEEN.append(type(event).__name__)
    return {{}}
SEEN = []
before = set(sys.modules)
handler({event!r}, None)
new = sorted(name for name in set(sys.modules) - before if not name.startswith(("json", "encodings")))
assert SEEN, "the function did not run"
assert not [name for name in new if name.split(".")[0] in ("pydantic", "pydantic_core", "attr", "attrs", "dataclasses")], new
assert not [name for name in new if name.startswith(("fc_callback.payload", "fc_callback.events"))], new
"""
KINDS = [
    ("from tests.payload.kinds import Model", "Model", b'{"id": 7}'),
    ("from tests.payload.kinds import Deferred", "Deferred", b'{"id": 7}'),
    ("from tests.payload.kinds import Attrs", "Attrs", b'{"id": 7}'),
    ("from tests.payload.kinds import Data", "Data", b'{"id": 7}'),
    ("from fc_callback.events import TimerEvent", "TimerEvent", b'{"triggerTime": "2026-01-02T03:04:05Z", "triggerName": "t"}'),
]  # fmt: skip


@pytest.mark.parametrize(("imports", "kind", "event"), KINDS, ids=[kind for _, kind, _ in KINDS])
@pytest.mark.parametrize("decorator", ['@task_callback(missing_token="ignore")', "@event_parser"])
def test_the_first_event_loads_nothing_for_the_annotation(
    decorator: str, imports: str, kind: str, event: bytes
) -> None:
    loaded_by(FIRST_EVENT.format(header=HEADER, imports=imports, decorator=decorator, kind=kind, event=event))


def test_a_model_is_built_when_the_function_is_decorated_whatever_it_puts_off() -> None:
    assert type(Model(Deferred, where="a test")._validator) is SchemaValidator
