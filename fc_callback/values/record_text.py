"""What a log record says, whatever its values do: they may raise when they are read, or have no text at all."""

from __future__ import annotations

import logging
from itertools import filterfalse
from typing import Any

# The attribute of a log record that holds the fields of one call, as a dict: any name may be among them.
LOG_FIELDS = "fc_fields"
# The attribute that holds a line which was made before the handler asks for it, and the formatter that made it.
WRITTEN_LINE = "fc_line"

# What a person's object may raise and is not caught: the end of the process. FC's own timeout is a SystemExit.
PASSING_THROUGH = (KeyboardInterrupt, SystemExit)

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
# FC puts its id on every record, by its handler and by a filter; it is wrong where FC runs several requests at once.
_NOT_BROUGHT = STANDARD | {LOG_FIELDS, WRITTEN_LINE, "request_id", "fc_request_id"}
_LONGEST_BYTES = 64 * 1024
MOST_BITS = 2000  # of an int; Python writes 640 digits whatever limit is set, which is 2125 bits


def text_of(value: object) -> str:
    """Return an object's text, never an error: where it has none, its class is named."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]
    try:
        if issubclass(kind, str):
            return str.__str__(value)
        if issubclass(kind, (bytes, bytearray, memoryview)):
            return bytes(value[: _LONGEST_BYTES + 1]).decode("utf-8", "replace")  # type: ignore[index]
        if issubclass(kind, int) and int.bit_length(value) > MOST_BITS:  # type: ignore[arg-type]
            return f"<an int of {int.bit_length(value)} bits>"  # type: ignore[arg-type]
        return str.__str__(str(value))
    except PASSING_THROUGH:
        raise
    except BaseException:  # noqa: BLE001 - a person's own __str__ may do anything; the log must still be written
        return f"<{type.__dict__['__name__'].__get__(kind)} without text>"


def writable(text: str) -> str:
    """Return a text as a stream takes it: a lone surrogate has no form in UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def exception_text(exc_info: Any) -> str:
    """Return an exception as Python writes it; where that raises, its class."""
    try:
        return logging.Formatter().formatException(exc_info)
    except PASSING_THROUGH:
        raise
    except BaseException:  # noqa: BLE001 - a person's exception may do anything
        return f"<{type.__dict__['__name__'].__get__(type(exc_info[1]))}, which cannot be written>"


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields that a call put on its record, by `extra=` or as keyword arguments of `Logger`'s."""
    own = record.__dict__
    fields = {
        name if type(name) is str else text_of(name): own[name] for name in filterfalse(_NOT_BROUGHT.__contains__, own)
    }
    given: Any = own.get(LOG_FIELDS)
    if type(given) is dict:
        fields.update({name if type(name) is str else text_of(name): value for name, value in given.items()})
    elif given is not None:
        fields[LOG_FIELDS] = given
    return fields


def message_of(record: logging.LogRecord) -> str:
    """Return a record's message; what cannot be put into it is named, and where its arguments do not fit it, both."""
    try:
        return text_of(record.getMessage())
    except PASSING_THROUGH:
        raise
    except BaseException:  # noqa: BLE001 - a wrong format string, or a person's own __str__: the line must still come
        return _message_of_parts(text_of(record.msg), record.args)


def _message_of_parts(message: str, args: Any) -> str:
    given: Any = _printable(args)
    if type(args) is tuple:
        given = tuple(map(_printable, args))
    elif type(args) is dict:
        given = {text_of(name): _printable(value) for name, value in args.items()}
    try:
        return str(message % given)
    except PASSING_THROUGH:
        raise
    except BaseException:  # noqa: BLE001
        return f"{message} {given}"


def _printable(value: Any) -> Any:
    kind = type(value)
    if kind is float or kind is bool or value is None or (kind is int and value.bit_length() <= MOST_BITS):
        return value
    return text_of(value)
