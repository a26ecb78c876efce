"""No answer of the console holds a task token, a key or an STS token, whatever inputs, events and logs hold."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest
import requests

from fc_callback.local import LocalCloudFlow
from fc_callback.runtime import FunctionSpec
from tests.local.raw_client import until
from tests.spelled import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FLOW = """
version: v1
type: flow
steps:
  - type: task
    name: spill
    resourceArn: acs:fc:::functions/spill
    pattern: waitForCallback
    serviceParams: {InvocationType: Async}
    inputMappings:
      - {target: taskToken, source: $context.task.token}
      - {target: given, source: $input}
    retry:
      - {errors: [Refused], maxAttempts: 1, intervalSeconds: 1}
"""
CODE = """
import base64, json, os, sys

def handler(event, context):
    credentials = context.credentials
    secrets = [json.loads(event)["taskToken"], credentials.access_key_secret, credentials.security_token]
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(json.dumps(secrets) + "\\n")
    print("environment", dict(os.environ))
    print("event", event, repr(event), json.dumps({"body": event.decode()}), base64.b64encode(json.dumps({"t": secrets[0]}).encode()).decode())
    print("credentials", vars(credentials), file=sys.stderr)
    raise RuntimeError(f"refused {secrets} of {event}")
"""


def token_of_another_service(number: int) -> str:
    return b64encode(f"v1#flow#execution#{number}#{'x' * 40}".encode()).decode()


@pytest.fixture
def spilled(tmp_path: Path) -> Iterator[tuple[LocalCloudFlow, list[str]]]:
    """A service whose function shows its secrets to whatever listens, and these secrets."""
    (tmp_path / "index.py").write_text(CODE)
    seen = tmp_path / "seen"
    spec = FunctionSpec(name="spill", code_dir=tmp_path, environment={"SEEN": str(seen)})
    foreign = token_of_another_service(1)
    given = {
        "token": foreign,
        "note": f"see {foreign}",
        "password": "hunter2-hunter2",
        "hook": f"https://x/?t={foreign}",
    }
    with LocalCloudFlow(functions=[spec], async_retries=0, database=tmp_path / "db") as service:
        service.create_flow("leaky", FLOW)
        for name in ("waits", "fails"):
            service.start("leaky", given, execution_name=name)
            task = service.run_until_waiting("leaky", name)
        task.fail("Refused", f"because of {foreign}")
        service.advance(1)
        service.run_until_waiting("leaky", "fails").fail("Final", f"because of {foreign}")
        service.wait("leaky", "fails")
        until(lambda: [one.status for one in service.invocations("spill")] == ["ended"] * 3)
        secrets = [secret for line in seen.read_text().splitlines() for secret in json.loads(line)]
        secrets += [foreign, service.credentials.access_key_secret]
        secrets.append(service.waiting_token("leaky", "waits").reveal())
        yield service, secrets


def answers_from(start: str) -> Iterator[tuple[str, str]]:
    """Yield every address that can be reached from one by what the pages ask for, and what it answers."""
    known, open_ = {start}, [start]
    with requests.Session() as session:
        while open_:
            address = open_.pop()
            answer = session.get(address, timeout=20)
            yield address, f"{answer.headers}\n{answer.text}"
            for link in re.findall(r'(?:href|src|hx-get|data-source)="([^"#]+)', answer.text):
                found = urljoin(address, html.unescape(link))
                if found.startswith(start) and found not in known and "/assets/" not in found:
                    known.add(found)
                    open_.append(found)


def test_no_secret_is_in_any_answer(spilled: tuple[LocalCloudFlow, list[str]]) -> None:
    service, secrets = spilled
    assert len(secrets) == 12
    seen = dict(answers_from(f"{service.endpoint}/console/"))
    for path in ("flows/leaky/graph", "executions/leaky/fails/graph", "executions/leaky/waits/graph"):
        seen[path] = requests.get(f"{service.endpoint}/console/{path}", timeout=20).text
    together = "\n".join(seen.values())
    for page in ("tab=history", "invocations", "flows/leaky", "clock", "step=spill", "run="):
        assert any(page in address for address in seen), page
    assert "refused" in together
    assert "because of" in together
    assert {secret for secret in secrets if secret in opened(html.unescape(together))} == set()


def test_what_a_refused_change_answers_holds_no_secret(spilled: tuple[LocalCloudFlow, list[str]]) -> None:
    service, secrets = spilled
    [task] = service.waiting()
    path = f"{service.endpoint}/console/executions/{task.flow}/{task.execution}/tasks/{task.event_id}"
    for body in (
        {"output": secrets[0]},
        {"error": secrets[0] * 9},
        {secrets[0]: 1},
        {"output": {"x": secrets[0] * 999}},
    ):
        answer = requests.post(path, json=body, timeout=20)
        assert answer.status_code == 400
        assert [secret for secret in secrets if secret in opened(html.unescape(answer.text))] == []
