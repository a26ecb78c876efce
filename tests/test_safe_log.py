"""A person's filter or handler that raises does not change how an invocation ends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from fc_callback.values.safe_log import log_safely

if TYPE_CHECKING:
    from collections.abc import Iterator

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
