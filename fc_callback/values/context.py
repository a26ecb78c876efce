"""The context of one invocation as values: `FcContext`, `Credentials` and `Deadline`.

FC's own context object differs by runtime: up to Python 3.10 it has `credentials` and `service`, on 3.12 it has neither, and a
function without a role gets empty strings. `FcContext.read` returns the same fields for all of them.
Source: FC documentation, "Context" (event handlers of the Python runtimes) and "Environment variables".
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, TypeVar

from fc_callback.errors import CredentialsNotFound
from fc_callback.values import validators
from fc_callback.values.base import Value
from fc_callback.values.masked import Masked

if TYPE_CHECKING:
    from collections.abc import Mapping


_V = TypeVar("_V", bound=Value)

# The prefixes of the AccessKeyIds of a local CloudFlow: for a long-lived key, and for an STS session. Those of Alibaba Cloud
# begin with LTAI and STS. as well, followed by random letters and digits.
LOCAL_KEY_PREFIX = "LTAILocalCloudFlow"
LOCAL_SESSION_PREFIX = "STS.LocalCloudFlow"


class Credentials(Masked, Value):
    """An access key, with the security token if it is the temporary key of a role.

    Args:
        access_key_id: The id of the key.
        access_key_secret: The secret of the key.
        security_token: The STS token. None for a long-lived key.

    Raises:
        SettingsError: An argument is not a text.
    """

    access_key_id: str
    access_key_secret: str
    security_token: str | None = None

    def __post_init__(self) -> None:
        """Check that the fields are texts."""
        validators.text("access_key_id", self.access_key_id, "Give the key's id.")
        validators.text("access_key_secret", self.access_key_secret, "Give the key's secret.")
        if self.security_token is not None and not isinstance(self.security_token, str):
            validators.refuse("security_token", self.security_token, "Give the STS token, or leave it out.")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Credentials | None:
        """Read `ALIBABA_CLOUD_ACCESS_KEY_ID`, `_ACCESS_KEY_SECRET` and `_SECURITY_TOKEN`. Return None if they are not set.

        FC sets these variables for a function with a role. They are read at every call, because they rotate.
        """
        source = os.environ if environ is None else environ
        return _credentials(
            source.get("ALIBABA_CLOUD_ACCESS_KEY_ID"),
            source.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
            source.get("ALIBABA_CLOUD_SECURITY_TOKEN"),
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must be masked: the access key secret, and the STS token if there is one."""
        if self.security_token:
            return self.access_key_secret, self.security_token
        return (self.access_key_secret,)

    @property
    def is_local(self) -> bool:
        """Whether a local CloudFlow or `fc_callback.testing` created this key. Alibaba Cloud does not know it."""
        return self.access_key_id.startswith((LOCAL_KEY_PREFIX, LOCAL_SESSION_PREFIX))

    def __repr__(self) -> str:
        kind = "STS" if self.security_token else "key"
        return f"<Credentials {kind} {self.access_key_id[:4]}***>"


def _built(kind: type[_V], fields: dict[str, Any]) -> _V:
    """Build a value from a complete dict without validation. The dict must not be shared."""
    value = kind.__new__(kind)
    object.__setattr__(value, "__dict__", fields)
    return value


def _credentials(key_id: object, secret: object, token: object) -> Credentials | None:
    if not (isinstance(key_id, str) and key_id and isinstance(secret, str) and secret):
        return None
    security_token = token if isinstance(token, str) and token else None
    return _built(Credentials, {"access_key_id": key_id, "access_key_secret": secret, "security_token": security_token})


class Deadline(Value):
    """The time at which an invocation must have ended.

    FC's Python runtimes do not tell the remaining time, so it is the start of the invocation plus the function's timeout.

    Args:
        at: Seconds on the clock of `time.monotonic()`.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that is `seconds` from now."""
        return cls(at=time.monotonic() + seconds)

    def remaining_seconds(self) -> float:
        """Return the seconds left. They are negative after the deadline."""
        return self.at - time.monotonic()


