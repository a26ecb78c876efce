"""A person's filter or handler that raises does not change how an invocation ends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import Logger, metrics, task_callback
from fc_callback.testing import Fault
from fc_callback.values.safe_log import log_safely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fc_callback.testing import TaskCloudFlow
    from tests.framed_log import FramedLog

logger = logging.getLogger("fc_callback.test_safe_log")


class Raising(logging.Handler):
    """A handler whose `emit` raises, as one that sends records over a network does."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def emit(self, record: logging.LogRecord) -> None:
        raise self.error


@pytest.fixture(autouse=True)
def _clean_logger() -> Iterator[None]:
    yield
    logger.handlers.clear()
    logger.filters.clear()


@pytest.mark.parametrize("error", [OSError("secret-words"), RecursionError(), GeneratorExit(), MemoryError()], ids=repr)
def test_a_handler_that_raises_costs_the_line_and_nothing_else(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    logger.addHandler(Raising(error))

    log_safely(logger, logging.WARNING, "words of a %s", "task")

    assert capsys.readouterr().err == (
        f"A log record of fc_callback.test_safe_log could not be written: {type(error).__name__}.\n"
    )


def test_a_filter_that_raises_costs_the_line_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(record: logging.LogRecord) -> bool:
        return bool(getattr(record, "tenant"))  # noqa: B009 - which the record does not have

    logger.addFilter(broken)

    log_safely(logger, logging.WARNING, "words")

    assert "could not be written: AttributeError" in capsys.readouterr().err


@pytest.mark.parametrize("end", [SystemExit(143), KeyboardInterrupt()], ids=repr)
def test_the_end_of_the_process_is_not_held_up(end: BaseException) -> None:
    logger.addHandler(Raising(end))

    with pytest.raises(type(end)):
        log_safely(logger, logging.WARNING, "words")


def test_a_line_has_the_place_of_the_code_that_wrote_it(caplog: pytest.LogCaptureFixture) -> None:
    log_safely(logger, logging.WARNING, "words of a %s", "task", extra={"more": 1})

    [record] = caplog.records
    assert (record.getMessage(), record.filename, vars(record)["more"]) == ("words of a task", "test_safe_log.py", 1)


@pytest.fixture
def raising_filters() -> Iterator[list[str]]:
    """A person's filter on each logger of this package, which raises; the names of the loggers that asked it."""
    asked: list[str] = []

    def broken(record: logging.LogRecord) -> bool:
        asked.append(record.name)
        raise LookupError("no tenant")

    loggers = [logging.getLogger(name) for name in ("fc_callback", "fc_callback.metrics")]
    for one in loggers:
        one.addFilter(broken)
    yield asked
    for one in loggers:
        one.removeFilter(broken)


def test_a_filter_that_raises_on_the_record_of_a_task_does_not_fail_the_task(
    local_cloudflow: TaskCloudFlow, fc_log: FramedLog, fc_context: Callable[..., Any], raising_filters: list[str]
) -> None:
    Logger("orders")
    task = local_cloudflow.new_task({"id": 1})

    @task_callback
    def handler(order: dict[str, Any], context: object) -> dict[str, Any]:
        return {"id": order["id"]}

    assert handler(task.event, fc_context()) == '{"id":1}'
    task.assert_succeeded_with({"id": 1})
    assert raising_filters == ["fc_callback.metrics"]


def test_a_listener_and_a_filter_that_both_raise_do_not_fail_the_task(
    local_cloudflow: TaskCloudFlow, fc_context: Callable[..., Any], raising_filters: list[str]
) -> None:
    def broken(record: object) -> None:
        raise RuntimeError

    stop = metrics.listen(broken)
    task = local_cloudflow.new_task({"id": 1})

    @task_callback
    def handler(order: dict[str, Any], context: object) -> dict[str, Any]:
        return {"id": order["id"]}

    try:
        assert handler(task.event, fc_context()) == '{"id":1}'
    finally:
        stop()
    task.assert_succeeded()
    assert "fc_callback.metrics" in raising_filters


def test_a_filter_that_raises_after_a_repeated_report_does_not_fail_the_task(
    local_cloudflow: TaskCloudFlow, fc_context: Callable[..., Any], raising_filters: list[str]
) -> None:
    task = local_cloudflow.new_task({"id": 1})
    local_cloudflow.inject(Fault("error-before"))

    @task_callback
    def handler(order: dict[str, Any], context: object) -> dict[str, Any]:
        return {"id": order["id"]}

    logging.getLogger("fc_callback").setLevel(logging.INFO)
    try:
        assert handler(task.event, fc_context()) == '{"id":1}'
    finally:
        logging.getLogger("fc_callback").setLevel(logging.NOTSET)
    task.assert_succeeded()
    assert "fc_callback" in raising_filters


def test_a_filter_that_raises_on_records_held_back_does_not_change_how_the_invocation_ends(
    local_cloudflow: TaskCloudFlow, fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    log = Logger("orders", hold_debug=True)

    def broken(record: logging.LogRecord) -> bool:
        if record.levelno == logging.DEBUG:
            raise LookupError("no tenant")
        return True

    fc_log.addFilter(broken)
    task = local_cloudflow.new_task({"id": 1})

    @task_callback(on_failure="report")
    def handler(order: dict[str, Any], context: object) -> dict[str, Any]:
        log.debug("detail")
        raise ValueError("no card")

    handler(task.event, fc_context())
    task.assert_failed_with("ValueError")


def test_a_line_about_an_exception_has_the_exception(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("why")
    except ValueError as error:
        log_safely(logger, logging.ERROR, "words", exc_info=error)

    assert "words" in caplog.text
    assert "ValueError: why" in caplog.text
    assert "in test_a_line_about_an_exception_has_the_exception" in caplog.text
