"""Secrets do not get through."""

from __future__ import annotations

import base64
import dataclasses
import enum
import io
import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from fc_callback import FcCallbackError, task_callback
from fc_callback.callback.outcome import failure_of
from fc_callback.errors import SettingsError
from fc_callback.idempotency.token_placeholders import mask_token as hide
from fc_callback.logs.logger import Logger
from fc_callback.redaction import RedactionFilter, Redactor, mask_foreign_text, masked_traceback, may_hold_secrets
from fc_callback.testing import make_credentials
from fc_callback.values.base import Value
from fc_callback.values.context import Credentials, FcContext
from fc_callback.values.invocation import invocation_scope, task_scope
from fc_callback.values.task import Task
from fc_callback.values.token import TaskToken
from tests.profiles import by_profile
from tests.spelled import SPELLINGS, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.framed_log import FramedLog

TOKEN = base64.b64encode(b"v1#flow#run-1#3#" + base64.b64encode(b"?" * 20)).decode()
ODD_TOKEN = "tok/+=%~end of it"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfi"
STS = "CAIS" + base64.b64encode(b"content of a security token" * 3).decode()
KEY_ID = "STS.NUgYrLnoC37mZZCNnAbez1"
_HEAD, _CLAIMS = (
    base64.urlsafe_b64encode(text).decode().rstrip("=") for text in (b'{"alg":"HS256"}', b'{"sub":"anna"}')
)
JWT = f"{_HEAD}.{_CLAIMS}.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
ENCRYPTED_JWT = (
    f"{_HEAD}..48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji.XFBoMYUZodetZdvT"
)
ALL = (TOKEN, ODD_TOKEN, SECRET, STS, KEY_ID)


@pytest.fixture(params=[TOKEN, ODD_TOKEN], ids=["usual token", "odd token"])
def inside(request: pytest.FixtureRequest) -> Iterator[str]:
    """The inside of a task; the token is the value."""
    credentials = Credentials(access_key_id=KEY_ID, access_key_secret=SECRET, security_token=STS)
    context = FcContext(request_id="r", credentials=credentials)
    with invocation_scope(context), task_scope(Task(token=TaskToken(request.param), payload={}, context=context)):
        yield request.param


def assert_masked(text: str) -> None:
    for secret in ALL:
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text
        assert quote(secret, safe="") not in text
    assert "***" in text


@pytest.mark.parametrize("secret", [SECRET, STS, KEY_ID, "token"])
@pytest.mark.parametrize(
    "form",
    [
        lambda secret: f"the secret is {secret}, and more",
        lambda secret: f"https://x/?A=1&B={quote(secret, safe='')}&C=2",
        lambda secret: f"https://x/?B={quote_plus(secret)}",
        lambda secret: json.dumps({"data": {"ticket": secret}}),
        lambda secret: json.dumps({"body": json.dumps({"ticket": secret})}),
        lambda secret: repr({"ticket": secret}),
        lambda secret: repr(json.dumps({"ticket": secret}).encode()),
    ],
)
def test_a_known_secret_is_masked_in_every_form_of_text(inside: str, secret: str, form: Any) -> None:
    secret = inside if secret == "token" else secret

    assert_masked(Redactor().text(form(secret)))


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("secret", [SECRET, STS, TOKEN])
@pytest.mark.parametrize("inside", [TOKEN], indirect=True)
def test_no_spelling_of_a_known_secret_is_left(inside: str, secret: str, name: str) -> None:
    text = f"got {SPELLINGS[name](secret)} at 9"

    masked = Redactor().text(text)

    assert secret[4:20] in opened(text)
    assert secret[4:20] not in opened(masked)
    assert masked.startswith("got ")
    assert masked.endswith(" at 9")


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_cause_of_a_failure_holds_no_spelling_of_a_secret(name: str) -> None:
    error = ValueError(f"no access with {SPELLINGS[name](SECRET)}")

    failure = failure_of(error, names={}, request_id="r", secrets=[SECRET])

    assert failure.cause.startswith("ValueError: no access with ")
    assert SECRET[4:20] not in opened(failure.cause)


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_a_token_inside_of_base64_is_masked(inside: str, before: str) -> None:
    text = base64.b64encode(f'{before}{{"taskToken": "{inside}", "order": 7}}'.encode()).decode()

    masked = Redactor().text(f"message {text}")

    assert "***" in masked
    kept = masked.removeprefix("message ").split("***")
    assert not any(
        inside[4:-4] in base64.b64decode(part + "=" * (-len(part) % 4)).decode("latin-1") for part in kept[:1]
    )
    assert len(kept[0]) < len(before) * 2 + 24