class FcContext(Value, hidden=("raw",)):
    """FC's data about one invocation. A field that FC does not give has its default.

    Attributes:
        request_id: FC's id of this invocation.
        function_name: The name of the function.
        handler: The handler string of s.yaml.
        memory_mb: The function's memory in MB.
        timeout_seconds: The function's timeout in seconds. None if it is not known.
        region: The region, like `cn-hangzhou`. None if it is not known.
        account_id: The account that owns the function.
        version_id: The called version of the function, if a version was called.
        qualifier: The called version or alias.
        service_name: The service of an FC 2 function.
        retry_count: The number of earlier deliveries of this event. 0 if FC does not give it.
        credentials: The credentials of this invocation. None for a function without a role.
        deadline: The time at which the invocation must have ended. None if the timeout is not known.
        cloudflow_endpoint: The local CloudFlow that created this context and gets the reports, like
            `http://127.0.0.1:8089`. None on FC.
        raw: FC's own object.
    """

    request_id: str = ""
    function_name: str = ""
    handler: str = ""
    memory_mb: int | None = None
    timeout_seconds: int | None = None
    region: str | None = None
    account_id: str | None = None
    version_id: str | None = None
    qualifier: str | None = None
    service_name: str | None = None
    retry_count: int = 0
    credentials: Credentials | None = None
    deadline: Deadline | None = None
    cloudflow_endpoint: str | None = None
    raw: Any = None

    @classmethod
    def read(cls, raw: object, *, entered_at: float | None = None) -> FcContext:
        """Read FC's context object of any runtime. An `FcContext` is returned unchanged.

        Args:
            raw: The second argument of a handler. None and objects without these attributes are accepted, so that a test
                can call a handler.
            entered_at: The start of the invocation on the clock of `time.monotonic()`. The default is now.
        """
        if isinstance(raw, FcContext):
            return raw
        function = getattr(raw, "function", None)
        service = getattr(raw, "service", None)  # FC 2's; most contexts have none
        timeout = _int_attribute(function, "timeout")
        version, qualifier = _text_attribute(function, "version_id"), _text_attribute(function, "qualifier")
        if service is not None:
            version = version or _text_attribute(service, "version_id")
            qualifier = qualifier or _text_attribute(service, "qualifier")
        deadline = None
        if timeout:
            deadline = _built(Deadline, {"at": (time.monotonic() if entered_at is None else entered_at) + timeout})
        return _built(
            cls,
            {
                "request_id": _text_attribute(raw, "request_id") or _text_attribute(raw, "requestId") or "",
                "function_name": _text_attribute(function, "name") or os.environ.get("FC_FUNCTION_NAME", ""),
                "handler": _text_attribute(function, "handler") or "",
                "memory_mb": _int_attribute(function, "memory"),
                "timeout_seconds": timeout,
                "region": _text_attribute(raw, "region") or os.environ.get("FC_REGION") or None,
                "account_id": _text_attribute(raw, "account_id") or os.environ.get("FC_ACCOUNT_ID") or None,
                "version_id": version,
                "qualifier": qualifier,
                "service_name": _text_attribute(service, "name") if service is not None else None,
                "retry_count": _int_attribute(raw, "retry_count") or 0,
                "credentials": _read_credentials(raw),
                "deadline": deadline,
                "cloudflow_endpoint": _text_attribute(raw, "cloudflow_endpoint"),
                "raw": raw,
            },
        )

    def _compared(self) -> tuple[object, ...]:
        # `raw` is not compared, because it is an object of FC or of a test.
        return tuple(value for name, value in sorted(vars(self).items()) if name != "raw")

    def __copy__(self) -> FcContext:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FcContext:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # A context is pickled for a log record or a crash report. FC's own object contains secrets, so it is left out.
        shown = {name: value for name, value in vars(self).items() if name not in {"credentials", "raw"}}
        return _context_from_pickle, (shown,)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts of this invocation that must be masked: the key's secret and the STS token."""
        return () if self.credentials is None else self.credentials.secrets

    def require_credentials(self) -> Credentials:
        """Return the credentials of this invocation.

        Raises:
            CredentialsNotFound: There are none, because the function has no role.
        """
        if self.credentials is None:
            raise CredentialsNotFound(
                "This invocation has no credentials to sign a report with: the function has no role."
            )
        return self.credentials


def _context_from_pickle(fields: dict[str, Any]) -> FcContext:
    return FcContext(**fields)


def _read_credentials(raw: object) -> Credentials | None:
    given = getattr(raw, "credentials", None)
    found = _credentials(
        getattr(given, "access_key_id", None),
        getattr(given, "access_key_secret", None),
        getattr(given, "security_token", None),
    )
    # The credentials of the context belong to this invocation, so they win. Python 3.12 has them only in the environment.
    return found or Credentials.from_environment()


def _text_attribute(holder: object, name: str) -> str | None:
    value = getattr(holder, name, None)
    return value if isinstance(value, str) and value else None


def _int_attribute(holder: object, name: str) -> int | None:
    value: Any = getattr(holder, name, None)
    if type(value) is int:
        return value
    if value is None or value == "":
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
