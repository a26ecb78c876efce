"""The task token: masked wherever it turns up, and what can be read in it."""

from __future__ import annotations

import base64
import copy
import json
import logging
import pickle
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fc_callback import TaskToken
from tests.cloudflow.quick import TOKEN


def formatted(token: TaskToken) -> str:
    return logging.makeLogRecord({"msg": "%s", "args": (token,)}).getMessage()


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        format,
        "{0!r} {0!s} {0:>80} {0:^10}".format,
        lambda one: f"{one:>100}",
        lambda one: "%s %r" % (one, one),  # noqa: UP031 - this form too
        lambda one: str([one, {"a": one}, (one,)]),
        formatted,
        lambda one: pickle.dumps(one).decode("latin-1"),
        lambda one: str(Exception("failed for", one)),
    ],
)
def test_no_text_form_shows_it(show: Any) -> None:
    shown = show(TaskToken(TOKEN))
    assert TOKEN not in shown
    assert TOKEN[10:40] not in shown


def test_an_f_string_with_a_width_pads_the_masked_form() -> None:
    token = TaskToken(TOKEN)
    assert f"{token:>60}" == repr(token).rjust(60)


def test_json_refuses_it_without_showing_it() -> None:
    with pytest.raises(TypeError) as caught:
        json.dumps({"token": TaskToken(TOKEN)})
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_a_token_of_another_type_is_refused_without_being_shown() -> None:
    with pytest.raises(TypeError):
        TaskToken(7)  # type: ignore[arg-type]  # wrong on purpose


def test_flow_execution_and_event_are_read_where_the_token_shows_them() -> None:
    token = TaskToken(TOKEN)
    assert (token.flow, token.execution, token.event_id) == ("demo-flow", "run-1", 5)
    assert repr(token) == f"<TaskToken demo-flow/run-1/5 {token.fingerprint}>"


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "opaque",
        "not base64 at all!",
        "\ud800",
        base64.b64encode(b"v1#a#b#5").decode(),
        base64.b64encode(b"v2#a#b#5#x").decode(),
        base64.b64encode(b"v1#a#b#five#x").decode(),
        base64.b64encode("v1#a#b#٥#x".encode()).decode(),
        base64.b64encode(b"v1#a\nERROR forged line#b#5#x").decode(),
        base64.b64encode(b"v1#" + b"a" * 5000 + b"#b#5#x").decode(),
        base64.b64encode(b"v1#a#b#" + b"5" * 5000 + b"#x").decode(),
        base64.b64encode(b"v1###5#x").decode(),
        base64.b64encode(b"\xff\xfe").decode(),
    ],
)
def test_a_token_of_another_layout_is_as_good(secret: str) -> None:
    token = TaskToken(secret)
    assert (token.flow, token.execution, token.event_id) == (None, None, None)
    assert repr(token) == f"<TaskToken {token.fingerprint}>"
    assert token.reveal() == secret


@given(st.text(min_size=4))
def test_any_text_makes_a_token_whose_repr_is_one_short_line(secret: str) -> None:
    shown = repr(TaskToken(secret))
    assert shown.isprintable()
    assert len(shown) < 600


def test_the_same_token_is_equal_and_has_one_fingerprint() -> None:
    assert TaskToken(TOKEN) == TaskToken(TOKEN)
    assert hash(TaskToken(TOKEN)) == hash(TaskToken(TOKEN))
    assert TaskToken(TOKEN).fingerprint == TaskToken(TOKEN).fingerprint
    assert TaskToken(TOKEN) != TaskToken("other")
    text: object = TOKEN
    assert TaskToken(TOKEN) != text


def test_the_fingerprint_is_twelve_hex_digits_of_its_sha256() -> None:
    import hashlib

    assert TaskToken("a").fingerprint == hashlib.sha256(b"a").hexdigest()[:12]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_can_still_report(duplicate: Any) -> None:
    assert duplicate(TaskToken(TOKEN)).reveal() == TOKEN
