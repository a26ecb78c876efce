"""The one table of settings, and its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from fc_callback import CloudFlowClient, Credentials, SettingsError, settings
from fc_callback.settings import CLIENT_VARIABLES, VARIABLES

ROOT = Path(__file__).parent.parent


def test_the_page_of_settings_holds_every_variable_as_the_code_has_it() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `CLOUDFLOW_")]
    assert rows == [f"| `{one.name}` | {one.meaning} | {one.default} |" for one in VARIABLES]


def test_no_variable_has_a_name_that_fc_deletes() -> None:
    assert [one.name for one in VARIABLES if not one.name.startswith("CLOUDFLOW_")] == []


def test_a_client_reads_only_variables_that_make_a_function_create_a_new_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in CLIENT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    read: set[str] = set()

    class Environment(dict[str, str]):
        def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
            read.add(name)
            return super().get(name, default)

        def __getitem__(self, name: str) -> str:
            read.add(name)
            return super().__getitem__(name)

    monkeypatch.setattr("os.environ", Environment(FC_REGION="cn-hangzhou"))

    CloudFlowClient(credentials=Credentials(access_key_id="id", access_key_secret="secret"))

    assert read | {"CLOUDFLOW_OUTPUT_LIMIT"} == set(CLIENT_VARIABLES)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CLOUDFLOW_SIGNATURE", "v4", "The variable CLOUDFLOW_SIGNATURE is 'v4'. Use one of 'v1', 'v3'."),
        ("CLOUDFLOW_READ_TIMEOUT", "ten", "The variable CLOUDFLOW_READ_TIMEOUT is 'ten'. Give a number above zero."),
        ("CLOUDFLOW_CONNECT_TIMEOUT", "0", "The variable CLOUDFLOW_CONNECT_TIMEOUT is '0'. Give a number above zero."),
    ],
)
def test_an_invalid_variable_is_named_with_its_value_and_what_to_give(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        CloudFlowClient(region="cn-hangzhou")

    assert str(caught.value) == told


def test_an_invalid_argument_is_not_blamed_on_the_variable() -> None:
    with pytest.raises(SettingsError) as caught:
        settings.choice("CLOUDFLOW_NETWORK", "private", of=("public", "internal"))

    assert str(caught.value).startswith("The argument that replaces CLOUDFLOW_NETWORK is 'private'.")
