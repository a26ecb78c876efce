"""The function that asks: it sends a link to a person and returns. The task waits for the answer."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlencode

from fc_callback import Task, TaskFailed, initializer, task_callback
from fc_callback.sealing import TokenSeal

from payload import Question

initialize = initializer


@task_callback(on_failure="report")
def handler(question: Question, context: Any, task: Task) -> Any:
    """Send the link. The other function completes the task after the decision."""
    decide_url = os.environ.get("DECIDE_URL")
    if not decide_url:
        raise TaskFailed("NotConfigured", cause="DECIDE_URL is not set: put the address of the other function there.")
    # The link contains the token in sealed form: it cannot be read or changed, and it expires.
    link = f"{decide_url}?{urlencode({'request': TokenSeal().seal(task.token)})}"
    notify(f"{question.subject}\nDecide here: {link}")
    return task.defer()


def notify(text: str) -> None:
    """Send the link to the people who may decide, and only to them. Replace this by your own mail or chat."""
    url = os.environ.get("NOTIFY_URL")
    if not url:
        raise TaskFailed("NotConfigured", cause="NOTIFY_URL is not set: put the address of a webhook there.")
    import requests

    try:
        answer = requests.post(url, json={"msgtype": "text", "text": {"content": text}}, timeout=10)
    except requests.RequestException as error:
        # The text of the error has the address of the webhook, which is a secret.
        raise TaskFailed("NotSent", cause=f"The webhook did not answer: {type(error).__name__}.") from None
    # DingTalk answers a message that it refuses with HTTP 200 and an errcode.
    told = answer.json() if "json" in answer.headers.get("Content-Type", "") else {}
    if not answer.ok or told.get("errcode"):
        raise TaskFailed("NotSent", cause=f"The webhook answered {answer.status_code}: {answer.text[:200]}")
