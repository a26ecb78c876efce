"""Log every hostile kind of value in every place of a record, each of them with a task token in it.

    python -m tests.logs.hostile_run json|console|held|filter|failing <token>

The last line on stdout says how many records were logged; each has its number as the field `number`.
"""

# mypy: disable-error-code="assignment,misc,override,type-arg,return-value"
# What these classes break is what mypy watches over.

from __future__ import annotations

import enum
import logging
import random
import sys
import warnings
from collections import OrderedDict, UserDict
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback import Credentials, FcContext, Task
from fc_callback.logs.logger import Logger
from fc_callback.metrics import task_record
from fc_callback.redaction import RedactionFilter
from fc_callback.values.invocation import invocation_scope, task_scope
from fc_callback.values.token import TaskToken
from tests.profiles import by_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORM, TOKEN = sys.argv[1:3]


class Problem(BaseException):
    """What is no Exception, and not the end of the process either."""


class NoText:
    def __str__(self) -> str:
        raise ValueError(TOKEN)

    __repr__ = __format__ = __str__


class NoTextAtAll(NoText):
    def __str__(self) -> str:
        raise Problem(TOKEN)

    __repr__ = __str__


class NotText:
    def __str__(self) -> Any:
        return len(TOKEN)


class OtherText(str):  # noqa: SLOT000
    """A text all of whose methods raise."""

    def _raise(self, *_: object) -> Any:
        raise ValueError(TOKEN)

    __str__ = __repr__ = __format__ = __len__ = __contains__ = __getitem__ = __mod__ = __eq__ = __iter__ = _raise
    lower = replace = encode = startswith = endswith = split = find = _raise
    __hash__ = str.__hash__


class TextOfOtherText:
    def __str__(self) -> str:
        return OtherText(TOKEN)


class NoClass:
    @property
    def __class__(self) -> Any:
        raise ValueError(TOKEN)

    def __repr__(self) -> str:
        return f"{TOKEN} and no class"


class NoAttributes:
    def __getattribute__(self, name: str) -> Any:
        raise ValueError(TOKEN)

    def __bool__(self) -> bool:
        raise ValueError(TOKEN)


class WrongClass:
    __class__ = dict

    def __len__(self) -> int:
        raise Problem(TOKEN)


class Endless(list):
    def __iter__(self) -> Iterator[Any]:
        while True:
            yield TOKEN


class EndsInAnError(list):
    def __iter__(self) -> Iterator[Any]:
        yield TOKEN
        raise ValueError(TOKEN)


class Changing(dict):
    def items(self) -> Any:
        for item in list(super().items()):
            yield item
            self[f"more {len(self)}"] = TOKEN
        raise RuntimeError(f"dictionary changed size during iteration: {TOKEN}")


class NoItems(dict):
    def items(self) -> Any:
        raise ValueError(TOKEN)

    keys = values = __iter__ = __len__ = items


class ItemsAreNoPairs(dict):
    def items(self) -> Any:
        return [1, TOKEN, (TOKEN,)]


class NoMapping(UserDict):
    def __getitem__(self, name: str) -> Any:
        raise Problem(TOKEN)


class Hasty:
    """A key that is hashed once and never again."""

    def __init__(self) -> None:
        self.hashed = 0

    def __hash__(self) -> int:
        self.hashed += 1
        if self.hashed > 1:
            raise ValueError(TOKEN)
        return 7

    def __eq__(self, other: object) -> bool:
        raise ValueError(TOKEN)

    def __repr__(self) -> str:
        return f"key {TOKEN}"


@attrs.frozen
class Broken:
    token: str
    rest: Any = None

    def __getattribute__(self, name: str) -> Any:
        if name == "rest":
            raise Problem(TOKEN)
        return object.__getattribute__(self, name)


class Kind(enum.Enum):
    HOSTILE = NoText()


class Huge(int):
    def __str__(self) -> str:
        raise ValueError(TOKEN)

    __repr__ = bit_length = __str__


def deep() -> Any:
    value: Any = [TOKEN]
    for number in range(by_profile(3000, 20_000)):
        value = {"deep": value} if number % 2 else [value]
    return value


