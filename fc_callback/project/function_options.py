"""Read a function of s.yaml as the options of a `FunctionSpec`, which runs it on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fc_callback.errors import SettingsError
from fc_callback.project.reader import read_project
from fc_callback.project.start_command import start_command

# What `fc-callback serve` runs without the option.
_SERVED_HOOKS = {"--initializer": "fc_callback.initializer"}

if TYPE_CHECKING:
    from pathlib import Path

    from fc_callback.project.manifest import Function
    from fc_callback.project.start_command import StartCommand


def function_options(path: Path, resource: str | None = None, *, code_dir: Path | None = None) -> dict[str, Any]:
    """Return the arguments of a `FunctionSpec` for a function of s.yaml.

    Args:
        path: The s.yaml.
        resource: The resource's key; may be left out if there is one function.
        code_dir: The directory with the code, instead of that of s.yaml.

    Raises:
        SettingsError: The file cannot be read, has no such function, or has several and `resource` names none.
    """
    project = read_project(path.resolve().parent)
    functions = {one.key: one for one in project.functions if one.document.path.name == path.name}
    if not functions:
        reason = next((problem.message for problem in project.problems), "it has no resource of component fc3.")
        raise SettingsError(f"There is no function in {path}: {reason}", hint="`fc-callback check` says more.")
    if resource is None and len(functions) > 1:
        raise SettingsError(f"{path} has several functions.", hint=f"Add --resource {' or '.join(functions)}.")
    function = functions.get(resource or next(iter(functions)))
    if function is None:
        raise SettingsError(f"{path} has no function {resource!r}.", hint=f"It has {', '.join(functions)}.")
    return spec_options(function, code_dir=code_dir)


def spec_options(function: Function, *, code_dir: Path | None = None) -> dict[str, Any]:
    """Return the arguments of a `FunctionSpec` for a function; those that s.yaml does not give are left out.

    Args:
        function: The function.
        code_dir: The directory with the code, instead of that of s.yaml. A container's image has its code, so that s.yaml
            names none.

    Raises:
        SettingsError: Its code is not a directory.
    """
    code_dir, file = code_dir or function.code_dir, function.document.path
    if code_dir is None:
        raise SettingsError(f"The code of {function.key!r} in {file} is not a directory.", hint="Add --code-dir.")
    return {name: value for name, value in _options(function, code_dir).items() if value is not None}


def _options(function: Function, code_dir: Path) -> dict[str, Any]:
    initializer, pre_stop = (function.mapping("instanceLifecycleConfig", name) for name in ("initializer", "preStop"))
    command = start_command(function)
    environment = dict(function.environment)
    if "PYTHONPATH" in environment:  # FC's /code is the code directory on this machine
        parts = environment["PYTHONPATH"].split(":")
        environment["PYTHONPATH"] = ":".join(
            f"{code_dir}{part.removeprefix('/code')}" if f"{part}/".startswith("/code/") else part for part in parts
        )
    return {
        "name": function.name,
        "handler": (command.handler if command else None) or function.text("handler"),
        "code_dir": code_dir,
        "runtime": function.runtime,
        "timeout_seconds": function.timeout_seconds,
        "memory_mb": _positive_integer(function.props.get("memorySize")),
        "environment": environment,
        "initializer": _hook(initializer, command, "--initializer"),
        "initializer_timeout_seconds": _positive_integer(initializer.get("timeout")),
        "pre_stop": _hook(pre_stop, command, "--pre-stop"),
        "pre_stop_timeout_seconds": _positive_integer(pre_stop.get("timeout")),
        "region": function.text("region") or None,
    }


def _hook(config: dict[str, Any], command: StartCommand | None, option: str) -> str | None:
    """Return the function of a hook. A start command names it itself; FC only sends a request where s.yaml has the hook."""
    if command is None or not command.handler:
        handler = config.get("handler")
        return handler if isinstance(handler, str) else None
    return command.option(option) or _SERVED_HOOKS.get(option) if config else None


def _positive_integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
