"""An annotation that cannot be served is told when the function is decorated, in words that help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, Union

import pytest
from pydantic import BaseModel

from fc_callback import FcContext, PayloadInvalid, Task, task_callback
from fc_callback.events import (
    Batch,
    CloudEvent,
    EventBridgeEvents,
    HttpEvent,
    HttpResponse,
    MnsQueueMessage,
    MnsTopicEvent,
)
from tests.events.samples import SAMPLE_TOKEN, event_with

if TYPE_CHECKING:
    from tests.waiting import WaitingTasks


class Order(BaseModel):
    order: dict[str, Any]


DataT = TypeVar("DataT")


class Shop(CloudEvent[DataT], Generic[DataT]):
    """A generic subclass of a person's own."""


def decorated(kind: Any) -> Any:
    def handler(event, context):  # type: ignore[no-untyped-def]
        return {"type": type(event).__name__}

    handler.__annotations__["event"] = kind
    return task_callback(handler)


@pytest.mark.parametrize(
    "kind",
    [
        MnsQueueMessage,
        HttpResponse,
        Union[HttpEvent, MnsTopicEvent],  # noqa: UP007 - the older spelling is the other class at run time
        HttpEvent | None,
        list[CloudEvent],
        dict[str, HttpEvent],
    ],
)
def test_parts_of_events_and_mixtures_are_refused_and_the_way_out_is_named(kind: Any) -> None:
    with pytest.raises(TypeError, match="Annotate with the class of one trigger's event, like HttpEvent"):
        decorated(kind)


@pytest.mark.parametrize("kind", [str, int, list, list[Order], tuple, bool, bytearray, str | int, str | None])
def test_what_no_json_object_can_ever_be_is_refused(kind: Any) -> None:
    with pytest.raises(
        TypeError, match=r"the payload is a JSON object, which .* is not.*bytes for the unchanged event"
    ):
        decorated(kind)


def test_what_pydantic_does_not_know_is_refused() -> None:
    class Strange:
        pass

    with pytest.raises(TypeError, match=r"'event' of decorated.<locals>.handler cannot be served: .*Strange"):
        decorated(Strange)


def test_a_name_that_cannot_be_resolved_is_refused_with_the_reason() -> None:
    with pytest.raises(
        TypeError, match=r"'Missing' of .* cannot be resolved \(NameError: name 'Missing' .*TYPE_CHECKING"
    ):
        decorated("Missing")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Shop[Order], "Shop[Order]"),
        (Shop, "Shop"),
        (CloudEvent[Order], "CloudEvent[Order]"),
        (CloudEvent[dict[str, Any]], "CloudEvent[dict[str, Any]]"),
        (EventBridgeEvents[Order], "EventBridgeEvents[Order]"),
        (Batch[Shop[Order]], "Batch[Shop[Order]]"),
        (Annotated[CloudEvent[Order], "a word about it"], "CloudEvent[Order]"),
    ],
)
def test_generics_and_subclasses_of_events_get_the_whole_event(kind: Any, name: str, tasks: WaitingTasks) -> None:
    waiting = tasks.new()
    decorated(kind)(event_with("eventbridge-single-token", waiting.token), None)
    assert waiting.output == {"type": name}


def test_a_payload_or_nothing_is_served(tasks: WaitingTasks) -> None:
    waiting = tasks.new()
    decorated(Order | None)(event_with("mns-topic-json-token", waiting.token), None)
    assert waiting.output == {"type": "Order"}


def test_the_wrong_triggers_event_is_an_error_without_values_and_nothing_is_reported(tasks: WaitingTasks) -> None:
    waiting = tasks.new()
    with pytest.raises(PayloadInvalid, match="does not fit HttpEvent") as caught:
        decorated(HttpEvent)(event_with("mns-topic-json-token", waiting.token), None)
    assert waiting.token not in str(caught.value)
    assert waiting.status == "Running"


def test_data_that_does_not_fit_is_named_by_its_path() -> None:
    with pytest.raises(PayloadInvalid) as caught:
        CloudEvent[Order].parse(b'{"id": "1", "source": "s", "type": "t", "data": {"order": 7}}')
    assert caught.value.problems[0][0] == "$.data.order"


def test_the_task_and_the_context_may_stand_anywhere_and_may_be_optional(tasks: WaitingTasks) -> None:
    waiting = tasks.new()

    @task_callback
    def handler(task: Task | None, event: MnsTopicEvent, context: FcContext | None = None) -> dict[str, Any]:
        assert task is not None
        assert context is not None
        return {"order": event.json()["order"]["id"], "at": task.path, "request": context.request_id}

    handler(event_with("mns-topic-json-token", waiting.token), FcContext.read(None))
    assert waiting.output == {"order": "o-1", "at": "$.Message.taskToken", "request": ""}


def test_an_event_shows_no_token_in_its_text_form() -> None:
    event = MnsTopicEvent.parse(event_with("mns-topic-json-token", SAMPLE_TOKEN[:-4] + "AAAA"))
    assert SAMPLE_TOKEN[:20] not in f"{event} {event!r}"