@pytest.mark.parametrize("secret", [TOKEN, STS, KEY_ID, "LTAI5tEXAMPLEEXAMPLE1234"])
def test_what_looks_like_a_secret_is_masked_outside_of_invocations_too(secret: str) -> None:
    masked = Redactor().text(f"a {secret} b {quote(secret, safe='')} c")

    assert secret not in masked
    assert masked.startswith("a ")
    assert masked.endswith("*** c")


def test_secrets_of_an_invocation_that_has_ended_are_still_masked() -> None:
    with invocation_scope(FcContext(credentials=make_credentials(access_key_secret="a-secret-of-mine"))):
        pass

    assert Redactor().text("a-secret-of-mine") == "***"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"password": "two words"}', '{"password": "***"}'),
        ("{'dbPassword': 'a\"b', 'n': 1}", "{'dbPassword': '***', 'n': 1}"),
        ('{"password": "a \\" b", "n": 1}', '{"password": "***", "n": 1}'),
        (r'"{\"password\": \"two words\", \"n\": 1}"', r'"{\"password\": \"***\", \"n\": 1}"'),
        ("?taskToken=abc&n=1", "?taskToken=***&n=1"),
        ("x-fc-access-key-secret: abc1", "x-fc-access-key-secret: ***"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("Order(password='x y', n=1)", "Order(password='***', n=1)"),
        ('{"credentials": {"a": 1}, "n": 2}', '{"credentials": ***, "n": 2}'),
        ('{"secret": 1234}', '{"secret": ***}'),
        ("SECRET = hunter2", "SECRET = ***"),
        ("secret = 'no end", "secret = '***'"),
        ("secret_key=abc&accessKey=abc", "secret_key=***&accessKey=***"),
        ('{"DB_PWD": "two words", "n": 1}', '{"DB_PWD": "***", "n": 1}'),
        ("passphrase: 'two words'", "passphrase: '***'"),
        (
            "redis://user:p@ss@cache:6379/0 and redis://:pw@cache",
            "redis://user:***@cache:6379/0 and redis://:***@cache",
        ),
        (r'{"url": "https:\/\/u:pw@host\/x"}', r'{"url": "https:\/\/u:***@host\/x"}'),
        ("url=https%3A%2F%2Fu%3Apw%40host", "url=https%3A%2F%2Fu%3A***%40host"),
        (f"got {JWT}, and more", "got ***, and more"),
        (f"got {JWT.rpartition('.')[0]}. of no signature", "got *** of no signature"),
        (f"got {ENCRYPTED_JWT}", "got ***"),
        ('token="abc" my_token="a.b.c" token="hunter2.x"', 'token="***" my_token="***" token="***"'),
        ("token= hunter2", "token= ***"),
    ],
)
def test_values_under_a_telling_name_are_masked_in_texts(text: str, masked: str) -> None:
    assert Redactor().text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "The event holds no task token: none of the keys taskToken, TaskToken, task_token is in the 3 objects searched.",
        "Task <TaskToken flow/run/3 0123456789ab> is deferred.",
        "secrets are masked, tokens: many",
        '{"order": "o-1", "amount": 12}',
        '{"nextToken": "3", "next_page_token": "a1", "NextContinuationToken": "b2"}',
        "prompt_tokens=12 completion_tokens: 34 max_tokens = 5 token_count=46 tokens=7",
        '{"usage": {"prompt_tokens": 12, "total_tokens": 46}}',
        "see https://example.com:8443/a:b?c=d@e and user@example.com",
        "eyJ is how base64 of JSON begins, like eyJhIjogMX0.",
        'If it stands somewhere else, say where with token="a.b.c".',
        "Say which one is meant with token='$.data[0].taskToken' or the like.",
        'For example token="data.ticket", or leave it out.',
        "token= must be a path, several paths, or a callable, not int.",
    ],
)
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"no access with {SECRET}", "no access with ***"),
        ("no access with AnotherKeyOfTheHourBefore1", "no access with Anot***"),
        ("The task does not exist (RequestId 5E3A-11).", "The task does not exist (RequestId 5E3A-11)."),
    ],
)
def test_a_text_of_another_service_keeps_no_long_run_of_letters(text: str, masked: str) -> None:
    assert mask_foreign_text(text, also=[SECRET]) == masked


