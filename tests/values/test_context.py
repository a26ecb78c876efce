"""What FC tells a function, in each runtime's shape."""

from __future__ import annotations

import copy
import logging
import logging.handlers
import pickle
import queue
import time
from types import SimpleNamespace
from typing import Any

import pytest

from fc_callback import Credentials, CredentialsNotFound, FcContext
from fc_callback.testing import make_credentials
from fc_callback.values.context import Deadline

SECRETS = ("the-key-secret", "the-sts-token")


def shape_310(**changed: Any) -> SimpleNamespace:
    """The built-in runtimes up to Python 3.10."""
    credentials = SimpleNamespace(
        access_key_id="STS.abcd", access_key_secret="the-key-secret", security_token="the-sts-token"
    )
    function = SimpleNamespace(name="f", handler="index.handler", memory=512, timeout=60)
    service = SimpleNamespace(name="s", log_project="", log_store="", qualifier="LATEST", version_id="3")
    given = {"request_id": "r-1", "credentials": credentials, "function": function, "service": service}
    return SimpleNamespace(**{**given, "region": "cn-hangzhou", "account_id": "1000000000000001", **changed})


def shape_312(**changed: Any) -> SimpleNamespace:
    """Python 3.12: neither credentials nor service."""
    function = SimpleNamespace(name="f", handler="index.handler", memory="512", timeout="60")
    return SimpleNamespace(**{"request_id": "r-1", "function": function, "region": "cn-hangzhou", **changed})


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "STS.env")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "env-secret")
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "env-token")


def test_the_context_up_to_python_310_is_read_whole() -> None:
    context = FcContext.read(shape_310())
    shown = {name: value for name, value in vars(context).items() if name not in {"raw", "deadline"}}
    assert shown == {
        "request_id": "r-1",
        "function_name": "f",
        "handler": "index.handler",
        "memory_mb": 512,
        "timeout_seconds": 60,
        "region": "cn-hangzhou",
        "account_id": "1000000000000001",
        "version_id": "3",
        "qualifier": "LATEST",
        "service_name": "s",
        "retry_count": 0,
        "credentials": Credentials(
            access_key_id="STS.abcd", access_key_secret="the-key-secret", security_token="the-sts-token"
        ),
        "cloudflow_endpoint": None,
    }


def test_python_312_has_its_credentials_in_the_environment(role: None) -> None:
    context = FcContext.read(shape_312())
    assert context.require_credentials().access_key_secret == "env-secret"
    assert context.require_credentials().security_token == "env-token"
    assert (context.memory_mb, context.timeout_seconds) == (512, 60)


def test_the_context_s_credentials_win_over_the_environment_s(role: None) -> None:
    assert FcContext.read(shape_310()).require_credentials().access_key_id == "STS.abcd"


def test_empty_strings_are_no_credentials() -> None:
    empty = SimpleNamespace(access_key_id="", access_key_secret="", security_token="")
    assert FcContext.read(shape_310(credentials=empty)).credentials is None


def test_empty_variables_are_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "")
    assert Credentials.from_environment() is None


def test_a_function_without_a_role_is_told_how_to_get_one() -> None:
    with pytest.raises(CredentialsNotFound, match=r"role: acs:ram.*fnf:ReportTaskSucceeded"):
        FcContext.read(shape_312()).require_credentials()


def test_a_security_token_that_is_empty_is_none() -> None:
    source = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "a",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "b",
        "ALIBABA_CLOUD_SECURITY_TOKEN": "",
    }
    found = Credentials.from_environment(source)
    assert found is not None
    assert found.security_token is None


def test_the_camel_case_request_id_is_read_as_well() -> None:
    assert FcContext.read(SimpleNamespace(requestId="r-9")).request_id == "r-9"


@pytest.mark.parametrize("raw", [None, object(), SimpleNamespace(function=None, credentials=None), {}, "text"])
def test_a_handler_can_be_called_by_hand_with_anything_for_a_context(raw: Any) -> None:
    context = FcContext.read(raw)
    assert (context.request_id, context.timeout_seconds, context.deadline) == ("", None, None)
    assert context.raw is raw


@pytest.mark.parametrize("timeout", ["", None, "soon", 0])
def test_a_timeout_that_is_no_number_sets_no_deadline(timeout: Any) -> None:
    assert FcContext.read(SimpleNamespace(function=SimpleNamespace(timeout=timeout))).deadline is None


def test_a_test_writes_only_what_it_needs() -> None:
    context = FcContext(credentials=make_credentials(access_key_id="LTAIabc"))
    assert context.require_credentials().access_key_id == "LTAIabc"


