"""Where reports go: regions, networks, overrides, and what is refused."""

from __future__ import annotations

import pytest

from fc_callback import CloudFlowClient, SettingsError
from fc_callback.cloudflow.endpoints import REGIONS, checked_endpoint, endpoint_of

DOCUMENTED = ("cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-qingdao", "cn-shenzhen", "ap-southeast-1", "us-west-1")


def test_the_documented_regions_are_known() -> None:
    assert REGIONS == DOCUMENTED


@pytest.mark.parametrize("region", DOCUMENTED)
@pytest.mark.parametrize(("network", "suffix"), [("public", ""), ("internal", "-internal")])
def test_each_region_has_its_documented_host(region: str, network: str, suffix: str) -> None:
    assert endpoint_of(region, network=network) == f"https://{region}{suffix}.fnf.aliyuncs.com"


def test_a_region_nobody_knew_follows_the_rule() -> None:
    assert endpoint_of("cn-heyuan-acdr-1") == "https://cn-heyuan-acdr-1.fnf.aliyuncs.com"


@pytest.mark.parametrize(
    "region",
    ["", "cn-hangzhou\n", "\ncn-hangzhou", "cn-hangzhou/", "evil.com/", "evil.com#", "CN-HANGZHOU", "cn hangzhou", "cn"]
    + ["cn-hangzhou.evil.com", "cn-hangzhou@evil.com", "-cn", "cn-", "cn_hangzhou", "中-国"],
)  # fmt: skip
def test_what_is_no_region_never_becomes_a_host(region: str) -> None:
    with pytest.raises(SettingsError, match="is no region"):
        endpoint_of(region)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("cn-hangzhou.fnf.aliyuncs.com", "https://cn-hangzhou.fnf.aliyuncs.com"),
        ("https://host", "https://host"),
        ("https://host/", "https://host"),
        ("host:8443", "https://host:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_endpoint_is_a_host_or_a_url(given: str, url: str) -> None:
    assert checked_endpoint(given) == url


@pytest.mark.parametrize(
    "given",
    ["https://", "ftp://host", "https://host/path", "https://host?a=b", "https://host#part", "https://me@host"]
    + ["https://:pw@host", "https://a b", "https://host:99999", "https://ho\nst", "https://host\r\nX: y", "://", "a_b\t"],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused(given: str) -> None:
    with pytest.raises(SettingsError, match="CLOUDFLOW_ENDPOINT"):
        checked_endpoint(given)


@pytest.mark.parametrize(
    "given", ["http://cn-hangzhou.fnf.aliyuncs.com", "http://10.0.0.1", "http://127.0.0.1.evil.com", "http://0.0.0.0"]
)
def test_plain_http_goes_to_this_machine_alone(given: str) -> None:
    with pytest.raises(SettingsError, match="unencrypted"):
        checked_endpoint(given)


def test_the_variable_sets_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLOW_ENDPOINT", "http://127.0.0.1:9")
    assert CloudFlowClient(region="cn-beijing").endpoint == "http://127.0.0.1:9"


def test_a_bad_variable_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLOW_ENDPOINT", "http://example.com")
    with pytest.raises(SettingsError):
        CloudFlowClient()


def test_the_argument_wins_over_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLOW_ENDPOINT", "http://127.0.0.1:9")
    assert CloudFlowClient(endpoint="http://127.0.0.1:10").endpoint == "http://127.0.0.1:10"


def test_the_variables_name_region_and_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLOW_REGION", "us-west-1")
    monkeypatch.setenv("CLOUDFLOW_NETWORK", "internal")
    assert CloudFlowClient().endpoint == "https://us-west-1-internal.fnf.aliyuncs.com"


def test_region_and_network_as_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLOW_REGION", "us-west-1")
    monkeypatch.setenv("CLOUDFLOW_NETWORK", "internal")
    client = CloudFlowClient(region="cn-qingdao", network="public")
    assert client.endpoint == "https://cn-qingdao.fnf.aliyuncs.com"


def test_on_fc_the_region_is_the_function_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FC_REGION", "cn-shenzhen")
    assert CloudFlowClient().endpoint == "https://cn-shenzhen.fnf.aliyuncs.com"


def test_no_region_at_all_says_what_to_set() -> None:
    with pytest.raises(SettingsError, match=r"set CLOUDFLOW_REGION or CLOUDFLOW_ENDPOINT"):
        CloudFlowClient()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLOUDFLOW_NETWORK", "vpc"),
        ("CLOUDFLOW_SIGNATURE", "v2"),
        ("CLOUDFLOW_CONNECT_TIMEOUT", "0"),
        ("CLOUDFLOW_CONNECT_TIMEOUT", "soon"),
        ("CLOUDFLOW_READ_TIMEOUT", "-1"),
        ("CLOUDFLOW_READ_TIMEOUT", "inf"),
        ("CLOUDFLOW_READ_TIMEOUT", "nan"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        CloudFlowClient(region="cn-hangzhou")


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CLOUDFLOW_ENDPOINT",
        "CLOUDFLOW_REGION",
        "CLOUDFLOW_NETWORK",
        "CLOUDFLOW_SIGNATURE",
        "CLOUDFLOW_READ_TIMEOUT",
    ):
        monkeypatch.setenv(name, "")
    assert CloudFlowClient(region="cn-hangzhou").signature == "v1"


def test_the_variable_chooses_the_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLOW_SIGNATURE", "v3")
    assert CloudFlowClient(region="cn-hangzhou").signature == "v3"
    assert CloudFlowClient(region="cn-hangzhou", signature="v1").signature == "v1"
