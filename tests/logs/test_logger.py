"""What people see of `Logger`."""

from __future__ import annotations

import asyncio
import builtins
import contextvars
import email.message
import io
import json
import logging
import os
import pty
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from requests.structures import CaseInsensitiveDict

from fc_callback import Credentials, SettingsError, TaskFailed, task_callback
from fc_callback.logs.fitting import RECORD_MAX_BYTES
from fc_callback.logs.logger import Logger
from fc_callback.middleware import invocation, layers

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.testing import TaskCloudFlow
    from tests.framed_log import FramedLog


def run(body: Callable[[], object], context: Any) -> None:
    """Run a body inside of a plain handler's invocation."""

    @layers(invocation)
    def handler(event: bytes, context: object) -> None:
        body()

    handler(b"{}", context)


def test_a_record_is_one_line_of_json_with_the_invocation_it_belongs_to(
    fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    log = Logger("orders")

    run(lambda: log.info("Charged %s", "o-1", amount=3), fc_context(request_id="r-1", function_name="pay"))

    assert "\n" not in fc_log.lines[0]
    record = fc_log.last
    assert record["message"] == "Charged o-1"
    assert record["amount"] == 3
    assert record["level"] == "INFO"
    assert record["logger"] == "orders"
    assert (record["request_id"], record["function"], record["region"]) == ("r-1", "pay", "cn-hangzhou")
    assert record["location"].startswith("test_logger.py:")
    assert record["timestamp"].endswith("Z")


def test_a_task_s_records_carry_its_flow_its_execution_and_a_fingerprint_but_never_the_token(
    local_cloudflow: TaskCloudFlow, fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    log = Logger("orders")

    @task_callback
    def handler(event: bytes, context: object) -> dict[str, str]:
        log.info("Working on %s", event)
        return {}

    task = local_cloudflow.new_task({"order": 1})
    handler(task.event, fc_context())

    record = next(one for one in fc_log.records if one["message"].startswith("Working"))
    assert record["flow"] == task.flow
    assert record["execution"] == task.execution
    assert record["task"] == task.token.fingerprint
    assert task.token.reveal() not in "\n".join(fc_log.lines)


def test_a_library_s_own_lines_come_out_in_the_same_form_and_only_once(
    fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    Logger("orders")
    Logger("again")

    run(lambda: logging.getLogger("library").warning("slow", extra={"took": 4}), fc_context(request_id="r-2"))

    assert len(fc_log.lines) == 1
    assert fc_log.last["logger"] == "library"
    assert fc_log.last["took"] == 4
    assert fc_log.last["request_id"] == "r-2"


def test_other_handlers_get_a_record_with_all_that_logging_gives_one() -> None:
    kept: list[logging.LogRecord] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    handler, log = Keeping(), Logger("orders")
    logging.getLogger("orders").addHandler(handler)
    for logger in (log, log, logging.getLogger("orders")):  # the second is made of what the first has left
        logger.info("%(a)s", {"a": 1}, extra={"more": 2})
    logging.getLogger("orders").removeHandler(handler)

    first, second, theirs = ({**record.__dict__} for record in kept)
    for record in (first, second, theirs):
        assert record.pop("created") > 0
        assert 0 <= record.pop("msecs") < 1000
        assert record.pop("relativeCreated") > 0
    assert first == second == theirs


@pytest.mark.parametrize("stacklevel", [1, 2])
def test_the_location_is_the_caller_s_or_its_caller_s(fc_log: FramedLog, stacklevel: int) -> None:
    log = Logger("orders")

    def inner() -> None:
        log.info("x", stacklevel=stacklevel)

    inner()

    number = inner.__code__.co_firstlineno + (1 if stacklevel == 1 else 3)
    assert fc_log.last["location"] == f"test_logger.py:{number}"


def test_fc_s_own_handler_stays_the_only_one(fc_log: FramedLog) -> None:
    before = list(logging.getLogger().handlers)

    Logger("orders")

    assert logging.getLogger().handlers == before


def test_outside_of_invocations_the_runtime_s_request_id_is_written(fc_log: FramedLog) -> None:
    Logger("orders").info("Module level")

    assert fc_log.last["request_id"] == "from-the-runtime"


def test_only_the_first_invocation_of_a_process_is_a_cold_start() -> None:
    code = """
import json, logging, sys
from fc_callback.logs.logger import Logger
from fc_callback.middleware import invocation, layers
log = Logger("a")
@layers(invocation)
def handler(event, context):
    log.info("here")
handler(b"{}", None)
handler(b"{}", None)
"""
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert [json.loads(line)["cold_start"] for line in ran.stderr.splitlines()] == [True, False]


@pytest.mark.parametrize("level", ["debug", logging.DEBUG])
def test_the_level_is_an_argument(fc_log: FramedLog, level: str | int) -> None:
    Logger("orders", level=level).debug("seen")

    assert fc_log.last["message"] == "seen"


def test_a_subclass_s_own_process_is_asked_for_each_call(fc_log: FramedLog) -> None:
    class Prefixed(Logger):
        def process(self, msg: Any, kwargs: Any) -> Any:
            return super().process(f"orders {msg}", kwargs)

    log = Prefixed("orders")
    log.info("charged")
    log.info("charged", extra={"amount": 3})
    log.warning("charged", amount=3)
    assert [record["message"] for record in fc_log.records] == ["orders charged"] * 3
    assert [record.get("amount") for record in fc_log.records] == [None, 3, 3]


def test_the_level_is_a_variable(fc_log: FramedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLOW_LOG_LEVEL", "WARNING")
    log = Logger("orders")

    log.info("not seen")
    log.warning("seen")

    assert [record["message"] for record in fc_log.records] == ["seen"]


@pytest.mark.parametrize("options", [{"level": "LOUD"}, {"sample": 2}, {"form": "xml"}])
def test_an_option_that_cannot_be_used_is_refused(options: Any) -> None:
    with pytest.raises(SettingsError, match=r"Use|Give"):
        Logger("orders", **options)


def test_bound_keys_are_on_every_record_until_they_are_unbound(
    fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    log = Logger("orders")

    def body() -> None:
        log.bind(order=7, kind="gift")
        logging.getLogger("library").info("first")
        log.unbind("kind", "unknown")
        log.info("second")

    run(body, fc_context())

    assert (fc_log.records[0]["order"], fc_log.records[0]["kind"]) == (7, "gift")
    assert fc_log.records[1]["order"] == 7
    assert "kind" not in fc_log.records[1]


def test_keys_of_a_with_block_end_with_it(fc_log: FramedLog) -> None:
    log = Logger("orders")

    with log.bound(step="a"):
        log.info("inside")
    log.info("outside")

    assert fc_log.records[0]["step"] == "a"
    assert "step" not in fc_log.records[1]


def test_asyncio_tasks_have_keys_of_their_own(fc_log: FramedLog, fc_context: Callable[..., Any]) -> None:
    log = Logger("orders")

    async def item(number: int) -> None:
        log.bind(item=number)
        await asyncio.sleep(0)
        log.info("item %d", number)

    async def both() -> None:
        log.bind(order=1)
        await asyncio.gather(item(1), item(2))

    run(lambda: asyncio.run(both()), fc_context())

    assert sorted((record["item"], record["order"]) for record in fc_log.records) == [(1, 1), (2, 1)]


def test_a_thread_started_with_the_context_carries_the_invocation(
    fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    log = Logger("orders")

    def body() -> None:
        log.bind(order=1)
        thread = threading.Thread(target=contextvars.copy_context().run, args=(log.info, "from a thread"))
        thread.start()
        thread.join()

    run(body, fc_context(request_id="r-3"))

    assert (fc_log.last["request_id"], fc_log.last["order"]) == ("r-3", 1)


def test_concurrent_invocations_do_not_see_each_other_s_keys(fc_log: FramedLog, fc_context: Callable[..., Any]) -> None:
    log = Logger("orders")
    both_have_bound = threading.Barrier(2, timeout=10)

    def body(number: int) -> None:
        log.bind(number=number)
        both_have_bound.wait()
        log.info("here")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda number: run(lambda: body(number), fc_context(request_id=f"r-{number}")), [1, 2]))

    assert {(record["request_id"], record["number"]) for record in fc_log.records} == {("r-1", 1), ("r-2", 2)}


def test_names_that_a_record_has_itself_do_not_overwrite_it(fc_log: FramedLog) -> None:
    Logger("orders").info("real", extra={"timestamp": "mine"}, message="mine", request_id="mine")

    assert fc_log.last["message"] == "real"
    assert fc_log.last["message_"] == "mine"
    assert fc_log.last["timestamp_"] == "mine"


def test_extra_fields_may_come_in_any_mapping_that_has_each_name_once(fc_log: FramedLog) -> None:
    log = Logger("orders")

    for _ in range(2):  # a call's first record is made by logging itself
        log.info("x", extra=CaseInsensitiveDict({"Message": "mine", "Amount": 3}))
        assert (fc_log.last["Message"], fc_log.last["Amount"]) == ("mine", 3)


@pytest.mark.parametrize("name", ["message", "asctime", "msg", "thread"])
def test_extra_fields_that_would_overwrite_the_record_are_refused_as_by_logging(fc_log: FramedLog, name: str) -> None:
    log = Logger("orders")

    for _ in range(2):
        with pytest.raises(KeyError, match=f"Attempt to overwrite '{name}' in LogRecord"):
            log.info("x", extra={"amount": 3, name: "mine"})

    repeated = email.message.Message()
    repeated["amount"], repeated["amount"] = "1", "2"
    with pytest.raises(KeyError, match="Attempt to overwrite 'amount' in LogRecord"):
        log.info("x", extra=repeated)


def test_a_secret_among_the_constants_is_masked_as_soon_as_it_is_one(
    fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    secret = "hunter2-and-more"
    log = Logger("orders", fields={"boot": secret})

    def body() -> None:
        log.info("booted")
        log.info("charged %s", "it")

    run(body, fc_context())
    assert fc_log.last["boot"] == secret

    run(body, fc_context(credentials=Credentials(access_key_id="LTAI-x", access_key_secret=secret)))
    assert [line["boot"] for line in fc_log.records[-2:]] == ["***", "***"]


def test_a_secret_among_the_constants_is_masked_in_a_thread_that_outlives_its_invocation(
    fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    secret = "no-other-test-has-this-secret"
    log = Logger("orders", fields={"boot": secret})
    outliving: list[contextvars.Context] = []

    def body() -> None:
        log.info("inside")
        outliving.append(contextvars.copy_context())

    run(body, fc_context())
    outliving[0].run(log.info, "before it is a secret")
    run(lambda: None, fc_context(credentials=Credentials(access_key_id="LTAI-x", access_key_secret=secret)))
    outliving[0].run(log.info, "after")

    assert [record["boot"] for record in fc_log.records] == [secret, secret, "***"]


def test_a_field_of_a_call_takes_the_place_of_the_bound_key_of_that_name(
    fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    log = Logger("orders")

    def body() -> None:
        log.bind(order=1)
        for order in (None, 2):
            log.info("x", **({} if order is None else {"order": order}))
        log.info("x", extra={"order": 3})
        log.info("x")

    run(body, fc_context())

    assert [record["order"] for record in fc_log.records] == [1, 2, 3, 1]
    assert all(line.count('"order":') == 1 for line in fc_log.lines)


def test_a_line_begins_with_its_time_also_if_a_field_replaces_a_bound_key(
    fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    log = Logger("orders")

    def body() -> None:
        log.bind(order=1, level=2)
        log.info("x")
        log.info("x", order=3)
        log.info("x", level_=4)

    run(body, fc_context())

    assert [next(iter(record)) for record in fc_log.records] == ["timestamp"] * 3
    assert [(record["order"], record["level_"]) for record in fc_log.records] == [(1, 2), (3, 2), (1, 4)]
    assert all(line.count('"order":') == line.count('"level_":') == 1 for line in fc_log.lines)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        True,
        None,
        1.5,
        10**6,
        10**20,
        -1e300,
        "",
        'a "quote", a \\ and a\nline',
        "caf\u00e9 \u2713",
        "at 12:30, a=b",
        [1, {"a": []}],
    ],
    ids=repr,
)
def test_a_json_value_is_written_as_it_is_as_a_field_and_as_a_bound_key(
    fc_log: FramedLog, fc_context: Callable[..., Any], value: object
) -> None:
    log = Logger("orders")

    def body() -> None:
        log.bind(bound=value)
        log.info("x", value=value)

    run(body, fc_context())

    assert (fc_log.last["value"], fc_log.last["bound"]) == (value, value)
    assert type(fc_log.last["value"]) is type(value)


def test_a_bound_list_is_written_as_it_is_at_each_line(fc_log: FramedLog, fc_context: Callable[..., Any]) -> None:
    log = Logger("orders")
    done: list[int] = []

    def body() -> None:
        log.bind(done=done)
        log.info("first")
        done.append(7)
        log.info("second")

    run(body, fc_context())

    assert [record["done"] for record in fc_log.records] == [[], [7]]


def test_a_record_whose_time_cannot_be_read_is_written_without_it(fc_log: FramedLog) -> None:
    Logger("orders")
    record = logging.makeLogRecord(
        {"name": "theirs", "levelno": 30, "levelname": "WARNING", "msg": "odd", "created": "now"}
    )

    fc_log.handle(record)

    assert (fc_log.last["message"], fc_log.last["level"]) == ("odd", "WARNING")


def test_constants_are_on_every_record(fc_log: FramedLog) -> None:
    Logger("orders", fields={"service": "shop"}).info("x")

    assert fc_log.last["service"] == "shop"


def test_a_message_may_be_an_object(fc_log: FramedLog) -> None:
    Logger("orders").info({"order": 1, "password": "x"})

    assert fc_log.last["message"] == {"order": 1, "password": "***"}


def test_arguments_that_do_not_fit_the_message_are_written_all_the_same(fc_log: FramedLog) -> None:
    logging.getLogger().handlers = [fc_log]  # pytest's own would raise
    Logger("orders").info("%d orders", "many")

    assert fc_log.last["message"] == "%d orders ('many',)"


def test_values_that_json_does_not_know_are_written_as_text(fc_log: FramedLog) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    cycle: list[Any] = []
    cycle.append(cycle)
    Logger("orders").info("x", a={1}, b=float("nan"), c=Broken(), d=b"bytes", e={2: 3}, f=cycle)

    record = fc_log.last
    assert (record["a"], record["b"], record["c"], record["d"], record["e"]) == (
        [1], "nan", "<Broken without text>", "bytes", {"2": 3},
    )  # fmt: skip


def test_a_name_that_is_no_text_is_written_as_one(fc_log: FramedLog) -> None:
    Logger("orders").info("Counted", extra={5: 1})
    assert fc_log.last["5"] == 1


def test_a_caller_with_bytes_in_its_code_may_run_under_bb() -> None:
    code = "from fc_callback.logs.logger import Logger\ndef f(): some = b'bytes'; Logger('a').info('said')\nf()"
    ran = subprocess.run([sys.executable, "-bb", "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stderr)["message"] == "said"


def test_an_exception_is_told_with_its_causes(fc_log: FramedLog) -> None:
    log = Logger("orders")
    try:
        try:
            raise KeyError("missing")
        except KeyError as error:
            raise ValueError("no order") from error
    except ValueError:
        log.exception("Failed")

    exception = fc_log.last["exception"]
    assert (exception["type"], exception["message"]) == ("ValueError", "no order")
    assert "test_logger.py" in exception["stack"][-1]
    assert exception["cause"]["type"] == "KeyError"


def test_exceptions_that_cause_each_other_in_a_circle_come_to_an_end(fc_log: FramedLog) -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first

    Logger("orders").error("x", exc_info=first)

    assert fc_log.last["exception"]["cause"]["cause"]["message"] == "..."


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups begin with Python 3.11")
def test_an_exception_group_tells_its_members(fc_log: FramedLog) -> None:
    group = getattr(builtins, "ExceptionGroup")("both", [ValueError("a"), TypeError("b")])  # noqa: B009 - Python 3.11's

    Logger("orders").error("x", exc_info=group)

    assert [one["type"] for one in fc_log.last["exception"]["exceptions"]] == ["ValueError", "TypeError"]


@pytest.mark.parametrize(
    "said",
    ["x" * 100_000, "汉" * 40_000, "\ud800" * 20_000, '"\\\n' * 30_000],
    ids=["ascii", "wide", "broken", "escaped"],
)
def test_a_record_stays_within_fc_s_limit_and_remains_json(
    fc_log: FramedLog, fc_context: Callable[..., Any], said: str
) -> None:
    log = Logger("orders")
    try:
        raise ValueError(said)
    except ValueError:
        run(
            lambda: log.exception(said, also=said, many=dict.fromkeys(map(str, range(3000)), said)),
            fc_context(request_id="r"),
        )

    assert len(fc_log.lines[0].encode()) <= RECORD_MAX_BYTES
    assert fc_log.last["request_id"] == "r"
    assert fc_log.last["cut"] is True
    assert fc_log.last["exception"]["type"] == "ValueError"


def test_many_fields_stay_within_fc_s_limit(fc_log: FramedLog) -> None:
    Logger("orders").info("many", extra={f"field_{number}": "x" * 100 for number in range(2000)})

    assert len(fc_log.lines[0].encode()) <= RECORD_MAX_BYTES
    assert fc_log.last["message"] == "many"


def test_debug_records_are_held_back_and_written_when_the_invocation_fails(
    fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    log = Logger("orders", hold_debug=True)

    def body() -> None:
        log.debug("detail %d", 1)
        log.info("told")
        raise ValueError

    with pytest.raises(ValueError):
        run(body, fc_context())

    assert [record["message"] for record in fc_log.records] == ["told", "detail 1"]
    assert fc_log.records[1]["level"] == "DEBUG"


def test_held_back_records_are_not_written_when_the_invocation_succeeds(
    fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    log = Logger("orders", hold_debug=True)

    run(lambda: log.debug("detail"), fc_context())

    assert fc_log.lines == []


def test_a_task_that_is_reported_as_failed_writes_what_was_held_back(
    local_cloudflow: TaskCloudFlow, fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    log = Logger("orders", hold_debug=True)

    @task_callback
    def handler(event: bytes, context: object) -> None:
        log.debug("detail")
        raise TaskFailed("EmptyOrder")

    handler(local_cloudflow.new_task().event, fc_context())

    assert fc_log.with_message("detail")


def test_what_is_held_back_is_bounded(fc_log: FramedLog, fc_context: Callable[..., Any]) -> None:
    log = Logger("orders", hold_debug=True)

    def body() -> None:
        for number in range(200):
            log.debug("%d %s", number, "x" * 5000)
        raise ValueError

    with pytest.raises(ValueError):
        run(body, fc_context())

    assert "held back and are lost" in fc_log.records[0]["message"]
    assert 20 < len(fc_log.lines) < 60
    assert fc_log.last["message"].startswith("199 ")


def test_a_sampled_invocation_writes_everything_and_others_nothing_more(
    fc_log: FramedLog, fc_context: Callable[..., Any]
) -> None:
    log = Logger("orders", sample=0.5)

    def body() -> None:
        log.debug("one")
        log.debug("two")

    for number in range(60):
        run(body, fc_context(request_id=f"r-{number}"))

    written = [record["request_id"] for record in fc_log.records]
    assert 10 < len(set(written)) < 50
    assert all(written.count(request_id) == 2 for request_id in written)
    assert fc_log.last["sampled"] is True


def test_a_terminal_gets_lines_for_people() -> None:
    ours, theirs = pty.openpty()
    code = """
from fc_callback.logs.logger import Logger
log = Logger("orders")
log.warning("Slow %s", "today", took=4)
try: 1 / 0
except ZeroDivisionError: log.exception("Failed")
"""
    subprocess.run([sys.executable, "-c", code], check=True, stderr=theirs)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)

    assert "Slow today took=4" in shown
    assert "WARNING" in shown
    assert "Traceback (most recent call last)" in shown


def test_the_console_form_can_be_asked_for(fc_log: FramedLog) -> None:
    Logger("orders", form="console").info("Charged", amount=3, token="a-secret-of-mine")

    assert "INFO     Charged amount=3 token=***" in fc_log.lines[0]


def test_files_and_captures_keep_their_own_form(fc_log: FramedLog) -> None:
    mine = logging.StreamHandler(io.StringIO())
    mine.setFormatter(logging.Formatter("mine: %(message)s"))
    logging.getLogger().addHandler(mine)

    Logger("orders").info("x")

    assert mine.stream.getvalue() == "mine: x\n"


def test_importing_the_logger_loads_nothing_heavy() -> None:
    code = "import sys, fc_callback.logs.logger; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    heavy = {
        "asyncio",
        "requests",
        "pydantic",
        "ssl",
        "http",
        "email",
        "dataclasses",
        "importlib.metadata",
        "random",
        "urllib3",
    }
    assert not heavy & set(loaded)


def test_the_variable_chooses_the_form_and_the_option_takes_precedence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = "from fc_callback import Logger; Logger({}).info('hello', n=1)"
    for variable, option, shown in (
        ("console", "", "INFO     hello n=1"),
        ("json", "", '"message":'),
        ("console", "form='json'", '"message":'),
    ):
        monkeypatch.setenv("CLOUDFLOW_LOG_FORM", variable)
        ended = subprocess.run(
            [sys.executable, "-c", code.format(option)], capture_output=True, text=True, timeout=60, check=True
        )
        assert shown in ended.stderr


def test_an_unknown_form_in_the_variable_is_refused_with_the_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLOW_LOG_FORM", "xml")
    with pytest.raises(SettingsError, match=r"CLOUDFLOW_LOG_FORM is 'xml'\. Use one of 'json', 'console'"):
        Logger(level="DEBUG")
