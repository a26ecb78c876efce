"""Signatures: against published values, against the official SDK's signer, and against the local CloudFlow."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from alibabacloud_tea_openapi.utils import Utils
from hypothesis import given
from hypothesis import strategies as st

from fc_callback import Credentials
from fc_callback.cloudflow.request import build_request
from fc_callback.cloudflow.signature import (
    V3_ALGORITHM,
    authorization_v3,
    canonical_query,
    canonical_request_v3,
    percent_encode,
    sign_v1,
    sign_v3,
)
from fc_callback.local import LocalCloudFlow
from fc_callback.testing import make_credentials
from fc_callback.transport import SignedRequest
from tests.waiting import WaitingTasks

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "signature-vectors.json").read_text())
NAMES = st.text("ABCDEFGHIJabcdefghij-_.0123", min_size=1, max_size=12)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@pytest.mark.parametrize("vector", VECTORS["v1"], ids=lambda one: one["source"] + one["signature"][:4])
def test_v1_gives_the_published_signature(vector: Any) -> None:
    assert sign_v1(vector["method"], vector["params"], vector["secret"]) == vector["signature"]


@pytest.mark.parametrize("vector", VECTORS["v3"], ids=lambda one: one["source"] + one["signature"][:4])
def test_v3_gives_the_published_signature(vector: Any) -> None:
    hashed = vector.get("hashed_payload") or hashlib.sha256(vector["body"].encode()).hexdigest()
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    canonical = canonical_request_v3(
        vector["method"],
        vector["uri"],
        canonical_query(vector["query"]),
        headers,
        signed_headers=headers,
        hashed_payload=hashed,
    )
    if "canonical_request_sha256" in vector:
        assert hashlib.sha256(canonical.encode()).hexdigest() == vector["canonical_request_sha256"]
    assert sign_v3(canonical, vector["secret"]) == vector["signature"]


@given(parameters=st.dictionaries(NAMES, TEXTS, max_size=8), secret=TEXTS, method=st.sampled_from(["GET", "POST"]))
def test_v1_agrees_with_the_official_sdk(parameters: dict[str, str], secret: str, method: str) -> None:
    expected = Utils.get_rpcsignature({**parameters}, method, secret)
    assert sign_v1(method, {**parameters, "Signature": "not signed"}, secret) == expected


@given(
    query=st.dictionaries(NAMES, TEXTS, max_size=6),
    extra=st.dictionaries(NAMES.map(lambda name: f"x-acs-{name.lower()}"), st.text("abcXYZ019+/= ,", max_size=20)),
    secret=TEXTS.filter(bool),
    body=st.binary(max_size=40),
)
def test_v3_agrees_with_the_official_sdk(
    query: dict[str, str], extra: dict[str, str], secret: str, body: bytes
) -> None:
    headers = {"host": "cn-hangzhou.fnf.aliyuncs.com", "content-type": "application/json", **extra}
    hashed = hashlib.sha256(body).hexdigest()
    request = SimpleNamespace(method="POST", pathname="/", query=query, headers=headers)
    canonical = canonical_request_v3(
        "POST", "/", canonical_query(query), headers, signed_headers=headers, hashed_payload=hashed
    )
    ours = authorization_v3("key-id", headers, sign_v3(canonical, secret))
    assert ours == Utils.get_authorization(request, V3_ALGORITHM, hashed, "key-id", secret)


@pytest.mark.parametrize(
    ("plain", "encoded"),
    [(" ", "%20"), ("*", "%2A"), ("~", "~"), ("+", "%2B"), ("/", "%2F"), ("=", "%3D"), ("中", "%E4%B8%AD")],
)
def test_every_character_is_encoded_as_rfc_3986_asks(plain: str, encoded: str) -> None:
    assert percent_encode(plain) == encoded


def test_an_empty_value_is_signed_with_its_equals_sign() -> None:
    assert canonical_query({"b": "", "a": "1"}) == "a=1&b="


def build(signature: str, credentials: Credentials, endpoint: str = "http://127.0.0.1:1", **form: str) -> SignedRequest:
    import time

    return build_request(
        "ReportTaskSucceeded",
        endpoint=endpoint,
        query={"TaskToken": "a+/=b"},
        form=form or {"Output": '{"k":"v *~ 中"}'},
        credentials=credentials,
        signature=signature,
        now=time.time(),
    )


def parameters_of(request: SignedRequest) -> dict[str, str]:
    parts = (urlsplit(request.path).query, request.body.decode())
    return dict(pair for part in parts for pair in parse_qsl(part, keep_blank_values=True))


@pytest.mark.parametrize("signature", ["v1", "v3"])
def test_every_request_has_a_nonce_of_its_own(signature: str) -> None:
    nonces = {
        parameters_of(one).get("SignatureNonce") or one.headers["x-acs-signature-nonce"]
        for one in (build(signature, make_credentials()) for _ in range(50))
    }
    assert len(nonces) == 50


@pytest.mark.parametrize("signature", ["v1", "v3"])
def test_a_key_without_a_security_token_sends_none(signature: str) -> None:
    request = build(signature, make_credentials())
    assert "SecurityToken" not in parameters_of(request)
    assert "x-acs-security-token" not in request.headers


@pytest.mark.parametrize("signature", ["v1", "v3"])
def test_a_request_shows_nothing_of_itself(signature: str) -> None:
    request = build(signature, make_credentials(security_token="secret-sts"))
    assert repr(request) == "SignedRequest()"


@pytest.mark.parametrize("signature", ["v1", "v3"])
@pytest.mark.parametrize("kind", ["key", "sts"])
@pytest.mark.parametrize("output", ['{"k":"v *~+ 中&=%"}', '{"empty":""}', "{}"])
def test_the_local_cloudflow_takes_the_request_as_it_is_built(
    tasks: WaitingTasks, signature: str, kind: str, output: str
) -> None:
    service, task = tasks.service, tasks.new()
    request = build_request_for(service, task.token, signature, kind, output)
    answer = requests.post(
        service.endpoint + request.path,
        data=request.body,
        headers={name: value for name, value in request.headers.items() if name != "host"},
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    assert task.output == json.loads(output)


def build_request_for(service: LocalCloudFlow, token: str, signature: str, kind: str, output: str) -> SignedRequest:
    import time

    return build_request(
        "ReportTaskSucceeded",
        endpoint=service.endpoint,
        query={"TaskToken": token},
        form={"Output": output},
        credentials=service.credentials if kind == "key" else service.session(),
        signature=signature,
        now=time.time(),
    )
