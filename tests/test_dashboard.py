"""The queries of "Watch tasks" and its dashboard.

SLS cannot be run here. Its SQL runs in SQLite instead, over the lines that handlers have written, with SLS's functions as Python
functions. So a column, a field or an outcome that does not exist is found; a function that SLS does not have is not.
"""

from __future__ import annotations

import json
import re
import runpy
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fc_callback import ReportUndelivered, TaskFailed, current_task, once, task_callback
from fc_callback.errors import StoreUnavailable
from fc_callback.idempotency.memory import MemoryStore
from fc_callback.logs.logger import Logger
from fc_callback.testing import Fault
from tests.framed_log import FramedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from fc_callback.testing import TaskCloudFlow

    Contexts = Callable[..., Any]

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "how-to" / "watch.md").read_text("utf-8")
MAKER = runpy.run_path(str(ROOT / "docs" / "dashboard.py"))
QUERIES: dict[str, str] = MAKER["queries_of"](PAGE)
ALARMS = (ROOT / "docs" / "how-to" / "alarm.md").read_text("utf-8")
ALARM = " ".join(ALARMS.partition("```sql\n")[2].partition("```")[0].split())
INDEX = next(json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL) if '"keys"' in block)

# The record of an invocation as FC's documentation shows it.
KILLED = {
    "functionName": "charge",
    "hasFunctionError": "true",
    "errorType": "FunctionTimeoutError",
    "requestId": "1-65a7",
}


class Percentile:
    def __init__(self) -> None:
        self.values: list[float] = []
        self.share = 0.0

    def step(self, value: float | None, share: float) -> None:
        self.share = share
        if value is not None:
            self.values.append(value)

    def finalize(self) -> float | None:
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(len(ordered) * self.share))] if ordered else None


class CountIf:
    def __init__(self) -> None:
        self.count = 0

    def step(self, value: int | None) -> None:
        self.count += bool(value)

    def finalize(self) -> int:
        return self.count


def json_parse(text: str | None) -> str | None:
    try:
        json.loads(text or "")
    except ValueError:
        return None
    return text


def json_extract_scalar(text: str | None, path: str) -> str | None:
    parsed = json.loads(text) if text is not None else None
    value = parsed.get(path.removeprefix("$.")) if isinstance(parsed, dict) else None
    return value if value is None or isinstance(value, str) else json.dumps(value)


class Logstore:
    """What SLS does with a query: the search selects logs, and the SQL runs over them."""

    def __init__(self, logs: list[dict[str, Any]]) -> None:
        self.logs = logs

    def rows(self, query: str) -> list[dict[str, Any]]:
        search, _bar, statement = query.partition(" | ")
        field, _colon, word = search.partition(": ")
        separators = re.escape("".join(INDEX["keys"][field]["token"]))
        found = [log for log in self.logs if word.lower() in re.split(f"[{separators}]+", log.get(field, "").lower())]
        database = sqlite3.connect(":memory:")
        database.row_factory = sqlite3.Row
        columns = [name for name, index in INDEX["keys"].items() if index["doc_value"]]  # SQL sees no other field
        database.execute(f"CREATE TABLE log (__time__, {', '.join(columns)})")
        for log in found:
            row = [1764315819, *map(log.get, columns)]
            database.execute(f"INSERT INTO log VALUES ({', '.join('?' * len(row))})", row)
        database.create_function("try", 1, lambda value: value)
        database.create_function("json_parse", 1, json_parse)
        database.create_function("json_extract_scalar", 2, json_extract_scalar)
        database.create_function("date_trunc", 2, lambda _unit, seconds: seconds - seconds % 3600)
        database.create_function("date_format", 2, lambda seconds, _form: f"at {seconds}")
        database.create_aggregate("count_if", 1, CountIf)
        database.create_aggregate("approx_percentile", 2, Percentile)  # type: ignore[arg-type]
        try:
            return [dict(row) for row in database.execute(statement)]
        finally:
            database.close()


class Silent(MemoryStore):
    def replace(self, *_records: Any, **_options: Any) -> bool:
        raise StoreUnavailable("The store does not answer.")


@task_callback(on_failure="report")
def charge(order: dict[str, Any], context: object) -> Any:
    if order["amount"] > 1000:
        raise TaskFailed("CardRefused")
    return current_task().defer() if order["amount"] < 0 else {"paid": True}


def pay(order: dict[str, Any]) -> dict[str, Any]:
    return {"paid": order["id"]}


