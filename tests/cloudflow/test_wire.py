"""What leaves with a request, where it stands in it, who else could see it, and what writing it costs."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, unquote, urlencode, urlsplit

import pytest
import requests
from urllib3.connectionpool import HTTPConnectionPool

from fc_callback import CredentialsNotFound, FcCallbackError, SettingsError, TaskToken
from fc_callback.cloudflow.signature import canonical_query, percent_encode, sign_v1
from fc_callback.transport import SignedRequest
from fc_callback.values.context import Credentials, Deadline
from tests.cloudflow.quick import KEY, TOKEN, client_of
from tests.cloudflow.scripted import Reply, ScriptedService, error
from tests.cloudflow.test_signatures import build_request_for
from tests.waiting import WaitingTasks

TESTS = Path(__file__).parents[1]
HELD = [TOKEN, KEY.access_key_id, KEY.access_key_secret, str(KEY.security_token)]


def spellings(secret: str) -> set[str]:
    return {secret, quote(secret, safe=""), quote_plus(secret), b64encode(secret.encode()).decode().rstrip("=")}


def found(secrets: list[str], text: str) -> list[str]:
    return [secret for secret in secrets for spelled in spellings(secret) if spelled in text]


# URLs


@pytest.fixture
def urls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every URL that urllib3 is asked for, as tracers see it: OpenTelemetry and Sentry wrap this very method."""
    seen: list[str] = []
    real = HTTPConnectionPool.urlopen

    def urlopen(self: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        seen.append(str.__str__(url))
        return real(self, method, url, *args, **options)

    monkeypatch.setattr(HTTPConnectionPool, "urlopen", urlopen)
    return seen


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_with_v1_no_url_holds_anything(urls: list[str], outcome: str) -> None:
    with ScriptedService("close", error("InternalServerError", 500), Reply()) as service:
        if outcome == "succeeded":
            client_of(service.endpoint).report_task_succeeded(TOKEN, {"n": 1})
        else:
            client_of(service.endpoint).report_task_failed(TOKEN, "E", "c")
        assert {one.path for one in service.requests} == {"/"}
    assert urls == ["/"] * 3


def test_with_v3_a_url_holds_the_token_alone(urls: list[str]) -> None:
    with ScriptedService() as service:
        client_of(service.endpoint, signature="v3").report_task_succeeded(TOKEN, {"n": 1})
        (request,) = service.requests
    assert urls == [request.path]
    assert parse_qs(urlsplit(request.path).query) == {"TaskToken": [TOKEN]}
    assert found(HELD[1:], "".join(urls)) == []


@pytest.mark.parametrize("signature", ["v1", "v3"])
def test_another_operation_s_url_holds_no_key_and_no_signature(urls: list[str], signature: str) -> None:
    with ScriptedService() as service:
        client_of(service.endpoint, signature=signature).call("DescribeFlow", query={"Name": "f"})
        sent = service.requests[0]
    assert sent.parameters["Name"] == "f"
    assert found(HELD, "".join(urls)) == []
    assert "Signature" not in "".join(urls)


@pytest.mark.parametrize("place", ["query", "form", "both"])
def test_the_local_cloudflow_takes_v1_s_parameters_in_either_place(tasks: WaitingTasks, place: str) -> None:
    task = tasks.new()
    request = build_request_for(tasks.service, task.token, "v1", "sts", '{"n":1}')
    parameters = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    query = {
        "query": parameters,
        "form": {},
        "both": {name: value for name, value in parameters.items() if name != "Output"},
    }[place]
    form = {name: value for name, value in parameters.items() if name not in query}
    answer = requests.post(
        f"{tasks.service.endpoint}/?{urlencode(query)}", data=urlencode(form), headers=request.headers, timeout=10
    )
    assert answer.status_code == 200, answer.text
    assert task.output == {"n": 1}


# Frames: tools that record an error record the local variables of its traceback


def shown(value: object, depth: int = 0) -> str:
    """A local variable as such a tool writes it: containers are gone through, anything else is its repr."""
    if isinstance(value, Mapping) and depth < 5:
        return " ".join(f"{shown(key, depth + 1)}: {shown(item, depth + 1)}" for key, item in value.items())
    if isinstance(value, (list, tuple, set, frozenset)) and depth < 5:
        return " ".join(shown(item, depth + 1) for item in value)
    return repr(value)


def frames_of(problem: BaseException) -> Iterator[str]:
    """What the frames of an exception, and of all that is chained to it, show of the code that is not a test's."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [problem]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        trace = one.__traceback__
        while trace is not None:
            if TESTS not in Path(trace.tb_frame.f_code.co_filename).parents:
                yield f"{trace.tb_frame.f_code.co_name} {shown(trace.tb_frame.f_locals)}"
            trace = trace.tb_next


ENDINGS: dict[str, Any] = {
    "undelivered": ["close"],
    "refused": [error("AccessDenied", 403, f"Task {TOKEN} is not yours", **{"x-acs-request-id": TOKEN})],
    "page": [Reply(f"<p>{TOKEN}</p>".encode(), status=404)],
    "completed": [error("TaskAlreadyCompleted", 400, f"Task {TOKEN} has already completed.")],
}


@pytest.mark.parametrize("signature", ["v1", "v3"])
@pytest.mark.parametrize("ending", list(ENDINGS))
@pytest.mark.parametrize("outcome", ["succeeded", "repeated", "failed"])
def test_no_frame_of_a_report_s_error_holds_a_secret(ending: str, signature: str, outcome: str) -> None:
    with ScriptedService(*ENDINGS[ending]) as service, pytest.raises(FcCallbackError) as caught:
        client = client_of(service.endpoint, signature=signature, already_completed="raise")
        if outcome == "succeeded":
            client.report_task_succeeded(TOKEN, {"n": 1}, deadline=Deadline.after(1.1))
        elif outcome == "repeated":  # the Output is what came in
            client.report_task_succeeded(TOKEN, f'{{"taskToken": "{TOKEN}"}}', deadline=Deadline.after(1.1))
        else:
            client.report_task_failed(TOKEN, "E", "c", deadline=Deadline.after(1.1))
    frames = list(frames_of(caught.value))
    assert len(frames) > 1
    assert found(HELD, "\n".join(frames)) == []


def test_no_frame_holds_a_secret_where_nothing_was_sent() -> None:
    with pytest.raises(CredentialsNotFound) as unsigned:
        client_of("http://127.0.0.1:1", credentials=lambda: None).report_task_succeeded(TOKEN, {})
    with pytest.raises(ValueError, match="characters") as too_long:
        client_of("http://127.0.0.1:1").report_task_failed(TOKEN, "E" * 200)
    with pytest.raises(SettingsError) as unreadable, pytest.MonkeyPatch.context() as patched:
        patched.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
        client_of("https://127.0.0.1:2").report_task_succeeded(TOKEN, {})
    with pytest.raises(SettingsError) as no_proxy, pytest.MonkeyPatch.context() as patched:
        patched.setenv("HTTPS_PROXY", f"socks5://user:{KEY.access_key_secret}@127.0.0.1:1")
        client_of("https://fnf.example:3").report_task_succeeded(TOKEN, {})
    frames = [frame for caught in (unsigned, too_long, unreadable, no_proxy) for frame in frames_of(caught.value)]
    assert len(frames) > 3
    assert found(HELD, "\n".join(frames)) == []


@pytest.mark.parametrize("name", ["TaskToken", "CallbackFnFTaskToken"])
@pytest.mark.parametrize("place", ["query", "form"])
def test_no_frame_of_a_single_call_holds_its_token(name: str, place: str) -> None:
    short = "a-token-of-a-task"  # not of the form that is masked wherever it stands
    parameters: Any = {place: {name: short}}
    with ScriptedService(error("AccessDenied", 403, f"Task {short} is not yours")) as service:
        with pytest.raises(FcCallbackError) as caught:
            client_of(service.endpoint).call("StartExecution", **parameters)
        assert service.requests[0].parameters[name] == short
    del parameters
    assert short not in "\n".join(frames_of(caught.value)) + str(caught.value)


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("signature", ["v1", "v3"])
def test_no_frame_holds_a_secret_where_a_report_is_interrupted_on_the_wire(signature: str) -> None:
    def interrupt(_number: int, _frame: object) -> None:
        raise Interrupted

    class Interrupting(Reply):
        def content(self) -> bytes:
            os.kill(os.getpid(), signal.SIGUSR1)
            threading.Event().wait(0.5)
            return super().content()

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with ScriptedService(Interrupting()) as service, pytest.raises(Interrupted) as caught:
            client_of(service.endpoint, signature=signature).report_task_succeeded(TOKEN, {"taskToken": TOKEN})
    finally:
        signal.signal(signal.SIGUSR1, before)
    frames = "\n".join(frames_of(caught.value))
    assert "urlopen" in frames
    assert found(HELD if signature == "v1" else HELD[1:], frames) == []


def test_a_request_shows_none_of_its_parts(tasks: WaitingTasks) -> None:
    request = build_request_for(tasks.service, TOKEN, "v3", "sts", "{}")
    assert isinstance(request, SignedRequest)
    text = f"{request.path!r} {request.path!s} {request.path} {request.body!r} {request.headers}"
    assert found([TOKEN, str(tasks.service.session().security_token)], text) == []
    assert "Signature=" not in text


# Writing a request


def test_a_token_of_any_characters_arrives_as_it_is() -> None:
    token = "".join(map(chr, range(1, 300)))
    for signature in ("v1", "v3"):
        with ScriptedService() as service:
            client_of(service.endpoint, signature=signature).report_task_succeeded(TaskToken(token), {"t": token})
            (sent,) = service.requests
        assert sent.parameters["TaskToken"] == token
        assert json.loads(sent.parameters["Output"]) == {"t": token}


def test_a_lone_surrogate_makes_no_report_fail_before_it_is_sent() -> None:
    with ScriptedService() as service:
        client_of(service.endpoint).report_task_failed("to\ud800ken", "E", "no \udcff file")
        (sent,) = service.requests
    assert (sent.parameters["TaskToken"], sent.parameters["Cause"]) == ("to?ken", "no ? file")


def test_the_form_is_the_text_that_was_signed() -> None:
    with ScriptedService() as service:
        client_of(service.endpoint).report_task_succeeded(TOKEN, {"k": "v *~+ 中&=%"})
        (sent,) = service.requests
    signed, _, signature = sent.body.decode().rpartition("&Signature=")
    parameters = {name: value for name, value in sent.parameters.items() if name != "Signature"}
    assert signed == canonical_query(parameters)
    assert unquote(signature) == sign_v1("POST", parameters, KEY.access_key_secret)


@pytest.mark.parametrize("text", ["", "~", "%", "%25", "a b", "中文", "=&+/", "\x00\xff", "😀", "%%%=&=&"])
def test_text_is_encoded_as_the_standard_library_encodes_it(text: str) -> None:
    assert percent_encode(text) == quote(text, safe="~")


@pytest.mark.parametrize("text", ["=&", "%3D%26", "\xfe\xff", "þ=ÿ&\ufffe\uffff", "\ud8fe\udfff", "a=b&Signature=c"])
def test_no_text_passes_for_the_signs_between_parameters(text: str) -> None:
    parameters = {"B": text, "A": "1", text: "its value"}
    encoded = partial(quote, safe="~", errors="replace")
    expected = "&".join(f"{encoded(name)}={encoded(parameters[name])}" for name in sorted(parameters))
    assert canonical_query(parameters) == expected


def calls_of(action: Callable[[], object]) -> list[tuple[str, Any]]:
    """The functions, of Python and of C, that an action calls, with the text that `_escape` percent-encodes."""
    calls: list[tuple[str, Any]] = []

    def note(frame: FrameType, event: str, function: Any) -> None:
        if event == "call":
            calls.append((frame.f_code.co_name, frame.f_locals.get("data")))
        elif event == "c_call":
            calls.append((function.__name__, None))

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("signature", ["v1", "v3"])
def test_a_large_output_is_never_gone_through_byte_by_byte(signature: str) -> None:
    """One pass of `urllib.parse.quote` is a call for each byte: 65,536 of them."""
    outputs = [json.dumps({"items": ["a text, 中 & more"] * count}, ensure_ascii=False) for count in (1, 2800)]
    assert len(outputs[1].encode()) > 60_000
    with ScriptedService() as service:
        client = client_of(service.endpoint, signature=signature)
        client.report_task_succeeded(TOKEN, "{}")
        small, large = (len(calls_of(lambda text=text: client.report_task_succeeded(TOKEN, text))) for text in outputs)  # type: ignore[misc]  # bound at once
    assert large - small < 200


@pytest.mark.parametrize("signature", ["v1", "v3"])
def test_each_parameter_is_percent_encoded_once(signature: str) -> None:
    with ScriptedService() as service:
        client = client_of(service.endpoint, signature=signature)
        calls = calls_of(lambda: client.report_task_failed(TOKEN, "Named", "the cause"))
    encoded = b" ".join(data for name, data in calls if name == "_escape")
    assert [encoded.count(value.encode()) for value in (TOKEN, "Named", "the cause")] == [1, 1, 1]
    assert "quote" not in dict(calls)


def test_a_key_of_no_role_is_signed_with_all_the_same() -> None:
    key = Credentials(access_key_id="LTAI-a-key", access_key_secret="a secret")
    with ScriptedService() as service:
        client_of(service.endpoint, credentials=key).report_task_succeeded(TOKEN, {})
        (sent,) = service.requests
    assert "SecurityToken" not in sent.parameters
    assert sent.parameters["AccessKeyId"] == "LTAI-a-key"
