"""A record that cannot be formatted: it is written all the same, and shows no token. See `hostile_run`."""

from __future__ import annotations

import base64
import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback.logs.logger import Logger
from fc_callback.redaction import RedactionFilter, Redactor
from tests.profiles import by_profile

if TYPE_CHECKING:
    from tests.framed_log import FramedLog

ROOT = Path(__file__).parents[2]
TOKEN = base64.b64encode(b"v1#flow#run-1#3#" + base64.b64encode(b"?" * 20)).decode()


def hostile_run(form: str) -> tuple[int, list[str], bytes]:
    """Return how many records were logged, the lines on stdout, and every byte written."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.logs.hostile_run", form, TOKEN],
        cwd=ROOT,
        capture_output=True,
        timeout=by_profile(100, 300),
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()[-2000:]
    *lines, count = ran.stdout.decode().rstrip("\n").split("\n")
    return int(count), lines, ran.stdout + ran.stderr


def assert_no_token(content: bytes) -> None:
    assert TOKEN[:16].encode() not in content
    decoded = [base64.b64decode(run[: len(run) // 4 * 4]) for run in re.findall(rb"[A-Za-z0-9+/]{40,}", content)]
    assert TOKEN[:16].encode() not in b"\n".join(decoded)


@pytest.fixture(scope="module")
def as_json() -> tuple[int, list[str], bytes]:
    return hostile_run("json")


@pytest.mark.thorough
def test_no_hostile_value_in_any_place_of_a_record_shows_the_token(as_json: tuple[int, list[str], bytes]) -> None:
    assert_no_token(as_json[2])


@pytest.mark.thorough
def test_every_record_with_a_hostile_value_is_written_as_json_within_the_limit(
    as_json: tuple[int, list[str], bytes],
) -> None:
    count, lines, _ = as_json
    records = [json.loads(line) for line in lines]
    assert count > 1000
    assert {record["number"] for record in records if "number" in record} == set(range(count))
    assert all(record["location"] for record in records)
    assert max(len(line.encode()) for line in lines) <= 32_000


@pytest.mark.thorough
@pytest.mark.parametrize("form", ["console", "filter"])
def test_neither_the_console_nor_a_filter_on_anyone_s_handler_shows_the_token(form: str) -> None:
    count, _, content = hostile_run(form)
    assert_no_token(content)
    assert {int(number) for number in re.findall(rb"number=(\d+)", content)} == set(range(count))
    assert b"Logging error" not in content


@pytest.mark.thorough
def test_records_that_were_held_back_show_no_token_either() -> None:
    _, lines, content = hostile_run("held")
    assert_no_token(content)
    assert len([json.loads(line) for line in lines]) > 50


@pytest.mark.thorough
def test_a_handler_that_cannot_write_says_so_without_the_message_and_its_arguments() -> None:
    count, _, content = hostile_run("failing")
    assert_no_token(content)
    assert content.count(b"could not be written: OSError.") == count + 1  # and the task's own record


def test_the_line_with_a_number_too_long_to_write_is_written(fc_log: FramedLog) -> None:
    Logger("orders").info("got %s", TOKEN, n=10**5000)

    assert fc_log.last["message"] == "got ***"
    assert fc_log.last["n"] == "<an int of 16610 bits>"


def test_a_value_whose_class_has_no_hash_is_logged_as_any_other(fc_log: FramedLog) -> None:
    class EqualClasses(type):  # noqa: PLW1641 - that is what it is for
        def __eq__(cls, other: object) -> bool:
            return False

    class Odd(metaclass=EqualClasses):
        def __str__(self) -> str:
            return "odd"

    log = Logger("orders")
    log.info("%s", Odd(), amount=3, given=Odd())
    assert (fc_log.last["message"], fc_log.last["amount"], fc_log.last["given"]) == ("odd", 3, "odd")

    log.error("x", exc_info=Odd())  # type: ignore[arg-type]
    assert fc_log.last["message"] == "x"


def test_what_cannot_be_read_costs_no_other_field(fc_log: FramedLog) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise ValueError(TOKEN)

    class Breaking(dict):  # type: ignore[type-arg]
        def items(self) -> Any:
            yield "first", 1
            raise RuntimeError("dictionary changed size during iteration")

    logging.getLogger().handlers = [fc_log]  # pytest's own would raise
    Logger("orders").info("%s of %s: %s", "one", 10**5000, Broken(), extra={"given": Breaking(a=1), "amount": 3})

    assert fc_log.last["message"] == "one of <an int of 16610 bits>: <Broken without text>"
    assert (fc_log.last["given"], fc_log.last["amount"]) == ({"first": 1}, 3)


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_process_passes_through_a_log_call(fc_log: FramedLog, ending: type[BaseException]) -> None:
    class Ending:
        def __str__(self) -> str:
            raise ending

    with pytest.raises(ending):
        Logger("orders").info("%s", Ending())
    with pytest.raises(ending):
        Redactor().value([Ending()])
    with pytest.raises(ending):
        RedactionFilter().filter(logging.makeLogRecord({"msg": Ending()}))


def test_a_filter_masks_what_an_earlier_handler_left_on_the_record() -> None:
    record = logging.makeLogRecord({"msg": "got %s", "args": (TOKEN,)})
    logging.Formatter().format(record)
    masked = RedactionFilter().filter(record)
    assert TOKEN not in repr(masked.__dict__)


def test_fc_s_own_request_id_on_a_record_is_no_field_of_a_person_s(fc_log: FramedLog) -> None:
    def of_fc(record: logging.LogRecord) -> bool:
        record.fc_request_id = "of another request"
        return True

    logging.getLogger("orders").addFilter(of_fc)
    try:
        Logger("orders").info("x", amount=3)
    finally:
        logging.getLogger("orders").removeFilter(of_fc)
    assert "fc_request_id" not in fc_log.last
    assert fc_log.last["amount"] == 3