def test_a_traceback_is_masked_whatever_its_exception_does(inside: str) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    try:
        raise ValueError(f"no access with {inside}") from Broken()
    except ValueError as error:
        text = masked_traceback(error)

    assert_masked(text)
    assert "ValueError: no access with ***" in text


def test_a_password_in_an_encoded_url_is_masked_before_the_process_has_seen_any_secret() -> None:
    code = "from fc_callback.redaction import Redactor; print(Redactor().text('https%3A%2F%2Fu%3Apw%40host'))"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout == "https%3A%2F%2Fu%3A***%40host\n"


def test_a_cold_start_that_masks_nothing_compiles_no_pattern() -> None:
    code = """
import logging, re, traceback, fc_callback.values.invocation, fc_callback.values.task
compiled, compile = [], re.compile
re.compile = lambda *given: compiled.append(given) or compile(*given)
from fc_callback.redaction import Redactor, mask_secrets
Redactor(["card"]).value({"amount": 3, "message": "Charged"}), mask_secrets("Charged")
print(len(compiled))
mask_secrets("djEj")
print(len(compiled))
"""
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout == "0\n1\n"


def test_masking_twice_changes_nothing_more() -> None:
    once = Redactor().text("{'password': 'x', \"token\": 1} secret=abc Authorization: Bearer 1")

    assert Redactor().text(once) == once


@pytest.mark.parametrize(
    "name",
    ["secretKey", "SECRET_KEY", "access_key", "dbPwd", "passphrase", "sshKeyPassphrase", "token", "access-token"],
)
def test_a_telling_name_is_one_in_any_style(name: str) -> None:
    assert Redactor().value({name: "x"}) == {name: "***"}


@pytest.mark.parametrize(
    "name", ["nextToken", "next_page_token", "NextContinuationToken", "prompt_tokens", "maxTokens", "token_count"]
)
def test_counters_and_the_places_in_lists_are_no_secrets_unless_a_person_says_so(name: str) -> None:
    assert Redactor().value({name: "x"}) == {name: "x"}
    assert Redactor([name]).value({name: "x"}) == {name: "***"}
    assert Redactor([name]).text(f"{name}=x") == f"{name}=***"


def test_every_hint_of_ours_about_a_token_s_place_is_shown_whole() -> None:
    for event, options in ((b"{}", {}), (b'{"a": {"taskToken": "x" }, "taskToken": "y"}', {}), (b"{}", {"token": 7})):
        with pytest.raises(FcCallbackError) as raised:
            task_callback(lambda event, context: {}, **options)(event, None)
        assert Redactor().text(str(raised.value)) == str(raised.value)


@pytest.mark.parametrize("name", ["cardNumber", "card_number", "CARD-NUMBER", "card number"])
def test_people_s_own_fields_are_masked_however_they_are_spelled(name: str) -> None:
    redactor = Redactor(["card_number"])

    assert redactor.value({name: 4111}) == {name: "***"}
    assert redactor.text(json.dumps({name: "4111 1111"})) == json.dumps({name: "***"})


@pytest.mark.parametrize("names", ["card", [""], [" _"]])
def test_names_that_would_mask_everything_or_nothing_are_refused(names: Any) -> None:
    with pytest.raises(SettingsError, match="Give a list of names"):
        Redactor(names)


