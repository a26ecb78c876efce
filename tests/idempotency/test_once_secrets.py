"""No record holds a task token in clear, and every replayed Output has the token of its own delivery."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from fc_callback.errors import SettingsError
from fc_callback.idempotency import Once, Work, once, undelivered
from fc_callback.idempotency.token_placeholders import holds_token, mask_token, restore_token
from fc_callback.sealing import TokenSeal
from fc_callback.values.token import TaskToken
from tests.spelled import SPELLINGS, opened

if TYPE_CHECKING:
    from collections.abc import Callable

SECRETS = ["djEjZmxvdyNydW4jMSMyMHNp/bXB+ZQ==", 'odd "quoted" \\ token\n of Zoë']
SECOND = TaskToken("djEjYW5vdGhlciNydW4jMiMyMG9m/b+==")


def enter(options: Once, token: TaskToken) -> Work:
    payload = {"order": 7, "taskToken": token.reveal(), "copy": [token.reveal()]}
    return options.enter(payload, scope="shop.handler", token=token)


def everything_in(url: str) -> bytes:
    if url.startswith("sqlite"):
        return b"".join(path.read_bytes() for path in Path(url[len("sqlite:///") :]).parent.glob("once.db*"))
    with redis.Redis.from_url(url) as client:
        return b"\n".join(bytes(name) + client.get(name) for name in client.keys("*"))


def forms(secret: str) -> list[bytes]:
    escaped, plain = json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]
    twice = json.dumps(escaped)[1:-1]
    return [form.encode() for form in (secret, escaped, plain, twice, quote(secret, safe=""), secret[:20])]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("sealed", [True, False])
def test_no_record_holds_a_token_in_clear(shared_url: str, secret: str, sealed: bool) -> None:
    token = TaskToken(secret)
    seal = TokenSeal(TokenSeal.generate_key()) if sealed else None
    options = once("order", store=shared_url, seal=seal)
    work = enter(options, token)
    seen = [everything_in(shared_url)]
    work.done(json.dumps({"token": secret, "link": f"https://x/?t={quote(secret, safe='')}", "text": f"<{secret}>"}))
    seen.append(everything_in(shared_url))
    enter(options, SECOND).reported()
    seen.append(everything_in(shared_url))
    work.reported()
    seen.append(everything_in(shared_url))
    failing = once("order", store=shared_url, seal=seal, name="failing")
    enter(failing, token).failed("Refused", f"{secret} was refused")
    seen.append(everything_in(shared_url))
    assert all(b"shop.handler" in content for content in seen)
    found = [form for form in forms(secret) + forms(SECOND.reveal()) for content in seen if form in content]
    assert found == []


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("as_key", [False, True])
def test_no_spelling_of_the_token_is_kept_and_each_comes_back_with_the_token_of_the_delivery(
    name: str, as_key: bool
) -> None:
    token, spell = TaskToken(SECRETS[0]), SPELLINGS[name]

    def output(secret: str) -> str:
        return json.dumps({spell(secret): "key"} if as_key else {"text": spell(secret), "again": [spell(secret)]})

    assert SECRETS[0] in opened(output(SECRETS[0]))
    options = once("order", store="memory:")
    work = enter(options, token)
    work.done(output(SECRETS[0]))
    kept = opened(work.record.encode())
    assert SECRETS[0] not in kept
    assert SECRETS[0][4:20] not in kept
    for delivery in (token, SECOND):
        stored = enter(options, delivery).stored
        assert stored is not None
        assert stored.output == output(delivery.reveal())


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_failure_keeps_no_spelling_of_the_token_either(name: str) -> None:
    options = once("order", store="memory:")
    work = enter(options, TaskToken(SECRETS[0]))
    work.failed("Refused", f"refused {SPELLINGS[name](SECRETS[0])}")
    assert SECRETS[0][4:20] not in opened(work.record.encode())


def test_a_spelling_that_cannot_be_written_again_is_not_kept_all_the_same() -> None:
    odd = TaskToken(SECRETS[1])
    options = once("order", store="memory:")
    work = enter(options, odd)
    mixed = "".join(f"\\u{ord(sign):04x}" if number % 3 else sign for number, sign in enumerate("abc defgh+ij/kl=="))
    work.done(json.dumps({"repr": repr(SECRETS[1]), "mixed": mixed}))
    assert "quoted" not in work.record.encode()
    token = TaskToken("abc defgh+ij/kl==")
    work = enter(once("order", store="memory:", name="mixed"), token)
    work.done(f'{{"mixed": "{mixed}"}}')
    assert work.record.output is not None
    assert "\\u0062" not in work.record.output
    assert "u0062" not in opened(work.record.output)


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_retry_of_the_flow_s_is_the_same_work_however_its_payload_spells_the_token(name: str) -> None:
    options = once("order", store="memory:")
    for token in (TaskToken(SECRETS[0]), SECOND, TaskToken(SECRETS[0] + "longer")):
        spelled = SPELLINGS[name](token.reveal())
        payload = {"order": 7, "taskToken": token.reveal(), "copy": spelled, "in": {spelled: 1}}
        work = options.enter(payload, scope="shop.handler", token=token)
        if work.stored is None:
            work.done("{}")
    assert len(work.record.receivers) == 3


@given(
    value=st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
    secret=st.text(min_size=8),
    spelled=st.lists(st.sampled_from(["json", "url", "base64"]), max_size=4),
)
def test_any_nesting_of_spellings_is_hidden_and_shown_again(value: Any, secret: str, spelled: list[str]) -> None:
    ways: dict[str, Callable[[str], str]] = {
        "json": lambda text: json.dumps({"a": value, "t": text}),
        "url": lambda text: quote(text, safe="", errors="surrogatepass"),
        "base64": lambda text: base64.b64encode(text.encode("utf-8", "surrogatepass")).decode(),
    }
    text = json.dumps([secret])
    for way in spelled:
        text = ways[way](text)
    token, mark = TaskToken(secret), "0123456789abcdef"
    hidden = mask_token(text, token, mark=mark)
    assert not holds_token(hidden, token)
    assert restore_token(hidden, token, mark=mark) == text


@pytest.mark.parametrize("ensure_ascii", [True, False])
@pytest.mark.parametrize("secret", SECRETS)
def test_an_output_that_repeats_its_token_comes_back_with_the_token_of_the_delivery(
    secret: str, ensure_ascii: bool
) -> None:
    options = once("order", store="memory:")

    def output(token: str) -> str:
        echoed = {"t": token, "link": f"https://x/?t={quote(token, safe='')}", "in": f"<{token}>"}
        return json.dumps(echoed, ensure_ascii=ensure_ascii)

    enter(options, TaskToken(secret)).done(output(secret))
    for token in (TaskToken(secret), SECOND):
        stored = enter(options, token).stored
        assert stored is not None
        assert json.loads(str(stored.output)) == json.loads(output(token.reveal()))


def test_a_failure_that_repeats_its_token_comes_back_with_the_token_of_the_delivery() -> None:
    options = once("order", store="memory:")
    enter(options, TaskToken(SECRETS[1])).failed("Refused", f"<{SECRETS[1]}>")
    stored = enter(options, SECOND).stored
    assert stored is not None
    assert stored.failure == ("Refused", f"<{SECOND.reveal()}>")


def test_a_token_in_the_event_of_a_plain_handler_is_hidden_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/once.db"
    payload = {"order": 7, "task_token": SECRETS[0]}
    once("order", store=url).enter(payload, scope="plain").done(json.dumps(payload))
    assert SECRETS[0].encode() not in everything_in(url)


def test_nothing_of_a_record_shows_what_a_person_sent_or_got() -> None:
    seal = TokenSeal(TokenSeal.generate_key())
    options = once("order", store="memory:", seal=seal)
    work = enter(options, SECOND)
    work.done('{"card":"4111"}')
    again = enter(options, SECOND)
    shown = f"{work} {work.record} {again.stored} {list(undelivered(options.store, seal))} {options}"
    assert "4111" not in shown
    assert SECOND.reveal() not in shown


def test_a_seal_without_a_key_is_an_error_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUDFLOW_SEAL_KEY", raising=False)
    options = once("order", store="memory:", seal=TokenSeal())
    with pytest.raises(SettingsError, match="CLOUDFLOW_SEAL_KEY"):
        enter(options, SECOND)
    assert list(options.store.pending()) == []


@given(
    value=st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)), secret=st.text()
)
def test_what_is_hidden_is_shown_again_to_the_letter(value: object, secret: str) -> None:
    text = json.dumps([value, secret, f"a{secret}b"])
    assert (
        restore_token(
            mask_token(text, TaskToken(secret), mark="0123456789abcdef"), TaskToken(secret), mark="0123456789abcdef"
        )
        == text
    )
