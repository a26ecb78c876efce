"""on_failure="report": what a flow hears of a function that failed."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from typing import Any
from urllib.parse import quote

import pydantic
import pytest

from fc_callback import ReportUndelivered, TaskFailed, task_callback
from fc_callback.cloudflow.errors import AccessDenied
from tests.cloudflow.quick import TOKEN, client_of
from tests.cloudflow.scripted import ScriptedService, error
from tests.invoking import fc_context
from tests.waiting import WaitingTasks


class CardDeclined(Exception):
    pass


class Expired(CardDeclined):
    pass


def raising(problem: BaseException, **options: Any) -> Any:
    @task_callback(on_failure="report", **options)
    def handler(event: bytes, context: Any) -> None:
        raise problem

    return handler


def failed(tasks: WaitingTasks, handler: Any, **context: Any) -> tuple[str, str]:
    task = tasks.new()
    returned = json.loads(handler(task.event, fc_context(tasks, **context)))
    assert (returned["error"], returned["cause"]) == task.failure
    return task.failure


def test_the_error_is_the_exception_s_class(tasks: WaitingTasks) -> None:
    assert failed(tasks, raising(CardDeclined("no funds"))) == (
        "CardDeclined",
        "CardDeclined: no funds (RequestId r-1)",
    )


def test_an_exception_without_words_is_its_class_alone(tasks: WaitingTasks) -> None:
    assert failed(tasks, raising(CardDeclined()), request_id="") == ("CardDeclined", "CardDeclined")


@pytest.mark.parametrize("problem", [CardDeclined("x"), Expired("x")])
def test_a_mapped_class_names_its_subclasses_as_well(tasks: WaitingTasks, problem: Exception) -> None:
    assert failed(tasks, raising(problem, error_names={CardDeclined: "Payment.Declined"}))[0] == "Payment.Declined"


def test_the_nearest_mapped_class_wins(tasks: WaitingTasks) -> None:
    names = {Exception: "Other", CardDeclined: "Declined", Expired: "Expired!"}
    assert failed(tasks, raising(Expired("x"), error_names=names))[0] == "Expired!"
    assert failed(tasks, raising(KeyError("x"), error_names=names))[0] == "Other"


@pytest.mark.parametrize("options", [{}, {"on_failure": "report"}])
def test_a_failure_by_name_is_reported_under_either_setting(tasks: WaitingTasks, options: Any) -> None:
    @task_callback(**options)
    def handler(event: bytes, context: Any) -> None:
        raise TaskFailed("EmptyOrder", cause="order has no lines")

    assert failed(tasks, handler) == ("EmptyOrder", "order has no lines")


def test_a_transient_exception_passes_through_so_that_fc_retries(tasks: WaitingTasks) -> None:
    before = Counter(tasks.service.calls)
    problem = ConnectionResetError("peer")
    with pytest.raises(ConnectionResetError) as caught:
        raising(problem, transient=(ConnectionError,))(tasks.new().event, fc_context(tasks))
    assert caught.value is problem
    assert ("ReportTaskFailed", "ok") not in tasks.service.calls - before


@pytest.mark.parametrize("problem", [SystemExit(1), KeyboardInterrupt()])
def test_an_end_of_the_process_is_not_the_task_s_failure(tasks: WaitingTasks, problem: BaseException) -> None:
    before = Counter(tasks.service.calls)
    with pytest.raises(type(problem)):
        raising(problem)(tasks.new().event, fc_context(tasks))
    assert ("ReportTaskFailed", "ok") not in tasks.service.calls - before


class Order(pydantic.BaseModel):
    lines: list[str]


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        (task_callback(on_failure="report")(lambda event, context: object()), "OutputError"),
        (task_callback(on_failure="report")(lambda event, context: "x" * 70000), "OutputTooLarge"),
    ],
    ids=["no json", "too large"],
)
def test_a_result_that_cannot_be_reported_is_a_failure_by_its_name(
    tasks: WaitingTasks, handler: Any, name: str
) -> None:
    assert failed(tasks, handler)[0] == name


def test_a_payload_that_does_not_fit_is_a_failure_by_its_name(tasks: WaitingTasks) -> None:
    @task_callback(on_failure="report")
    def handler(event: Order, context: Any) -> None:
        pass

    name, cause = failed(tasks, handler)
    assert name == "PayloadInvalid"
    assert "$.lines: Field required" in cause


def test_the_cause_holds_no_secret(tasks: WaitingTasks) -> None:
    task, context = tasks.new(), fc_context(tasks)
    credentials = context.credentials
    said = f"token {task.token} secret {credentials.access_key_secret} sts {credentials.security_token}"
    raising(RuntimeError(said))(task.event, context)
    assert task.failure == ("RuntimeError", "RuntimeError: token *** secret *** sts *** (RequestId r-1)")


def test_the_cause_of_a_failure_by_name_is_masked_as_well(tasks: WaitingTasks) -> None:
    task = tasks.new()
    raising(TaskFailed("Named", cause=f"for {task.token}"))(task.event, fc_context(tasks))
    assert task.failure == ("Named", "for ***")


def test_a_long_text_is_cut_and_the_request_id_stays(tasks: WaitingTasks) -> None:
    _, cause = failed(tasks, raising(RuntimeError("x" * 10_000)))
    assert len(cause) < 1100
    assert cause.endswith("... (RequestId r-1)")


@pytest.mark.parametrize("length", [4096, 10_000])
def test_a_long_cause_by_name_is_cut_to_what_the_service_takes(tasks: WaitingTasks, length: int) -> None:
    assert failed(tasks, raising(TaskFailed("E", cause="c" * length))) == ("E", "c" * 4096)


def test_a_long_class_name_is_cut_to_what_the_service_takes(tasks: WaitingTasks) -> None:
    assert failed(tasks, raising(type("E" * 200, (Exception,), {})("x")))[0] == "E" * 128


@pytest.mark.parametrize(
    "problem", [RuntimeError("\ud800"), TaskFailed("E", cause="\ud800"), TaskFailed("E\ud800", cause="")]
)
def test_text_that_cannot_be_sent_is_replaced(tasks: WaitingTasks, problem: Exception) -> None:
    assert "?" in "".join(failed(tasks, raising(problem)))


def test_an_exception_that_cannot_say_what_it_is_is_reported_all_the_same(tasks: WaitingTasks) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    assert failed(tasks, raising(Mute())) == ("Mute", "Mute (RequestId r-1)")


@pytest.mark.parametrize("name", ["", "x" * 129])
def test_a_name_that_the_service_does_not_take_is_refused_where_it_is_raised(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 128 characters"):
        TaskFailed(name)


# A failure to deliver is no failure of the task


def test_a_report_that_is_not_delivered_is_never_reported_as_the_task_s_failure() -> None:
    with ScriptedService(error("InternalServerError", 500)) as service:
        handler: Any = task_callback(on_failure="report", client=client_of(service.endpoint))(lambda event, context: {})
        from types import SimpleNamespace

        with pytest.raises(ReportUndelivered):
            handler({"taskToken": TOKEN}, SimpleNamespace(function=SimpleNamespace(timeout=1.5)))
        assert not any("Deadline" not in one.parameters.get("Error", "Deadline") for one in service.requests)


def test_a_report_that_is_refused_is_never_reported_as_the_task_s_failure() -> None:
    with ScriptedService(error("AccessDenied", 403)) as service:
        handler: Any = task_callback(on_failure="report", client=client_of(service.endpoint))(lambda event, context: {})
        with pytest.raises(AccessDenied):
            handler({"taskToken": TOKEN}, None)
        assert [one.parameters["Output"] for one in service.requests] == ["{}"]


def test_a_failure_whose_report_is_refused_raises_the_refusal() -> None:
    with ScriptedService(error("AccessDenied", 403)) as service:
        with pytest.raises(AccessDenied):
            raising(CardDeclined("x"), client=client_of(service.endpoint))({"taskToken": TOKEN}, None)
        assert service.calls == 1


@pytest.mark.parametrize(
    "written", [lambda token: quote(token, safe=""), lambda token: b64encode(f"ab{token}".encode()).decode()]
)
def test_the_cause_holds_the_token_in_no_other_form_either(tasks: WaitingTasks, written: Any) -> None:
    @task_callback(on_failure="report")
    def handler(event: bytes, context: Any) -> None:
        raise CardDeclined(f"GET https://bank.example/?ticket={written(json.loads(event)['taskToken'])}")

    task = tasks.new()
    handler(task.event, fc_context(tasks))
    assert "bank.example" in task.failure[1]
    assert written(task.token)[8:-8] not in task.failure[1]


def test_a_reported_exception_leaves_its_traceback_in_the_log_without_secrets(
    tasks: WaitingTasks, caplog: pytest.LogCaptureFixture
) -> None:
    task = tasks.new()

    @task_callback(on_failure="report")
    def handler(event: bytes, context: Any) -> None:
        raise ValueError(f"bank down for {json.loads(event)['taskToken']}")

    handler(task.event, fc_context(tasks))
    (record,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert "in handler" in record.getMessage()
    assert "bank down" in record.getMessage()
    assert task.token not in caplog.text


def test_an_intended_failure_is_logged_in_one_line(tasks: WaitingTasks, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="fc_callback")
    task = tasks.new()

    @task_callback
    def handler(event: bytes, context: Any) -> None:
        raise TaskFailed("EmptyOrder", cause="no lines")

    handler(task.event, fc_context(tasks))
    (record,) = [one for one in caplog.records if "EmptyOrder" in one.getMessage()]
    assert (record.levelname, "Traceback" in record.getMessage()) == ("INFO", False)
