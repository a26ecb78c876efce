"""The text of a log record, also if its values raise when they are read or have no text."""

from __future__ import annotations

import logging
from typing import Any

# The attribute of a log record with the fields of one call, as a dict. They may have any names.
LOG_FIELDS = "fc_fields"
# The attribute with a line that was written before the handler needs it, and with the formatter that wrote it.
WRITTEN_LINE = "fc_line"

# Exceptions that are not caught, because they end the process. FC's own timeout is a SystemExit.
PASSING_THROUGH = (KeyboardInterrupt, SystemExit)

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_FIRST = list(logging.makeLogRecord({}).__dict__)
# FC adds its id to every record, in its handler and in a filter. It is wrong if FC runs several requests at a time.
_NOT_BROUGHT = STANDARD | {LOG_FIELDS, WRITTEN_LINE, "request_id", "fc_request_id"}
_LONGEST_BYTES = 64 * 1024
MOST_BITS = 2000  # of an int; Python writes up to 640 digits, which are 2125 bits, with every limit


def text_of(value: object) -> str:
    """Return an object's text, or the name of its class if it has none. It never raises."""
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
    except BaseException:  # noqa: BLE001 - a user's __str__ may raise anything, but the line must be written
        return f"<{type.__dict__['__name__'].__get__(kind)} without text>"


def writable(text: str) -> str:
    """Return a text that a stream can encode: UTF-8 cannot encode a lone surrogate."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def exception_text(exc_info: Any) -> str:
    """Return an exception as Python writes it, or the name of its class if that raises."""
    try:
        return logging.Formatter().formatException(exc_info)
    except PASSING_THROUGH:
        raise
    except BaseException:  # noqa: BLE001 - a user's exception may raise anything
        return f"<{type.__dict__['__name__'].__get__(type(exc_info[1]))}, which cannot be written>"


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields that a call gave to its record, with `extra=` or as keyword arguments of `Logger`."""
    own = record.__dict__
    names = list(own)
    if names[: len(_FIRST)] == _FIRST:  # as nearly always; each name is looked up otherwise
        del names[: len(_FIRST)]
    fields = {name if type(name) is str else text_of(name): own[name] for name in names if name not in _NOT_BROUGHT}
    given: Any = own.get(LOG_FIELDS)
    if type(given) is dict:
        fields.update({name if type(name) is str else text_of(name): value for name, value in given.items()})
    elif given is not None:
        fields[LOG_FIELDS] = given
    return fields


def message_of(record: logging.LogRecord) -> str:
    """Return a record's message. If its arguments do not match it, return the message followed by the arguments."""
    try:
        return text_of(record.getMessage())
    except PASSING_THROUGH:
        raise
    except BaseException:  # noqa: BLE001 - a wrong format string or a user's __str__; the line must be written
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
