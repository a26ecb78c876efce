"""Builds FC's context as each runtime does, for handlers that are called in the current process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fc_callback.errors import SettingsError
from fc_callback.runtime.headers import HeaderContext
from fc_callback.runtime.instance import new_request_id
from fc_callback.runtime.runtimes import PROFILES
from fc_callback.runtime.worker import CREDENTIAL_VARIABLES, FCContext310, FCContext312

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from fc_callback.values.context import Credentials


def make_context(
    runtime: Literal["python3.10", "python3.12", "custom"] = "python3.10",
    *,
    request_id: str | None = None,
    function_name: str = "function",
    handler: str = "index.handler",
    timeout_seconds: int = 60,
    memory_mb: int = 512,
    region: str = "cn-hangzhou",
    account_id: str = "1000000000000001",
    retry_count: int = 0,
    credentials: Credentials | None = None,
    environ: MutableMapping[str, str] | None = None,
    cloudflow_endpoint: str | None = None,
) -> Any:
    """Return a context as a runtime passes it to a handler.

    Args:
        runtime: `python3.10` (and older): with `credentials` and `service`. `python3.12`: without both; credentials are
            in the environment. `custom`: built from the headers that a custom runtime receives.
        request_id: A new one if None.
        function_name: The function's name.
        handler: The handler string of s.yaml.
        timeout_seconds: The function's timeout, which sets the deadline.
        memory_mb: The function's memory.
        region: The function's region.
        account_id: The account that owns the function.
        retry_count: The number of earlier deliveries of the event; not in the context of python3.12.
        credentials: The credentials of the invocation; None for a function without a role.
        environ: The mapping that python3.12's credentials are written to; None for none.
        cloudflow_endpoint: The URL of the local CloudFlow that tasks are reported to, like `service.endpoint`. FC's own
            contexts do not have this attribute; without it CLOUDFLOW_ENDPOINT or the region decides.

    Raises:
        SettingsError: The runtime does not exist.
    """
    if runtime not in PROFILES:
        raise SettingsError(f"The runtime {runtime!r} does not exist; use one of {', '.join(PROFILES)}.")
    key = (
        ("", "", "")
        if credentials is None
        else (credentials.access_key_id, credentials.access_key_secret, credentials.security_token or "")
    )
    request_id = new_request_id() if request_id is None else request_id
    context: Any
    if runtime == "custom":
        fields = {
            "request-id": request_id,
            "region": region,
            "account-id": account_id,
            "retry-count": str(retry_count),
            "function-name": function_name,
            "function-handler": handler,
            "function-memory": str(memory_mb),
            "function-timeout": str(timeout_seconds),
            **dict(zip(("access-key-id", "access-key-secret", "security-token"), key, strict=True)),
        }
        context = HeaderContext({f"x-fc-{name}": value for name, value in fields.items()})
    else:
        config = {
            "region": region,
            "account_id": account_id,
            "name": function_name,
            "memory": memory_mb,
            "timeout": timeout_seconds,
        }
        call = {"request_id": request_id, "handler": handler, "credentials": key, "retry_count": retry_count}
        context = (FCContext310 if runtime == "python3.10" else FCContext312)(config, call)
        if runtime == "python3.12" and environ is not None:
            environ.update(zip(CREDENTIAL_VARIABLES, key, strict=True))
    if cloudflow_endpoint is not None:
        context.cloudflow_endpoint = cloudflow_endpoint
    return context
