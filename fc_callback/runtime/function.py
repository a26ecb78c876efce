"""What runs, and what came of it: values without I/O."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.errors import SettingsError
from fc_callback.runtime.runtimes import PROFILES

if TYPE_CHECKING:
    from collections.abc import Mapping


def _is_runtime(_spec: FunctionSpec, _field: attrs.Attribute[Any], value: str) -> None:
    if value not in PROFILES:
        raise SettingsError(f"runtime {value!r} is not known here; take one of {', '.join(PROFILES)}.")


def _is_positive(_spec: FunctionSpec, field: attrs.Attribute[Any], value: float) -> None:
    if value <= 0:
        raise SettingsError(f"{field.name} must be more than 0, not {value}.")


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
        code_dir: The directory that FC would unpack at `/code`; made absolute.
        runtime: `python3.10` or `python3.12`: the shape of the context and of the environment; or `custom`: the function
            behind `fc-callback serve`, called over HTTP on loopback. The interpreter is `python`, whatever its version.
        timeout_seconds: For one invocation, the import of the module included.
        memory_mb: The function's memory.
        limit_memory: Whether the process's address space is held to `memory_mb`. A function then sees MemoryError,
            where FC would end the process.
        environment: Variables of the function. Not in the repr: people keep keys there.
        initializer: The hook that runs once in each instance, before its first request.
        pre_stop: The hook that runs before an instance is closed.
        initializer_timeout_seconds: At most 300 on FC.
        pre_stop_timeout_seconds: At most 90 on FC.
        region: Like `cn-hangzhou`.
        account_id: The account that owns the function.
        python: The interpreter.

    Raises:
        SettingsError: An argument cannot be used.
    """

    name: str
    handler: str = "index.handler"
    code_dir: Path = attrs.field(converter=_absolute)
    runtime: str = attrs.field(default="python3.10", validator=_is_runtime)
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


@attrs.frozen(kw_only=True)
class InvocationResult:
    """What one invocation gave.

    Attributes:
        request_id: FC's id of the invocation.
        body: The encoded result, or the error document.
        error_type: None where it succeeded, else what FC's header `X-Fc-Error-Type` would hold:
            `UnhandledInvocationError` (an exception, or the process ended), `FunctionTimeout` or `InitializationError`.
            `InvalidArgument` is FC's refusal of an event that is too large: the function did not run.
        exit_code: How the process ended, as `subprocess` tells it (negative: a signal's number); None if it lives.
        log: stdout and stderr of this invocation.
        duration_seconds: From the request to the answer, a new process's start and initializer included.
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
        """What a flow sees: the document's errorType, else `FC.Unknown`; "" where it succeeded.

        Source: CloudFlow documentation, the error names of FC tasks.
        """
        if self.error_type is None:
            return ""
        if self.error_type == "InvalidArgument":
            return "FC.InvalidArgument"
        return self._document_text("errorType") or "FC.Unknown"

    @property
    def error_message(self) -> str:
        """The document's errorMessage; "" where it succeeded."""
        return "" if self.error_type is None else self._document_text("errorMessage")

    def _document_text(self, key: str) -> str:
        try:
            document: Any = json.loads(self.body)
        except ValueError:
            return ""
        value = document.get(key) if isinstance(document, dict) else None
        return value if isinstance(value, str) else ""