@attrs.frozen
class AttrsOrder:
    id: int
    password: str
    hidden: str = attrs.field(default="never shown", repr=False)


@dataclasses.dataclass
class DataOrder:
    id: int
    password: str
    hidden: str = dataclasses.field(default="never shown", repr=False)


class ModelOrder(BaseModel):
    id: int
    password: str


class Kind(enum.Enum):
    GIFT = "gift"


class ValueOrder(Value, hidden=("hidden",)):
    id: int
    password: str
    hidden: str = "never shown"


@pytest.mark.parametrize("kind", [AttrsOrder, DataOrder, ModelOrder, ValueOrder])
def test_fields_of_objects_are_gone_through(kind: Any) -> None:
    assert Redactor().value([kind(id=1, password="x")]) == [{"id": 1, "password": "***"}]


def test_the_copy_is_json_and_the_original_stays(inside: str) -> None:
    value = {"a": (1, {Kind.GIFT}), "ticket": inside, "deep": {"password": ["x"]}, "none": {"token": None}}

    copy = Redactor().value(value)

    assert copy == {
        "a": [1, ["gift"]], "ticket": "***", "deep": {"password": "***"}, "none": {"token": None},
    }  # fmt: skip
    assert value["ticket"] == inside


def test_a_value_without_end_is_cut() -> None:
    deep: dict[str, Any] = {}
    deep["deep"] = deep

    assert len(json.dumps(Redactor().value({"wide": ["x" * 100] * 100_000, "deep": deep}))) < 400_000


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_becomes_json(value: Any) -> None:
    json.dumps(Redactor().value(value), allow_nan=False)


@given(st.text(), st.text())
def test_a_secret_is_masked_wherever_it_stands(before: str, after: str) -> None:
    with invocation_scope(FcContext(credentials=make_credentials(access_key_secret=SECRET))):
        assert SECRET not in Redactor(["card"]).text(before + SECRET + after)


@given(st.text(min_size=8), st.sampled_from(["", "x", "xy"]))
def test_a_line_that_holds_a_secret_in_any_form_is_searched_for_it(secret: str, before: str) -> None:
    data = (before + secret + " and more").encode("utf-8", "surrogatepass")
    with invocation_scope(FcContext(credentials=make_credentials(access_key_secret=secret))):
        for text in (
            secret,
            quote(secret, safe=""),
            quote_plus(secret),
            json.dumps(secret),
            json.dumps(secret, ensure_ascii=False),
            base64.b64encode(data).decode(),
            base64.urlsafe_b64encode(data).decode(),
        ):
            assert may_hold_secrets(text)


