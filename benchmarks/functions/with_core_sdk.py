"""The task, with aliyun-python-sdk-fnf: the older of the two official SDKs."""

import json
import os

from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdkfnf.request.v20190315.ReportTaskSucceededRequest import ReportTaskSucceededRequest
from work import work


def handler(event, context):
    token = json.loads(event)["taskToken"]
    work()
    key = context.credentials
    credential = StsTokenCredential(key.access_key_id, key.access_key_secret, key.security_token)
    client = AcsClient(region_id=context.region, credential=credential, verify=os.environ["REQUESTS_CA_BUNDLE"])
    output = json.dumps({"status": "done"})
    request = ReportTaskSucceededRequest()
    request.set_protocol_type("https")
    request.set_endpoint(os.environ["CLOUDFLOW_ENDPOINT"].partition("//")[2])
    request.set_TaskToken(token)
    request.set_Output(output)
    client.do_action_with_exception(request)
    return output
