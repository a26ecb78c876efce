"""HTTP requests through FC 3's HTTP trigger, and the response that a function returns.

Source: FC documentation, "Invoke a function through an HTTP trigger" (event format v1) and "Event handlers".
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import attrs
from pydantic import Field

from fc_callback.errors import PayloadInvalid, SettingsError
from fc_callback.events.base import Absent, Event, Milliseconds, Part, Texts, Time, json_text
from fc_callback.payload.json_layers import NotJson, decode_base64, read_json

_STATUS_CODES = range(100, 600)


class Request(Event):
    """A request with headers and a body, through the HTTP trigger or API Gateway."""

    headers: Texts = Field(default_factory=dict)
    query_parameters: Texts = Field(default_factory=dict)
    body: Any = None
    is_base64_encoded: Annotated[bool | None, Absent] = False

    def header(self, name: str) -> str | None:
        """Return the value of a header, or None. Upper and lower case are equal. Several values are joined by commas."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), None)

    @property
    def body_bytes(self) -> bytes:
        """The body as it was sent. Empty if there is no body.

        Raises:
            PayloadInvalid: The body is marked as base64 but is not base64.
        """
        if self.body is None or self.body == "":
            return b""
        if not isinstance(self.body, str):
            return json_text(self.body).encode("utf-8", "surrogatepass")
        if not self.is_base64_encoded:
            return self.body.encode("utf-8", "surrogatepass")
        decoded = decode_base64(self.body)
        if decoded is None:
            raise PayloadInvalid(
                "The request's body is marked as base64 but is not base64.", problems=(("$.body", "not base64"),)
            )
        return decoded

    @property
    def text(self) -> str:
        """The body as text, in the charset of Content-Type, else in UTF-8. Invalid bytes become U+FFFD."""
        if isinstance(self.body, str) and not self.is_base64_encoded:
            return self.body
        try:
            return self.body_bytes.decode(_charset(self.header("Content-Type") or ""), "replace")
        except LookupError:
            return self.body_bytes.decode("utf-8", "replace")

    def json(self) -> Any:  # type: ignore[override]  # the name in requests and Starlette; pydantic 2 does not use it
        """Read the body as JSON.

        Raises:
            PayloadInvalid: The body is not JSON.
        """
        try:
            return read_json(self.body_bytes)
        except NotJson as error:
            reason = str(error)
        raise PayloadInvalid(
            f"The request's body is not JSON ({reason}).", problems=(("$.body", "not JSON"),), hint="Read its .text."
        )


class HttpDetails(Part):
    """The request line and the client."""

    method: str
    path: str = ""
    protocol: str = ""
    source_ip: str = ""
    user_agent: str = ""


class RequestContext(Part):
    """FC's own data about a request."""

    http: HttpDetails
    account_id: str = ""
    domain_name: str = ""
    domain_prefix: str = ""
    request_id: str = ""
    time: Annotated[Time | None, Absent] = None
    time_epoch: Annotated[Milliseconds | None, Absent] = None


class HttpEvent(Request):
    """A request to an HTTP trigger (FC 3, format v1). Repeated headers and query parameters are joined by commas."""

    version: Literal["v1"]
    raw_path: str = ""
    request_context: RequestContext

    @property
    def method(self) -> str:
        """GET, POST and so on."""
        return self.request_context.http.method

    @property
    def path(self) -> str:
        """The path with percent-encoding decoded. `raw_path` is the path as sent."""
        return self.request_context.http.path

    @property
    def query(self) -> dict[str, str]:
        """The query parameters."""
        return self.query_parameters


@attrs.frozen(repr=False)
class HttpResponse:
    """A response to an HTTP request, for the HTTP trigger and for API Gateway.

    Args:
        body: A str is sent as text, bytes are sent unchanged, None is an empty body. Anything else is sent as JSON, also
            models and datetimes.
        status_code: 100 to 599.
        headers: Without a Content-Type, the body decides it.

    Raises:
        SettingsError: The status or a header is invalid.
    """

    body: Any = None
    status_code: int = attrs.field(default=200, kw_only=True)
    headers: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.status_code not in _STATUS_CODES:
            raise SettingsError(f"status_code must be 100 to 599, not {self.status_code}.")
        for name, value in self.headers.items():
            if not name or any(character in f"{name}{value}" for character in "\r\n\0"):
                raise SettingsError(
                    "headers= has an empty name, or a line break in a name or a value.",
                    hint="Remove the line break, or give the header a name.",
                )

    def __repr__(self) -> str:
        return f"<HttpResponse {self.status_code}>"

    def render(self) -> dict[str, Any]:
        """Return the dict that a handler returns to FC: statusCode, headers, isBase64Encoded and body."""
        body, content_type = _rendered_body(self.body)
        headers = {name: str(value) for name, value in self.headers.items()}
        if content_type and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = content_type
        encoded = isinstance(body, bytes) and bool(body)  # the gateway refuses an empty body that is marked as base64
        return {
            "statusCode": self.status_code,
            "headers": headers,
            "isBase64Encoded": encoded,
            "body": b64encode(body).decode() if isinstance(body, bytes) else body,
        }


def _rendered_body(body: Any) -> tuple[str | bytes, str | None]:
    if body is None:
        return "", None
    if isinstance(body, str):
        return body, "text/plain; charset=utf-8"
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body), "application/octet-stream"
    from pydantic_core import to_json

    return to_json(body).decode(), "application/json"


def _charset(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"') or "utf-8"
    return "utf-8"
