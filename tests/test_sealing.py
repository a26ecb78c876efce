"""Task tokens put away and taken out again."""

from __future__ import annotations

import copy
import pickle
import re
import time

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from fc_callback.errors import SealError, SealExpired, SealInvalid, SettingsError
from fc_callback.sealing import TokenSeal
from fc_callback.values.token import TaskToken

TOKEN = TaskToken("djEjZmxvdyNydW4jMSMyMHNp/bXB+ZQ==")
KEY, OTHER = TokenSeal.generate_key(), TokenSeal.generate_key()
PURPOSE = b"fc_callback task token\0"


def sealed_ago(seconds: float, content: bytes = PURPOSE + b"token") -> str:
    return Fernet(KEY).encrypt_at_time(content, int(time.time() - seconds)).decode().rstrip("=")


@given(secret=st.text(st.characters(), max_size=500))
def test_every_token_comes_back_as_it_was(secret: str) -> None:
    assert TokenSeal(KEY).open(TokenSeal(KEY).seal(TaskToken(secret))) == TaskToken(secret)


def test_the_text_goes_into_a_url_as_it_is_and_shows_nothing() -> None:
    text = TokenSeal(KEY).seal(TOKEN)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert TOKEN.reveal() not in text
    assert text != TokenSeal(KEY).seal(TOKEN)


def test_a_key_of_bytes_and_one_from_the_environment_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLOW_SEAL_KEY", f" {KEY} ")
    assert TokenSeal(KEY.encode()).open(TokenSeal().seal(TOKEN)) == TOKEN


def test_keys_rotate(monkeypatch: pytest.MonkeyPatch) -> None:
    old = TokenSeal(OTHER).seal(TOKEN)
    for seal in (TokenSeal([KEY, OTHER]), TokenSeal(f"{KEY},{OTHER}")):
        assert seal.open(old) == TOKEN
        assert TokenSeal(KEY).open(seal.seal(TOKEN)) == TOKEN
    monkeypatch.setenv("CLOUDFLOW_SEAL_KEY", f"{KEY}, {OTHER}")
    assert TokenSeal().open(old) == TOKEN


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("x", id="one-letter"),
        pytest.param("not sealed", id="words"),
        pytest.param("Zoë", id="not-ascii"),
        pytest.param("\ud800", id="lone-surrogate"),
        pytest.param("gAAAAA", id="beginning"),
        pytest.param(TokenSeal(OTHER).seal(TOKEN), id="another-key"),
        pytest.param(TokenSeal(KEY).seal(TOKEN)[:-6], id="cut"),
        pytest.param(TokenSeal(KEY).seal(TOKEN)[:40] + "A" + TokenSeal(KEY).seal(TOKEN)[41:], id="changed"),
        pytest.param(sealed_ago(0, content=b"encrypted for another purpose"), id="another-purpose"),
        pytest.param(TOKEN.reveal(), id="the-token"),
    ],
)
def test_whatever_is_wrong_with_a_text_the_answer_is_the_same(text: str) -> None:
    with pytest.raises(SealInvalid) as caught:
        TokenSeal(KEY).open(text, max_age_seconds=60)
    assert caught.value.args == ("This text is no sealed task token, or another key sealed it.",)
    assert caught.value.__cause__ is None


def test_a_text_that_is_too_old_has_expired() -> None:
    assert TokenSeal(KEY).open(sealed_ago(100), max_age_seconds=200.5).reveal() == "token"
    with pytest.raises(SealExpired, match="expired"):
        TokenSeal(KEY).open(sealed_ago(100), max_age_seconds=50)


def test_age_does_not_matter_where_none_is_asked_for() -> None:
    assert TokenSeal(KEY).open(sealed_ago(10 * 365 * 86400)).reveal() == "token"


def test_an_old_text_of_another_key_does_not_tell_its_age() -> None:
    with pytest.raises(SealInvalid):
        TokenSeal(OTHER).open(sealed_ago(100), max_age_seconds=50)


def test_both_answers_are_of_one_kind() -> None:
    assert {SealInvalid.__mro__[1], SealExpired.__mro__[1]} == {SealError}


@pytest.mark.parametrize(
    "key",
    ["", "short", KEY[:-4], [], [KEY, "short"], ",", "Zoë", b"\xff" * 44],
    ids=["empty", "short", "cut", "no-keys", "one-of-two", "comma", "not-ascii", "not-base64"],
)
def test_a_key_that_is_none_is_refused_without_being_shown(key: object) -> None:
    with pytest.raises(SettingsError, match="generate_key") as caught:
        TokenSeal(key)  # type: ignore[arg-type]  # wrong on purpose
    assert "short" not in str(caught.value)


def test_no_key_at_all_is_an_error_that_says_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUDFLOW_SEAL_KEY", raising=False)
    with pytest.raises(SettingsError, match="set it as CLOUDFLOW_SEAL_KEY"):
        TokenSeal().seal(TOKEN)


def test_the_key_shows_in_no_text_form() -> None:
    seal = TokenSeal(KEY)
    shown = f"{seal} {seal!r} {copy.deepcopy(seal)} {pickle.loads(pickle.dumps(seal))}"
    assert KEY not in shown
    assert copy.copy(seal).open(seal.seal(TOKEN)) == TOKEN


def test_every_generated_key_is_another() -> None:
    assert len({TokenSeal.generate_key() for _ in range(10)}) == 10
