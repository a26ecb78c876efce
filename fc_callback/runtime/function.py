"""A function and the result of an invocation, as values."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.errors import SettingsError
from fc_callback.runtime.runtimes import PROFILES, RUNNABLE, RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Mapping


def require_own_processes() -> None:
    """Check that this system can run functions in processes of their own, as FC does.

    Raises:
        SettingsError: It cannot, because it is Windows.
    """
    if not hasattr(os, "killpg"):
        raise SettingsError(
            "Functions run in processes of their own, as on FC, only on Linux and macOS: run this in WSL or in a container, "
            "or in a test give the callable itself to LocalCloudFlow.add_function."
        )


def _is_runtime(_spec: FunctionSpec, _field: attrs.Attribute[Any], value: str) -> None:
    if value not in PROFILES:
        raise SettingsError(f"The runtime {value!r} cannot be run on this machine; use one of {', '.join(RUNNABLE)}.")


def _is_positive(_spec: FunctionSpec, field: attrs.Attribute[Any], value: float) -> None:
    if value <= 0:
        raise SettingsError(f"{field.name} must be greater than 0, not {value}.")


def _profile_of(runtime: str) -> str:
    known = RUNTIMES.get(runtime)
    return known.profile if known and known.profile else runtime


def _absolute(path: str | Path) -> Path:
    return Path(path).resolve()


def _read_only(mapping: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(mapping))


@attrs.frozen(kw_only=True)
class FunctionSpec:
    """One function, as s.yaml describes it.

    Args:
        name: The function's name.
        handler: `module.function` or `dir/module.function`, inside the code directory.
        code_dir: The code directory, which FC unpacks at `/code`; it becomes absolute.
        runtime: `python3.10` or `python3.12` set the form of the context and the environment. `custom` runs the function
            under `fc-callback serve` and calls it over HTTP on loopback; `custom.debian10`, `custom.debian11`,
            `custom.debian12` and `custom-container` become `custom`. The interpreter is always `python`.
        timeout_seconds: The limit for one invocation, including the import of the module.
        memory_mb: The function's memory.
        limit_memory: Whether the process's address space is limited to `memory_mb`. The function then gets a
            MemoryError, while FC ends the process.
        environment: The function's variables. They are not in the repr, because they may hold keys.
        initializer: The hook that runs once in each instance, before its first request.
        pre_stop: The hook that runs before an instance is closed.
        initializer_timeout_seconds: At most 300 on FC.
        pre_stop_timeout_seconds: At most 90 on FC.
        region: Like `cn-hangzhou`.
        account_id: The account that owns the function.
        python: The interpreter.
        debug_port: The port on 127.0.0.1 at which debugpy, which `python` must have, waits for a debugger before the
            function is loaded; None for no debugger. Not for the runtime `custom`.

    Raises:
        SettingsError: An argument cannot be used, or this system is Windows.
    """

    name: str
    handler: str = "index.handler"
    code_dir: Path = attrs.field(converter=_absolute)
    runtime: str = attrs.field(default="python3.10", converter=_profile_of, validator=_is_runtime)
    timeout_seconds: float = attrs.field(default=60, validator=_is_positive)
    memory_mb: int = attrs.field(default=512, validator=_is_positive)
    limit_memory: bool = False
    environment: Mapping[str, str] = attrs.field(factory=dict, converter=_read_only, repr=False, hash=False)
    initializer: str | None = None
    pre_stop: str | None = None
    initializer_timeout_seconds: float = attrs.field(default=300, validator=_is_positive)
    pre_stop_timeout_seconds: float = attrs.field(default=90, validator=_is_positive)
    region: str = "cn-hangzhou"
    account_id: str = "1000000000000001"
    python: str = sys.executable
    debug_port: int | None = None

    def __attrs_post_init__(self) -> None:
        require_own_processes()


@attrs.frozen(kw_only=True)
class InvocationResult:
    """The result of one invocation.

    Attributes:
        request_id: FC's request id.
        body: The encoded result, or the error document.
        error_type: None if it succeeded, else the value of FC's header `X-Fc-Error-Type`: `UnhandledInvocationError`
            (an exception, or the process ended), `FunctionTimeout` or `InitializationError`. With `InvalidArgument` FC
            refuses an event that is too large, and the function does not run.
        exit_code: The exit code of the process, as in `subprocess` (negative: a signal's number); None if it runs.
        log: stdout and stderr of this invocation.
        duration_seconds: The whole time, including the start of a new process and its initializer.
    """

    request_id: str
    body: bytes = attrs.field(repr=False)
    error_type: str | None = None
    exit_code: int | None = None
    log: str = attrs.field(default="", repr=False)
    duration_seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the function returned a result."""
        return self.error_type is None

    @property
    def error_name(self) -> str:
        """The error name that a flow sees: the document's errorType, else `FC.Unknown`; "" if it succeeded.

        Source: CloudFlow documentation, the error names of FC tasks.
        """
        if self.error_type is None:
            return ""
        if self.error_type == "InvalidArgument":
            return "FC.InvalidArgument"
        return self._document_text("errorType") or "FC.Unknown"

    @property
    def error_message(self) -> str:
        """The document's errorMessage; "" if it succeeded."""
        return "" if self.error_type is None else self._document_text("errorMessage")

    def _document_text(self, key: str) -> str:
        try:
            document: Any = json.loads(self.body)
        except ValueError:
            return ""
        value = document.get(key) if isinstance(document, dict) else None
        return value if isinstance(value, str) else ""