@given(st.text(alphabet="\\\"'{}[]:= passwordtoken", max_size=300))
def test_no_text_breaks_the_masking(text: str) -> None:
    Redactor().text(text)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "repeated",
    [
        *("password=\\", 'token:"', 'secret:\\"', "token=[", 'token="$.', "-eyJ", "eyJ.", "://a:", "@://", "djEj"),
        *("%25", "%2B", "\\", "\\u005c", "QUFB", "A", f"{'B' * 76}\n", SECRET[:-1]),
    ],
)
def test_hostile_texts_cost_no_more_than_long_ones(inside: str, repeated: str) -> None:
    text = repeated * (by_profile(24_000, 64_000) // len(repeated))
    Redactor().text(text)  # a quadratic one would take minutes, which the test run would notice
    hide(text, TaskToken(inside), mark="0123456789abcdef")


def test_a_record_holds_no_secret_in_message_arguments_fields_nested_values_exception_and_stack(
    fc_log: FramedLog, inside: str
) -> None:
    log = Logger("orders")
    log.bind(ticket=inside)
    try:
        try:
            raise KeyError(STS)
        except KeyError as error:
            raise ValueError(f"no access with {SECRET}") from error
    except ValueError:
        log.exception(
            "message %s %s",
            inside,
            {"k": SECRET},
            extra={"nested": {"list": [STS]}},
            stack_info=True,
            event=inside.encode(),
        )

    assert_masked("\n".join(fc_log.lines))
    assert fc_log.last["message"] == "message *** {'k': '***'}"


def test_what_is_a_secret_in_one_invocation_only_is_masked_in_that_one(fc_log: FramedLog) -> None:
    log = Logger("orders")
    secret = "AKeyThatIsRotatedNextHour"

    def lines(access_key_secret: str) -> list[str]:
        credentials = Credentials(access_key_id="LTAI5tEXAMPLE", access_key_secret=access_key_secret)
        with invocation_scope(FcContext(credentials=credentials)):
            log.info("AKeyThatIsRotatedNextHour")
            log.info("Named", AKeyThatIsRotatedNextHour=1)
            log.info("Listed", keys=["AKeyThatIsRotatedNextHour"])
            with log.bound(key=secret, AKeyThatIsRotatedNextHour=2):
                log.info("Bound")
                log.info("Bound still")
        return fc_log.lines[-5:]

    for _ in range(2):
        assert all(secret in line for line in lines("AnotherKeyOfTheHourBefore"))
        masked = lines(secret)
        assert not any(secret in line for line in masked)
        assert all("***" in line for line in masked)


@pytest.mark.parametrize("secret", [TOKEN, "djEj-short", ODD_TOKEN])
def test_what_was_written_before_a_task_began_is_searched_again_while_it_runs(fc_log: FramedLog, secret: str) -> None:
    log = Logger("orders", level="INFO")
    body = base64.b64encode(json.dumps({"taskToken": secret}).encode()).decode()
    inside: dict[str, Any] = {}
    exec(f"def constant(log): log.info({body!r})", inside)

    def lines() -> list[str]:
        inside["constant"](log)
        log.info("Named", **{body: 1})
        log.info("Bound")
        return fc_log.lines[-3:]

    context = FcContext(request_id="r")
    for _ in range(2):
        with invocation_scope(context):
            log.bind(body=body)
            assert all(body in line for line in lines()), "nobody knows yet that it is one"
            with task_scope(Task(token=TaskToken(secret), payload={}, context=context)):
                assert not any(body in line for line in lines())


def test_texts_as_short_as_a_secret_can_be_are_searched(fc_log: FramedLog) -> None:
    log = Logger("orders")
    with invocation_scope(
        FcContext(credentials=Credentials(access_key_id="LTAI5tEXAMPLE", access_key_secret="8letters"))
    ):
        log.info("Short", given="8letters")
        log.info("8letters")
    assert not any("8letters" in line for line in fc_log.lines)


def test_masking_can_be_switched_off(fc_log: FramedLog, inside: str) -> None:
    Logger("orders", redact=False).info("%s", {"password": "x"}, ticket=inside)

    assert fc_log.last["message"] == "{'password': 'x'}"
    assert fc_log.last["ticket"] == inside


def test_a_filter_masks_the_records_of_anyone_s_handler(inside: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s %(ticket)s %(card)s"))
    handler.addFilter(RedactionFilter(["card"]))
    logger = logging.getLogger("theirs")
    logger.addHandler(handler)
    try:
        raise ValueError(STS)
    except ValueError:
        logger.exception("failed with %s and %s", SECRET, inside, extra={"ticket": [inside], "card": "4111"})

    logger.removeHandler(handler)

    assert_masked(stream.getvalue())
    assert stream.getvalue().startswith("failed with *** and *** ['***'] ***\n")
    assert "ValueError: ***" in stream.getvalue()


def test_a_filter_masks_the_fields_of_a_logger_s_call_too(inside: str) -> None:
    kept: list[logging.LogRecord] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    handler = Keeping()
    handler.addFilter(RedactionFilter())
    logging.getLogger("orders").addHandler(handler)
    Logger("orders").warning("x", ticket=[inside], password="y")
    logging.getLogger("orders").removeHandler(handler)

    assert_masked(repr(kept[0].__dict__))
    assert "'password': '***'" in repr(kept[0].__dict__)