def in_a_circle() -> Any:
    value: dict[str, Any] = {"token": TOKEN}
    value["again"] = [value]
    return value


def released() -> memoryview:
    view = memoryview(TOKEN.encode())
    view.release()
    return view


def broken_error() -> BaseException:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise Problem(TOKEN)

        @property
        def __notes__(self) -> Any:
            raise ValueError(TOKEN)

        @property
        def exceptions(self) -> Any:
            raise ValueError(TOKEN)

        @property
        def __cause__(self) -> Any:
            raise ValueError(TOKEN)

        def __bool__(self) -> bool:
            raise ValueError(TOKEN)

    return BrokenError(TOKEN)


def named_after_a_token() -> Any:
    return type(TOKEN, (NoText,), {})()


class EqualClasses(type):  # noqa: PLW1641 - that is what it is for
    """Its classes have no hash."""

    def __eq__(cls, other: object) -> bool:
        raise ValueError(TOKEN)


class NoHashOfItsClass(metaclass=EqualClasses):
    def __str__(self) -> str:
        return TOKEN


KINDS: dict[str, Callable[[], Any]] = {
    "no hash of its class": NoHashOfItsClass,
    "text": lambda: TOKEN,
    "bytes": TOKEN.encode,
    "surrogates": lambda: f"\ud800{TOKEN}\udfff",
    "controls": lambda: f"\x00\x1b[0m\n{TOKEN}\r\u2028",
    "huge int": lambda: 10**5000,
    "huge float": lambda: float("inf"),
    "huge text": lambda: "x" * by_profile(40_000, 300_000) + TOKEN,
    "many": lambda: [TOKEN] * by_profile(3000, 100_000),
    "deep": deep,
    "circle": in_a_circle,
    "released": released,
    "set": lambda: {TOKEN, 1},
    "generator": lambda: (TOKEN for _ in range(3)),
    "class": lambda: NoText,
    "enum": lambda: Kind.HOSTILE,
    "error": broken_error,
    "named": named_after_a_token,
    "key": lambda: {Hasty(): TOKEN, (1, TOKEN): 2, NoText(): 3, b"\xff": 4, None: 5},
    "ordered": lambda: OrderedDict({TOKEN: TOKEN}),
    "mapping": lambda: NoMapping({"a": TOKEN}),
    "broken": lambda: Broken(token=TOKEN),
    "huge": lambda: Huge(7),
    **{kind.__name__: kind for kind in (NoText, NoTextAtAll, NotText, TextOfOtherText, NoClass, NoAttributes, WrongClass)},
    **{kind.__name__: lambda kind=kind: kind([TOKEN]) for kind in (Endless, EndsInAnError)},
    **{kind.__name__: lambda kind=kind: kind({"a": TOKEN, "b": 1}) for kind in (Changing, NoItems, ItemsAreNoPairs)},
    "other text": lambda: OtherText(TOKEN),
}  # fmt: skip


def raised(value: Any) -> BaseException:
    error: BaseException = ValueError(value)
    try:
        try:
            raise KeyError(value)
        except KeyError as cause:
            raise error from cause
    except ValueError:
        if sys.version_info >= (3, 11):
            error.add_note(TOKEN)
            error.__notes__.append(value)
            error.__notes__.append(OtherText(TOKEN))
    return error


