"""A function as s.yaml describes it, for running it on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fc_callback.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from fc_callback.checking.project import Function


def spec_options(path: Path, resource: str | None) -> dict[str, Any]:
    """Return what a `FunctionSpec` takes, from a resource of s.yaml.

    Args:
        path: The s.yaml.
        resource: The resource's key; may be left out where there is one function.

    Raises:
        SettingsError: It cannot be read, or there is no such function, or more than one.
    """
    from fc_callback.checking.project import read_project

    project = read_project(path.resolve().parent)
    functions = {one.key: one for one in project.functions if one.document.path.name == path.name}
    if not functions:
        why = next((finding.message for finding in project.findings), "it has no resource of component fc3.")
        raise SettingsError(f"There is no function in {path}: {why}")
    if resource is None and len(functions) > 1:
        raise SettingsError(f"{path} has several functions.", hint=f"Add --resource {' or '.join(functions)}.")
    function = functions.get(resource or next(iter(functions)))
    if function is None:
        raise SettingsError(f"{path} has no function {resource!r}.", hint=f"There is {', '.join(functions)}.")
    if function.code_dir is None:
        raise SettingsError(f"The code of {function.key!r} in {path} is not a directory.", hint="Add --code-dir.")
    return {name: value for name, value in _options(function, function.code_dir).items() if value is not None}


def _options(function: Function, code_dir: Path) -> dict[str, Any]:
    lifecycle = function.mapping("instanceLifecycleConfig")
    initializer, pre_stop = (_mapping(lifecycle, name) for name in ("initializer", "preStop"))
    environment = dict(function.environment)
    if "PYTHONPATH" in environment:  # where FC has /code, this machine has the directory
        parts = environment["PYTHONPATH"].split(":")
        environment["PYTHONPATH"] = ":".join(
            f"{code_dir}{part[len('/code') :]}" if part == "/code" or part.startswith("/code/") else part
            for part in parts
        )
    return {
        "name": function.name,
        "handler": function.text("handler") or _served_handler(function),
        "code_dir": code_dir,
        "runtime": "custom" if function.runtime.startswith("custom") else function.runtime,
        "timeout_seconds": function.timeout_seconds,
        "memory_mb": _number(function.props.get("memorySize")),
        "environment": environment,
        "initializer": initializer.get("handler"),
        "initializer_timeout_seconds": _number(initializer.get("timeout")),
        "pre_stop": pre_stop.get("handler"),
        "pre_stop_timeout_seconds": _number(pre_stop.get("timeout")),
        "region": function.text("region") or None,
    }


def _served_handler(function: Function) -> str | None:
    """Return the handler that a custom runtime's command serves: `[..., "serve", "index.handler"]`."""
    given = function.mapping("customRuntimeConfig")
    words = [str(word) for name in ("command", "args") for word in given.get(name) or ()]
    return words[words.index("serve") + 1] if "serve" in words[:-1] else None


def _mapping(source: dict[str, Any], name: str) -> dict[str, Any]:
    value = source.get(name)
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