@pytest.fixture
def logstore(local_cloudflow: TaskCloudFlow, fc_context: Contexts, fc_log: FramedLog) -> Logstore:
    """The logs of a function that had every kind of task."""
    remembered = task_callback(once=once("id", store=MemoryStore()))(pay)
    unstored = task_callback(once=once("id", store=Silent()))(pay)
    waiting = local_cloudflow.new_task({})
    Logger("charge", form="json")

    def deliver(handler: Any, payload: dict[str, Any], **options: Any) -> None:
        handler(local_cloudflow.new_task(payload).event, fc_context(function_name="charge", **options))

    @task_callback(on_failure="report")
    def slow(order: dict[str, Any], context: object) -> None:
        waiting.wait()  # until DeadlineExceeded is reported

    for amount in (5, 6, 5000, -1):
        deliver(charge, {"amount": amount})
    deliver(remembered, {"id": 1})
    deliver(remembered, {"id": 1}, retry_count=1)
    deliver(unstored, {"id": 2}, timeout_seconds=1)
    slow(waiting.event, fc_context(function_name="charge", timeout_seconds=2))
    local_cloudflow.inject(Fault("error-before", times=None))
    with pytest.raises(ReportUndelivered):
        deliver(charge, {"amount": 8}, timeout_seconds=1)
    local_cloudflow.clear_faults()
    local_cloudflow.inject(Fault("error-before"), Fault("throttle"))
    deliver(charge, {"amount": 7}, retry_count=2)
    lines = [{"message": line, "functionName": "charge"} for line in fc_log.lines]
    cut = {"message": lines[0]["message"][:-20]}
    return Logstore([*lines, cut, {"message": "FC Invoke Start RequestId: 1-2-3 outcome"}, KILLED])


def test_the_dashboard_is_made_from_the_page() -> None:
    made = MAKER["DASHBOARD"].read_text("utf-8")
    assert made == MAKER["text_of"](PAGE), "Make it anew: python docs/dashboard.py"
    asked = [chart["search"]["chartQueries"][0]["query"] for chart in json.loads(made)["charts"]]
    assert asked == list(QUERIES.values())
    assert len(asked) == PAGE.partition("## The queries")[2].partition("\n## ")[0].count("```sql") > 5


def test_the_ids_and_places_of_the_charts_are_what_sls_accepts() -> None:
    board = MAKER["dashboard"](PAGE)
    charts = board["charts"]
    ids = [board["dashboardName"], *(chart["title"] for chart in charts)]

    assert [name for name in ids if not re.fullmatch(r"[0-9a-z][0-9a-z_-]{0,98}[0-9a-z]", name)] == []
    assert len(set(ids)) == len(ids)
    places = [(chart["display"]["xPos"], chart["display"]["yPos"]) for chart in charts]
    assert len(set(places)) == len(places)
    assert all(chart["display"]["xPos"] + chart["display"]["width"] <= 24 for chart in charts)


def test_every_query_and_the_alarm_find_the_lines_that_a_function_writes(logstore: Logstore) -> None:
    def first(title: str) -> dict[str, Any]:
        return logstore.rows(QUERIES[title])[0]

    for title, query in QUERIES.items():
        rows = logstore.rows(query)
        assert rows, title
        assert list(rows[0]) == MAKER["columns_of"](query), title
        assert [name for name, value in rows[0].items() if value is None] == [], title
    outcomes = first("Tasks by outcome")
    assert outcomes | {"time": 0} == {
        "time": 0, "succeeded": 6, "failed": 1, "deadline_exceeded": 1, "deferred": 1, "not_reported": 1
    }  # fmt: skip
    names = {row["error_name"]: row["tasks"] for row in logstore.rows(QUERIES["Failures by name"])}
    assert names == {"CardRefused": 1, "DeadlineExceeded": 1}
    lost = first("Deliveries without a report")
    assert (lost["error_name"], lost["attempt"], lost["function_name"]) == ("ReportUndelivered", "1", "charge")
    assert int(lost["calls"]) > 0
    assert first("Cold starts")["tasks"] == 10
    assert 0 <= first("Cold starts")["cold"] <= 1
    again = first("Retries")
    assert (again["delivered_again"], again["throttled_calls"], again["replayed"]) == (2, 1, 1)
    assert again["reported_again"] >= 1
    assert first("Results that were not stored")["level"] == "ERROR"
    assert first("Invocations with an error") == {
        "function_name": "charge", "error_type": "FunctionTimeoutError", "invocations": 1
    }  # fmt: skip
    assert logstore.rows(ALARM) == [{"not_reported": 1, "failed": 2, "tasks": 10}]
    records = [log["message"] for log in logstore.logs if '"record":"task"' in log.get("message", "")]
    assert max(len(record.encode()) for record in records) < 1024  # SQL sees 2 KB without a setting


def test_the_conditions_of_the_alarms_name_columns_of_their_query() -> None:
    conditions = re.findall(r"^\| [^`]+ \| `(\w+) [<>] \d+`", ALARMS, re.MULTILINE)
    assert conditions == MAKER["columns_of"](ALARM)


def test_the_package_logs_the_lines_that_the_page_lists() -> None:
    listed = re.findall(r"^\| `(.+?)` \| [A-Z]+ \|", PAGE, re.MULTILINE)
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "fc_callback" / "callback").glob("*.py"))

    assert len(listed) > 4
    assert [line for line in listed if not all(part in code for part in line.split("…"))] == []
