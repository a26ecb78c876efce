"""The task, written by hand with requests: signature version 1, one call, no retries, errors raised."""

import base64
import hashlib
import hmac
import json
import os
import time
import uuid
from urllib.parse import quote

import requests
from work import work


def handler(event, context):
    token = json.loads(event)["taskToken"]
    work()
    output = json.dumps({"status": "done"})
    report(context, {"TaskToken": token}, {"Output": output})
    return output


def report(context, query, form):
    key = context.credentials
    query = {
        **query,
        "Action": "ReportTaskSucceeded",
        "Version": "2019-03-15",
        "Format": "JSON",
        "AccessKeyId": key.access_key_id,
        "SecurityToken": key.security_token,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": uuid.uuid4().hex,
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    text = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted({**query, **form}.items())
    )
    to_sign = f"POST&%2F&{quote(text, safe='')}"
    digest = hmac.new(f"{key.access_key_secret}&".encode(), to_sign.encode(), hashlib.sha1).digest()
    query["Signature"] = base64.b64encode(digest).decode()
    requests.post(os.environ["CLOUDFLOW_ENDPOINT"], params=query, data=form, timeout=10).raise_for_status()
