"""What a person's processors do to the lines of the log."""

from __future__ import annotations

import base64
import io
import logging
from contextlib import redirect_stderr
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import Logger, SettingsError, task_callback
from fc_callback.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.testing import TaskCloudFlow
    from tests.framed_log import FramedLog

TOKEN = base64.b64encode(b"v1#flow#run-1#3#" + base64.b64encode(b"?" * 20)).decode()
Fields = dict[str, Any]


def add_version(fields: Fields) -> Fields:
    return {**fields, "version": "1.2"}


def drop_country(fields: Fields) -> Fields:
    fields.pop("country", None)
    return fields


def rename_message(fields: Fields) -> Fields:
    fields["msg"] = fields.pop("message")
    return fields


def drop_health_checks(fields: Fields) -> Fields | None:
    return None if fields["message"] == "health check" else fields


def raising(fields: Fields) -> Fields:
    fields.clear()
    raise KeyError("secret-words")


def test_processors_add_drop_and_rename_fields_in_their_order(fc_log: FramedLog) -> None:
    log = Logger("orders", processors=(add_version, drop_country, rename_message))

    log.info("Charged", amount=3, country="SE")

    assert (fc_log.last["msg"], fc_log.last["version"], fc_log.last["amount"]) == ("Charged", "1.2", 3)
    assert not {"message", "country"} & fc_log.last.keys()


def test_a_processor_that_returns_none_drops_the_record(fc_log: FramedLog) -> None:
    log = Logger("orders", processors=(drop_health_checks, add_version))

    log.info("health check")
    log.info("Charged")

    assert [record["message"] for record in fc_log.records] == ["Charged"]


