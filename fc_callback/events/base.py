"""What every event has in common: how it is read, what happens to fields nobody announced, how it shows itself."""

import json
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import to_jsonable_python
from typing_extensions import Self  # comes with pydantic

from fc_callback.errors import PayloadInvalid
from fc_callback.payload.json_layers import NotJson, decode_base64, open_layers, read_json
from fc_callback.payload.models import Model, json_bytes
from fc_callback.payload.problems import payload_invalid

_HINT = (
    "Annotate the parameter with the class of the trigger that delivers the event, or with bytes to get it as it came."
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Part(BaseModel):
    """A part of an event: immutable, camelCase on the wire, unknown fields kept (in `model_extra`).

    Its text form names the fields and shows no value: events carry task tokens.
    """

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        coerce_numbers_to_str=True,
    )

    def __repr__(self) -> str:
        names = [*sorted(self.model_fields_set & set(type(self).model_fields))]
        return f"<{type(self).__name__}: {', '.join(names)}>"

    def __str__(self) -> str:
        return repr(self)

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        return []

    @classmethod
    def leave_out(cls, decoded: Any, token: str) -> Any:  # noqa: ARG003 - parts that hold a person's own type need it
        """Return a decoded part without the task token, where a type of a person's own is validated."""
        return decoded


class Event(Part):
    """What FC hands to a function, in the shape of one trigger."""

    # False where a trigger has another format than JSON, with more types: CBOR's bytes have no form in JSON.
    _is_json: ClassVar[bool] = True

    @classmethod
    def parse(cls, event: object) -> Self:
        """Read an event.

        Args:
            event: What FC delivered, bytes or text; or what that decodes to.

        Raises:
            PayloadInvalid: It has not this trigger's shape.
        """
        return cls.parse_without(event, None)

    @classmethod
    def parse_without(cls, event: object, token: str | None, *, model: Model | None = None) -> Self:
        """Read an event, and leave a task token out of the part of it that is validated as a type of a person's own.

        Args:
            event: As for `parse`.
            token: The task token; None to leave out nothing.
            model: Validates the event, where an annotation puts something around this class.

        Raises:
            PayloadInvalid: It has not this trigger's shape.
        """
        try:
            decoded = cls._decode(event)
            if token is not None:
                decoded = cls.leave_out(decoded, token)
            if model is not None:
                return model.read(decoded, subject="The event", hint=_HINT, is_json=cls._is_json)  # type: ignore[no-any-return]
            if not cls._is_json:
                return cls.model_validate(decoded)
            return cls.model_validate_json(json_bytes(decoded, subject="The event"))
        except NotJson as error:
            problem = PayloadInvalid(f"The event is no {cls.__name__}: it is not JSON ({error}).", hint=_HINT)
        except ValidationError as error:
            problem = payload_invalid(error, subject="The event", hint=_HINT)
        raise problem

    @classmethod
    def check(cls) -> None:
        """Build what reads an event beside the class itself, when a function is decorated.

        Raises:
            TypeError: A type in it cannot be validated.
        """

    @classmethod
    def _decode(cls, event: object) -> Any:
        if isinstance(event, memoryview):
            event = event.tobytes()
        return open_text(read_json(event)) if isinstance(event, bytes | bytearray | str) else event

    @property
    def dedup_key(self) -> str | None:
        """What stays the same when this event is delivered again; None where the trigger gives nothing to go by."""
        return None


class Carrier(Part):
    """A part with content of somebody's own: text, base64 of text, or JSON, as the sender and the trigger made it."""

    def _content(self) -> Any:
        raise NotImplementedError

    @property
    def text(self) -> str:
        """The content as text. What looks like base64 of a text is decoded; an object or an array is written as JSON."""
        content = self._content()
        return _plain_text(content) if isinstance(content, str) else json_text(content)

    def json(self) -> Any:  # type: ignore[override]  # what requests and Starlette call it; pydantic 1's meaning is gone
        """The content as JSON, read through base64 and strings of JSON.

        Raises:
            PayloadInvalid: It is not JSON.
        """
        return json_in(self._content(), owner=type(self).__name__)


def dedup_key(*parts: object) -> str:
    """Write the parts of a key so that different parts never make the same key."""
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"), default=str)


def open_text(value: Any) -> Any:
    """Open JSON in strings and in base64, down to the first value that is no text, or an ordinary one."""
    return open_layers(value)[0]


def json_text(content: Any) -> str:
    """Write decoded content as JSON again; bytes are read as UTF-8.

    Raises:
        PayloadInvalid: It cannot be written: nested too deeply, say, or of broken characters.
    """
    if isinstance(content, bytes):
        return content.decode("utf-8", "replace")
    try:
        return json.dumps(content, ensure_ascii=False, default=to_jsonable_python)
    except (RecursionError, TypeError, ValueError) as error:
        reason = type(error).__name__
    raise PayloadInvalid(f"The content cannot be written as text ({reason}).")


def json_in(content: Any, *, owner: str) -> Any:
    """Read content that must be JSON.

    Raises:
        PayloadInvalid: It is text, and not JSON.
    """
    opened, layers = open_layers(content)
    if layers or not isinstance(opened, str | bytes):
        return opened
    try:
        return read_json(opened)
    except NotJson as error:
        reason = str(error)
    raise PayloadInvalid(f"The content of {owner} is not JSON ({reason}).", hint="Read its .text instead.")


def _plain_text(text: str) -> str:
    decoded = decode_base64(text) if len(text.strip()) % 4 == 0 else None
    if not decoded:
        return text
    try:
        plain = decoded.decode()
    except UnicodeDecodeError:
        return text
    return plain if all(character.isprintable() or character in "\t\r\n" for character in plain) else text


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _since_epoch(unit: str) -> BeforeValidator:
    def read(value: Any) -> Any:
        if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value  # an ISO text, or nothing that makes a time: pydantic says so
        try:
            return _EPOCH + timedelta(**{unit: value})
        except (OverflowError, ValueError):
            raise ValueError(f"Input is no time in {unit} since 1970") from None

    return BeforeValidator(read)


def _absent_if_blank(value: Any) -> Any:
    return None if value == "" else value


Time = Annotated[datetime, AfterValidator(_aware)]
Seconds = Annotated[datetime, AfterValidator(_aware), _since_epoch("seconds")]
Milliseconds = Annotated[datetime, AfterValidator(_aware), _since_epoch("milliseconds")]
Microseconds = Annotated[datetime, AfterValidator(_aware), _since_epoch("microseconds")]
Absent = BeforeValidator(_absent_if_blank)
"""Reads an empty text as None: `Annotated[Time | None, Absent]`."""

Properties = Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)]
Texts = Annotated[dict[str, str], BeforeValidator(lambda value: {} if value is None else value)]