def test_a_typed_context_is_taken_as_it_is() -> None:
    context = FcContext(request_id="mine")
    assert FcContext.read(context) is context


def test_rotated_credentials_are_read_at_every_call(monkeypatch: pytest.MonkeyPatch, role: None) -> None:
    before = FcContext.read(shape_312()).require_credentials()
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "rotated")
    assert FcContext.read(shape_312()).require_credentials().access_key_secret == "rotated"
    assert before.access_key_secret == "env-secret"


def pickled_by_a_queue(record: logging.LogRecord) -> bytes:
    waiting: queue.Queue[logging.LogRecord] = queue.Queue()
    logging.handlers.QueueHandler(waiting).emit(record)
    return pickle.dumps(waiting.get_nowait())


def pickled_by_a_socket(record: logging.LogRecord) -> bytes:
    handler = logging.handlers.SocketHandler("127.0.0.1", 1)
    try:
        return handler.makePickle(record)
    finally:
        handler.close()


@pytest.mark.parametrize("serialise", [pickled_by_a_queue, pickled_by_a_socket, lambda one: pickle.dumps(one.__dict__)])
@pytest.mark.parametrize("what", ["context", "credentials", "both in a dict"])
def test_a_pickled_log_record_holds_no_secret(serialise: Any, what: str) -> None:
    context = FcContext.read(shape_310())
    value: Any = {"context": context, "credentials": context.credentials}.get(
        what, {"a": [context, context.credentials]}
    )
    record = logging.makeLogRecord({"msg": "got %s", "args": (value,), "extra_field": value})
    blob = serialise(record)
    assert not any(secret.encode() in blob for secret in SECRETS)


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        "{}".format,
        lambda one: "%s %r" % (one, one),  # noqa: UP031 - this form too
    ],
)
def test_no_text_form_shows_a_secret(show: Any) -> None:
    context = FcContext.read(shape_310())
    for value in (context, context.credentials):
        assert not any(secret in show(value) for secret in SECRETS)


def test_a_masked_key_can_still_be_told_from_another() -> None:
    assert repr(Credentials(access_key_id="LTAIabc", access_key_secret="x")) == "<Credentials key LTAI***>"
    assert repr(FcContext.read(shape_310()).credentials) == "<Credentials STS STS.***>"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_is_worth_as_much_as_the_original(duplicate: Any) -> None:
    context = FcContext.read(shape_310())
    assert duplicate(context) == context
    assert duplicate(context).require_credentials().access_key_secret == "the-key-secret"


def test_a_pickled_context_still_says_which_invocation_it_was() -> None:
    restored = pickle.loads(pickle.dumps(FcContext.read(shape_310())))
    assert (restored.request_id, restored.function_name, restored.credentials) == ("r-1", "f", None)


def test_the_deadline_is_the_entry_plus_the_timeout() -> None:
    context = FcContext.read(shape_310(), entered_at=1000.0)
    assert context.deadline == Deadline(at=1060.0)


def test_a_deadline_that_has_passed_is_negative() -> None:
    assert Deadline(at=time.monotonic() - 5).remaining_seconds() < 0
    assert Deadline.after(100).remaining_seconds() > 50


def test_contexts_are_compared_by_what_they_say_and_not_by_the_object_they_were_read_from() -> None:
    one, other = (FcContext.read(shape_310(), entered_at=1.0) for _ in range(2))
    assert one.raw is not other.raw
    assert {one, other} == {one}


@pytest.mark.parametrize("value", [make_credentials(), FcContext(), Deadline(at=0.0)])
def test_values_cannot_be_changed(value: Any) -> None:
    with pytest.raises(AttributeError, match="is immutable"):
        setattr(value, next(iter(vars(value))), "x")


@pytest.mark.parametrize(
    ("given", "missing"), [("access_key_id", "access_key_secret"), ("access_key_secret", "access_key_id")]
)
def test_half_a_key_is_refused_by_the_name_of_the_other_half(given: str, missing: str) -> None:
    with pytest.raises(TypeError, match=f"Credentials needs {missing}"):
        Credentials(**{given: "x"})


def test_no_credentials_are_made_up() -> None:
    with pytest.raises(TypeError, match="needs access_key_id, access_key_secret"):
        Credentials()  # type: ignore[call-arg]


def test_a_context_makes_nothing_up() -> None:
    assert set(vars(FcContext()).values()) == {"", None, 0}
    assert vars(FcContext()) == vars(FcContext.read(None))