def test_a_processor_sees_the_fields_of_libraries_of_extra_and_of_bound_keys(
    fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    seen: list[Fields] = []

    def keep(fields: Fields) -> Fields:
        seen.append(fields)
        return fields

    log = Logger("orders", fields={"service": "shop"}, processors=[keep])
    with log.bound(order=7):
        logging.getLogger("library").warning("slow", extra={"took": 4})

    assert {"message": "slow", "took": 4, "order": 7, "service": "shop", "level": "WARNING"}.items() <= seen[0].items()
    assert fc_log.last["took"] == 4


def test_a_processor_gets_the_value_under_a_telling_name_too(fc_log: FramedLog) -> None:
    def with_length(fields: dict[str, Any]) -> dict[str, Any]:
        return {**fields, "length": len(fields["password"])}

    Logger("orders", processors=[with_length]).info("x", password="hunter2")

    assert (fc_log.last["length"], fc_log.last["password"]) == (7, "***")


def test_a_processor_gets_values_as_they_were_given_and_an_exception_as_a_dict(fc_log: FramedLog) -> None:
    seen: list[Fields] = []

    def keep(fields: Fields) -> Fields:
        seen.append(fields)
        return fields

    given = {1, 2}
    Logger("orders", processors=(keep,)).error("x", given=given, exc_info=ValueError("no card"))

    assert seen[0]["given"] is given
    assert seen[0]["exception"]["message"] == "no card"
    assert fc_log.last["given"] == [1, 2]


def test_no_processor_can_let_a_secret_through(
    local_cloudflow: TaskCloudFlow, fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    task = local_cloudflow.new_task({"id": 1})

    def leak(fields: Fields) -> Fields:
        return {**fields, "message": task.token.reveal(), "password": "hunter2", task.token.reveal(): [task.event]}

    Logger("orders", processors=(leak,))

    @task_callback
    def handler(order: Fields, context: object) -> None: ...

    handler(task.event, fc_context())

    [line] = fc_log.lines
    assert task.token.reveal() not in line
    assert "hunter2" not in line
    assert fc_log.last["message"] == "***"
    assert Redactor().text(line) == line


def test_the_record_of_a_task_passes_the_processors_too(
    local_cloudflow: TaskCloudFlow, fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    def only_failures(fields: Fields) -> Fields | None:
        return None if fields.get("outcome") == "succeeded" else {**fields, "version": "1.2"}

    Logger("orders", processors=(only_failures,))

    @task_callback(on_failure="report")
    def handler(order: Fields, context: object) -> None:
        if order["id"] == 2:
            raise ValueError

    for number in (1, 2):
        handler(local_cloudflow.new_task({"id": number}).event, fc_context())

    [line] = [record for record in fc_log.records if record.get("record") == "task"]
    assert (line["outcome"], line["version"]) == ("failed", "1.2")


def test_a_processor_that_raises_costs_neither_the_line_nor_the_other_processors_and_is_named_once(
    fc_log: FramedLog,
) -> None:
    log = Logger("orders", processors=(raising, add_version))

    log.info("first", amount=3)
    log.info("second", amount=3)

    first, second = fc_log.records
    assert (first["message"], first["amount"], first["version"]) == ("first", 3, "1.2")
    assert first["processor_failed"] == "raising: KeyError"
    assert (second["message"], second["version"]) == ("second", "1.2")
    assert "processor_failed" not in second
    assert not any("secret-words" in line for line in fc_log.lines)


async def an_async_one(fields: Fields) -> Fields:
    return fields


def no_argument() -> Fields:
    return {}


class Nothing:
    def __call__(self, fields: Fields) -> Any:
        return "nonsense"


@pytest.mark.parametrize(
    ("returned", "said"),
    [("nonsense", "a str"), ([("a", 1)], "a list"), (True, "True"), (object(), "an object")],
    ids=["text", "list", "flag", "object"],
)
def test_what_is_no_dict_is_not_written_and_said_once(fc_log: FramedLog, returned: object, said: str) -> None:
    def nonsense(fields: Fields) -> Any:
        return returned

    log = Logger("orders", processors=(nonsense,))
    log.info("first")
    log.info("second")

    assert "it returned " in fc_log.records[0]["processor_failed"]
    assert said in fc_log.records[0]["processor_failed"]
    assert [record["message"] for record in fc_log.records] == ["first", "second"]
    assert "processor_failed" not in fc_log.last


def test_a_line_that_a_processor_logs_itself_is_written_and_comes_to_an_end(fc_log: FramedLog) -> None:
    def talking(fields: Fields) -> Fields:
        logging.getLogger("talk").warning("inside")
        return {**fields, "talked": True}

    Logger("orders", processors=(talking,)).info("outside")

    assert [(record["message"], record.get("talked")) for record in fc_log.records] == [
        ("inside", None),
        ("outside", True),
    ]


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_process_passes_through_a_processor(fc_log: FramedLog, ending: type[BaseException]) -> None:
    def end(fields: Fields) -> Fields:
        raise ending

    with pytest.raises(ending):
        Logger("orders", processors=(end,)).info("x")


@pytest.mark.parametrize(
    "processors",
    [add_version, (an_async_one,), ("add_version",), (dict,), (no_argument,), 7, None],
    ids=["one function", "async", "a name", "a class", "no argument", "a number", "none"],
)
def test_what_cannot_process_a_line_is_refused_when_the_logger_is_made(processors: Any) -> None:
    with pytest.raises(SettingsError, match="processors="):
        Logger("orders", processors=processors)


def test_a_generator_of_processors_and_callable_objects_are_taken(fc_log: FramedLog) -> None:
    Logger("orders", processors=(one for one in (add_version, Nothing()))).info("x")

    assert (fc_log.last["version"], fc_log.last["processor_failed"]) == (
        "1.2",
        "Nothing: it returned a str of 8 characters",
    )


def test_held_back_records_are_processed_once_and_dropped_ones_are_not_held(
    fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    from fc_callback.middleware import invocation, layers

    seen: list[str] = []

    def note(fields: Fields) -> Fields | None:
        seen.append(fields["message"])
        return None if fields["message"] == "dropped" else {**fields, "version": "1.2"}

    log = Logger("orders", hold_debug=True, processors=(note,))

    @layers(invocation)
    def handler(event: bytes, context: object) -> None:
        log.debug("held")
        log.debug("dropped")
        raise ValueError

    with pytest.raises(ValueError):
        handler(b"{}", fc_context())

    assert [(record["message"], record["version"]) for record in fc_log.records] == [("held", "1.2")]
    assert seen == ["held", "dropped"]


def test_each_handler_gets_its_own_line_of_a_processed_record(fc_log: FramedLog) -> None:
    with redirect_stderr(io.StringIO()) as written:
        root, second = logging.getLogger(), logging.StreamHandler()
        root.addHandler(second)
        Logger("orders", processors=(add_version,))
        Logger("orders", form="json", processors=(add_version,)).info("x")
        root.removeHandler(second)

    assert fc_log.last["version"] == "1.2"
    assert '"version":"1.2"' in written.getvalue()


def test_the_console_shows_what_processors_made_of_the_fields(fc_log: FramedLog) -> None:
    Logger("orders", form="console", processors=(add_version, drop_country)).info("Charged", amount=3, country="SE")

    assert "INFO     Charged amount=3 version=1.2" in fc_log.lines[0]
    assert "country" not in fc_log.lines[0]


def test_a_logger_without_processors_joins_one_that_has_them(fc_log: FramedLog) -> None:
    Logger("orders", processors=(add_version,))
    Logger("other").info("x")

    assert fc_log.last["version"] == "1.2"
