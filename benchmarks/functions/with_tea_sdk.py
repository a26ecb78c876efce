"""The task, with alibabacloud_fnf20190315: the newer of the two official SDKs."""

import json
import os

from alibabacloud_fnf20190315.client import Client
from alibabacloud_fnf20190315.models import ReportTaskSucceededRequest
from alibabacloud_tea_openapi.models import Config
from work import work


def handler(event, context):
    token = json.loads(event)["taskToken"]
    work()
    key = context.credentials
    client = Client(
        Config(
            access_key_id=key.access_key_id,
            access_key_secret=key.access_key_secret,
            security_token=key.security_token,
            endpoint=os.environ["CLOUDFLOW_ENDPOINT"].partition("//")[2],
            protocol="https",
            ca=os.environ["REQUESTS_CA_BUNDLE"],
        )
    )
    output = json.dumps({"status": "done"})
    client.report_task_succeeded(ReportTaskSucceededRequest(task_token=token, output=output))
    return output
