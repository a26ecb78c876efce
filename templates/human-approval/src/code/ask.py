"""The function that asks: it sends a person a link, and leaves the task waiting for the answer."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlencode

from payload import Question

from fc_callback import Task, TaskFailed, initializer, task_callback
from fc_callback.sealing import TokenSeal

initialize = initializer


@task_callback(on_failure="report")
def handler(question: Question, context: Any, task: Task) -> Any:
    """Send the link. The task is completed by the other function, when somebody has decided."""
    decide_url = os.environ.get("DECIDE_URL")
    if not decide_url:
        raise TaskFailed("NotConfigured", cause="DECIDE_URL is not set: put the address of the other function there.")
    # The token itself never leaves: the link holds it sealed, so that nobody can read it, change it, or use it late.
    link = f"{decide_url}?{urlencode({'request': TokenSeal().seal(task.token)})}"
    notify(f"{question.subject}\nDecide here: {link}")
    return task.defer()


def notify(text: str) -> None:
    """Tell the people who may decide. Put your own mail or chat here; whoever reads the text may decide."""
    url = os.environ.get("NOTIFY_URL")
    if not url:
        raise TaskFailed("NotConfigured", cause="NOTIFY_URL is not set: put the address of a webhook there.")
    import requests

    requests.post(url, json={"msgtype": "text", "text": {"content": text}}, timeout=10).raise_for_status()
