"""The base classes of all events: they read bytes, keep unknown fields, and show no value in their text form."""

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
    "Annotate the parameter with the class of the trigger that delivers the event, or with bytes to get it unchanged."
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Part(BaseModel):
    """A part of an event: immutable, with camelCase names in JSON. Unknown fields are kept in `model_extra`.

    The text form shows the names of the fields and no values, because events contain task tokens.
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
    def leave_out(cls, decoded: Any, token: str) -> Any:  # noqa: ARG003 - subclasses that contain a user's type use it
        """Return a decoded part without the task token in the data that is validated as a user's type."""
        return decoded


class Event(Part):
    """An event as one trigger delivers it."""

    # False for CBOR, which has types that JSON does not have, such as bytes.
    _is_json: ClassVar[bool] = True

    @classmethod
    def parse(cls, event: object) -> Self:
        """Read an event.

        Args:
            event: The event that FC delivered, as bytes or text, or already decoded.

        Raises:
            PayloadInvalid: The event does not have this trigger's shape.
        """
        return cls.parse_without(event, None)

    @classmethod
    def parse_without(cls, event: object, token: str | None, *, model: Model | None = None) -> Self:
        """Read an event without the task token in the data that is validated as a user's type.

        Args:
            event: As for `parse`.
            token: The task token. None keeps everything.
            model: Validates the event in place of this class, if the annotation wraps it (a union, `Annotated`).

        Raises:
            PayloadInvalid: The event does not have this trigger's shape.
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
            problem = PayloadInvalid(f"The event is not a {cls.__name__}: it is not JSON ({error}).", hint=_HINT)
        except ValidationError as error:
            problem = payload_invalid(error, subject="The event", hint=_HINT)
        raise problem

    @classmethod
    def check(cls) -> None:
        """Build the validators of a user's types in this class. Called when a function is decorated.

        Raises:
            TypeError: A type cannot be validated.
        """

    @classmethod
    def _decode(cls, event: object) -> Any:
        if isinstance(event, memoryview):
            event = event.tobytes()
        return open_text(read_json(event)) if isinstance(event, bytes | bytearray | str) else event

    @property
    def dedup_key(self) -> str | None:
        """A key that stays the same when the event is delivered again. None if the trigger gives no such value."""
        return None


class Carrier(Part):
    """A part with the sender's content: text, base64 of text, or JSON, depending on the sender and the trigger."""

    _content_field: ClassVar[str] = "body"

    def _content(self) -> Any:
        content = getattr(self, self._content_field)
        return "" if content is None else content

    @property
    def text(self) -> str:
        """The content as text. Base64 of a text is decoded. An object or an array is written as JSON."""
        content = self._content()
        return _without_base64(content) if isinstance(content, str) else json_text(content)

    def json(self) -> Any:  # type: ignore[override]  # the name in requests and Starlette; pydantic 2 does not use it
        """Read the content as JSON, through base64 and JSON in strings.

        Raises:
            PayloadInvalid: The content is not JSON.
        """
        return json_in(self._content(), owner=type(self).__name__)


def dedup_key(*parts: object) -> str:
    """Join the parts of a key. Different parts never give the same key."""
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"), default=str)


def open_text(value: Any) -> Any:
    """Decode JSON in strings and in base64, until the value is not a text or is an ordinary text."""
    return open_layers(value)[0]


def json_text(content: Any) -> str:
    """Write decoded content as JSON. Bytes are decoded as UTF-8.

    Raises:
        PayloadInvalid: The content cannot be written, for example because it is nested too deeply.
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
        PayloadInvalid: The content is a text that is not JSON.
    """
    opened, layers = open_layers(content)
    if layers or not isinstance(opened, str | bytes):
        return opened
    try:
        return read_json(opened)
    except NotJson as error:
        reason = str(error)
    raise PayloadInvalid(f"The content of {owner} is not JSON ({reason}).", hint="Read its .text instead.")


def _without_base64(text: str) -> str:
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
            return value  # pydantic reads an ISO text and refuses the rest
        try:
            return _EPOCH + timedelta(**{unit: value})
        except (OverflowError, ValueError):
            raise ValueError(f"Input is not a time in {unit} since 1970") from None

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
