"""Measure one report on a warm connection, beside its peers, in one run.

    python -m benchmarks.warm_report

The peers alternate in each round, so that a change of the machine's speed affects all of them. A peer that is not installed
is skipped with a message.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import statistics
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from benchmarks.server import answering

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGEST = base64.b64encode(hashlib.sha1(b"a task").digest())
# With the size of real ones: a task token of 400 characters, an STS token of 800.
TOKEN = base64.b64encode(b"#".join([b"v1", b"f" * 128, b"e" * 136, b"5", _DIGEST])).decode()
STS_TOKEN = "CAIS" + base64.b64encode(b"".join(hashlib.sha256(bytes([n])).digest() for n in range(19))).decode()[:796]
OUTPUT = '{"orderId":"o-1","status":"paid"}'
ROUNDS = 15
CALLS = 100


def requests_by_hand(port: int, output: str = OUTPUT) -> Callable[[], Any]:
    """A plain `requests.Session` and a signature by hand."""
    import requests

    session = requests.Session()

    def report() -> Any:
        query = {
            "Action": "ReportTaskSucceeded",
            "Version": "2019-03-15",
            "Format": "JSON",
            "AccessKeyId": "testid",
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": uuid.uuid4().hex,
            "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "SecurityToken": STS_TOKEN,
            "TaskToken": TOKEN,
        }
        signed = sorted({**query, "Output": output}.items())
        canonical = "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in signed)
        text = "POST&%2F&" + quote(canonical, safe="~")
        query["Signature"] = base64.b64encode(hmac.new(b"testsecret&", text.encode(), hashlib.sha1).digest()).decode()
        response = session.post(f"http://127.0.0.1:{port}/", params=query, data={"Output": output}, timeout=10)
        response.raise_for_status()
        return response.json()

    return report


def fc_callback_client(port: int, output: str = OUTPUT) -> Callable[[], Any]:
    """`CloudFlowClient`."""
    from fc_callback import CloudFlowClient, Credentials

    credentials = Credentials(access_key_id="testid", access_key_secret="testsecret", security_token=STS_TOKEN)
    client = CloudFlowClient(endpoint=f"http://127.0.0.1:{port}", credentials=credentials)
    return lambda: client.report_task_succeeded(TOKEN, output)


def fc_callback_decorator(port: int) -> Callable[[], Any]:
    """A whole invocation: context, token, Output, client, report."""
    from fc_callback import task_callback

    os.environ["CLOUDFLOW_ENDPOINT"] = f"http://127.0.0.1:{port}"
    os.environ.update(ALIBABA_CLOUD_ACCESS_KEY_ID="testid", ALIBABA_CLOUD_ACCESS_KEY_SECRET="testsecret")
    os.environ["ALIBABA_CLOUD_SECURITY_TOKEN"] = STS_TOKEN
    event = b'{"taskToken": "%s"}' % TOKEN.encode()

    @task_callback
    def handler(_event: Any, _context: Any) -> dict[str, str]:
        return {"orderId": "o-1", "status": "paid"}

    return lambda: handler(event, None)


def tea_sdk(port: int, output: str = OUTPUT) -> Callable[[], Any]:
    """`alibabacloud_fnf20190315`."""
    from alibabacloud_fnf20190315.client import Client
    from alibabacloud_fnf20190315.models import ReportTaskSucceededRequest
    from alibabacloud_tea_openapi.models import Config

    config = Config(
        access_key_id="testid",
        access_key_secret="testsecret",
        security_token=STS_TOKEN,
        endpoint=f"127.0.0.1:{port}",
        protocol="http",
    )
    client = Client(config)
    return lambda: client.report_task_succeeded(ReportTaskSucceededRequest(task_token=TOKEN, output=output))


def old_sdk(port: int, output: str = OUTPUT) -> Callable[[], Any]:
    """`aliyun-python-sdk-fnf`."""
    from aliyunsdkcore.auth.credentials import StsTokenCredential
    from aliyunsdkcore.client import AcsClient
    from aliyunsdkfnf.request.v20190315.ReportTaskSucceededRequest import ReportTaskSucceededRequest

    client = AcsClient(region_id="cn-hangzhou", credential=StsTokenCredential("testid", "testsecret", STS_TOKEN))

    def report() -> Any:
        request = ReportTaskSucceededRequest()
        request.set_endpoint(f"127.0.0.1:{port}")
        request.set_TaskToken(TOKEN)
        request.set_Output(output)
        return client.do_action_with_exception(request)

    return report


PEERS: dict[str, Callable[[int], Callable[[], Any]]] = {
    "requests.Session by hand": requests_by_hand,
    "fc_callback: CloudFlowClient": fc_callback_client,
    "fc_callback: whole invocation": fc_callback_decorator,
    "alibabacloud_fnf20190315": tea_sdk,
    "aliyun-python-sdk-fnf": old_sdk,
}


def installed(makers: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """Create the installed peers, and let each report once."""
    reports: dict[str, Callable[[], Any]] = {}
    for name, make in makers.items():
        try:
            reports[name] = make()
            reports[name]()
        except ImportError as error:
            print(f"{name}: left out, {error.name} is not installed")
            reports.pop(name, None)
    return reports


def main() -> None:
    """Measure, and print medians and ratios."""
    with answering() as port:
        reports = installed({name: lambda make=make: make(port) for name, make in PEERS.items()})
        wall: dict[str, list[float]] = {name: [] for name in reports}
        cpu: dict[str, list[float]] = {name: [] for name in reports}
        for _ in range(ROUNDS):
            for name, report in reports.items():
                began, began_cpu = time.perf_counter(), time.process_time()
                for _ in range(CALLS):
                    report()
                wall[name].append((time.perf_counter() - began) / CALLS)
                cpu[name].append((time.process_time() - began_cpu) / CALLS)
    base = next(iter(reports))
    print(f"{'':32} {'wall':>9} {'ratio':>6}   {'CPU':>9} {'ratio':>6}   (medians of {ROUNDS} rounds of {CALLS})")
    for name in reports:
        w, c = statistics.median(wall[name]), statistics.median(cpu[name])
        ratio_w = statistics.median(a / b for a, b in zip(wall[name], wall[base], strict=True))
        ratio_c = statistics.median(a / b for a, b in zip(cpu[name], cpu[base], strict=True))
        print(f"{name:32} {w * 1e6:6.0f} us {ratio_w:6.2f}   {c * 1e6:6.0f} us {ratio_c:6.2f}")


if __name__ == "__main__":
    main()
