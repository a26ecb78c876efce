"""Make docs/how-to/watch/dashboard.json from the queries of docs/how-to/watch.md: `python docs/dashboard.py`.

The file is a dashboard for the operation CreateDashboard of Simple Log Service, with one chart for each query. A query whose
first column is `time` becomes a line chart, any other a table.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "how-to" / "watch.md"
DASHBOARD = PAGE.parent / "watch" / "dashboard.json"
PROJECT, LOGSTORE = "your-log-project", "function-logs"  # the reader writes other names there
_SECTION = re.compile(r"^## The queries$(.*?)^## ", re.MULTILINE | re.DOTALL)
_QUERY = re.compile(r"^### (.+?)$.*?^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ALIAS = re.compile(r"\bAS (\w+)(?=,|$)")
_WIDTH, _HEIGHT, _IN_A_ROW = 12, 9, 2  # a row of the grid has 24 columns


def queries_of(page: str) -> dict[str, str]:
    """Return the queries of the page by their titles, each on one line."""
    section = _SECTION.search(page)
    assert section is not None
    return {title: " ".join(query.split()) for title, query in _QUERY.findall(section[1])}


def columns_of(query: str) -> list[str]:
    """Return the names of the columns that a query returns."""
    selected = re.search(r"\| SELECT (.*?) FROM ", query)
    assert selected is not None
    return _ALIAS.findall(selected[1])


def chart(number: int, title: str, query: str) -> dict[str, Any]:
    """Return the chart of a query."""
    columns = columns_of(query)
    is_line = columns[0] == "time" and "GROUP BY time" in query
    row, column = divmod(number, _IN_A_ROW)
    display: dict[str, Any] = {
        "basicOptions": {
            "displayName": title,
            "showTitle": True,
            "showTime": True,
            "showBorder": True,
            "showBackground": True,
        },
        "xPos": column * _WIDTH,
        "yPos": row * _HEIGHT,
        "width": _WIDTH,
        "height": _HEIGHT,
        "version": "2",
    }
    if is_line:
        display["isTimeSeries"] = True
        display["legendOption"] = {"show": True, "position": "bottom"}
        display["queryOptionMap"] = {"A": {"name": "A", "xAxisKey": columns[0], "yAxisKeys": columns[1:]}}
    asked = {"name": "A", "datasource": "logstore", "project": PROJECT, "logstore": LOGSTORE}
    return {
        "title": re.sub(r"\W+", "-", title.lower()),  # an id: lower-case letters, digits and `-`
        "type": "linepro" if is_line else "tablepro",
        "search": {
            "logstore": LOGSTORE,
            "topic": "",
            "query": "@",  # the queries are in chartQueries
            "start": "-86400s",
            "end": "now",
            "chartQueries": [{**asked, "query": query, "tokenQuery": query}],
        },
        "action": {},
        "display": display,
    }


def dashboard(page: str) -> dict[str, Any]:
    """Return the dashboard of a page."""
    return {
        "dashboardName": "fc-callback-tasks",
        "displayName": "CloudFlow callback tasks",
        "description": "Tasks of fc_callback: outcomes, failures, reports, times.",
        "attribute": {"type": "grid"},
        "charts": [chart(number, *each) for number, each in enumerate(queries_of(page).items())],
    }


def text_of(page: str) -> str:
    """Return the file's text."""
    return json.dumps(dashboard(page), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DASHBOARD.write_text(text_of(PAGE.read_text("utf-8")), "utf-8")