# Each logs one record, of this number. The last argument is the hostile value.
PLACES: dict[str, Callable[[Any, int, Any], None]] = {
    "message": lambda log, number, value: log.info(value, extra={"number": number}),
    "argument": lambda log, number, value: log.info("got %s", value, extra={"number": number}),
    "arguments": lambda log, number, value: log.info("%s and %r and %s", TOKEN, value, value, extra={"number": number}),
    "too many": lambda log, number, value: log.info("got", TOKEN, value, extra={"number": number}),  # noqa: PLE1205
    "wrong": lambda log, number, value: log.info("%d %s", value, TOKEN, extra={"number": number}),
    "named": lambda log, number, value: log.info("%(a)s", {"a": value, "b": TOKEN}, extra={"number": number}),
    "extra": lambda log, number, value: log.info("%s", TOKEN, extra={"number": number, "given": value, "token": value}),
    "nested": lambda log, number, value: log.info("x", extra={"number": number, "given": [{"a": (value, {"b": value})}]}),
    "exception": lambda log, number, value: log.error("x", exc_info=raised(value), extra={"number": number}),
    "hostile exception": lambda log, number, value: log.error(
        "x", exc_info=raised(broken_error()), extra={"number": number}
    ),
    "stack": lambda log, number, value: log.error("%s", value, stack_info=True, extra={"number": number}),
    "taken": lambda log, number, value: log.info(
        "x", extra={"number": number, "fc_fields": value, "fc_task_record": value, "fc_request_id": value}
    ),
}  # fmt: skip
OF_LOGGER: dict[str, Callable[[Any, int, Any], None]] = {
    "field": lambda log, number, value: log.info("got %s", TOKEN, number=number, n=value, password=value),
    "bound": lambda log, number, value: bound(log, number, value),  # noqa: PLW0108 - defined below
    "message and fields": lambda log, number, value: log.warning(value, value, number=number, given=value),
}
# `logging` asks an argument that stands alone for its class in the caller's code: nothing reaches us.
NOT_BY_LOGGING = {"no hash of its class", "NoClass", "NoAttributes", "WrongClass", "NoItems", "mapping", "huge"}


def bound(log: Logger, number: int, value: Any) -> None:
    with log.bound(given=value, number=number):
        log.info("bound %s", TOKEN)


def random_value(draw: random.Random, depth: int = 0) -> Any:
    kind = draw.randrange(6 if depth < 4 else 1)
    if kind == 1:
        return [random_value(draw, depth + 1) for _ in range(draw.randrange(4))]
    if kind == 2:
        return {draw.choice(["a", "token", TOKEN, "data"]): random_value(draw, depth + 1) for _ in range(3)}
    if kind == 3:
        return (random_value(draw, depth + 1), TOKEN)
    return KINDS[draw.choice(list(KINDS))]()


def log_all(loggers: list[Any]) -> int:
    number = 0
    for name, make in KINDS.items():
        for log in loggers:
            own = OF_LOGGER if isinstance(log, Logger) else {}
            for place, write in {**PLACES, **own}.items():
                if not own and name in NOT_BY_LOGGING and place in {"argument", "stack"}:
                    continue
                write(log, number, make())
                number += 1
    draw = random.Random(7)
    for _ in range(by_profile(100, 1500)):
        write = draw.choice([*PLACES.values(), *(OF_LOGGER.values() if isinstance(loggers[0], Logger) else ())])
        write(loggers[0], number, [random_value(draw), TOKEN])
        number += 1
    return number


class Failing(logging.StreamHandler):
    """A handler whose stream takes nothing."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.format(record)
            raise OSError(TOKEN)
        except OSError:
            self.handleError(record)


def main() -> None:
    warnings.simplefilter("ignore")
    root = logging.getLogger()
    if FORM == "filter":
        handler = logging.StreamHandler(sys.stdout)
        handler.addFilter(RedactionFilter())
        handler.setFormatter(logging.Formatter("number=%(number)s %(message)s"))
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        loggers: list[Any] = [logging.getLogger("theirs")]
    else:
        root.addHandler((Failing if FORM == "failing" else logging.StreamHandler)(sys.stdout))
        loggers = [Logger("ours", form="console" if FORM == "console" else "json", hold_debug=FORM == "held")]
        loggers.append(logging.getLogger("theirs"))
    if FORM == "held":
        for log in loggers:
            log.info = log.warning = log.error = log.debug
    credentials = Credentials(
        access_key_id="LTAI5tEXAMPLEEXAMPLE1234", access_key_secret="aSecretOfThirtyCharacters12345"
    )
    context = FcContext(request_id="r", credentials=credentials)
    with invocation_scope(context) as invocation, task_record(TOKEN) as record:
        task = Task(token=TaskToken(TOKEN), payload={}, context=context)
        record.begins(task)
        with task_scope(task):
            count = log_all(loggers)
        invocation.failed = True
    print(count)


if __name__ == "__main__":
    main()
