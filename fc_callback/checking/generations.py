"""Find what is of FC 2.0, the previous generation: one finding for a manifest, and no other rule looks at that part.

Source: Serverless Devs, "s2tos3", a command of the component fc3 0.1.22, and its list of differences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.checking.findings import Finding
from fc_callback.project.manifest import FUNCTION_COMPONENT, component_name, is_of_fc_2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.project import Function, Project
    from fc_callback.project.documents import Document

_PREVIOUS = "fc"
# Below them the component fc has what fc3 has directly in the props.
_NESTED = ("function", "service")


def without_previous(project: Project) -> Project:
    """Return a project without the functions whose properties have the form of FC 2.0."""
    return attrs.evolve(project, functions=tuple(one for one in project.functions if not _nested(one.props)))


def check(project: Project) -> Iterator[Finding]:
    """Find manifests of FC 2.0, and resources of its component or with its form of properties."""
    for document in project.manifests:
        if is_of_fc_2(document.data):
            yield _translate(document, f"{document.file} is a manifest of FC 2.0 (`services:`)", "services")
            continue
        resources = document.data.get("resources")
        entries = resources if isinstance(resources, dict) else {}
        previous = [key for key, entry in entries.items() if _component(entry) == _PREVIOUS]
        if previous:
            names = ", ".join(map(repr, previous))
            problem = f"The component {_PREVIOUS} of {names} is that of FC 2.0"
            yield _translate(document, problem, "resources", previous[0], "component")
        for key, entry in entries.items():
            yield from _other_component(document, key, entry)
    for function in project.functions:
        yield from _form(function)


def _component(entry: Any) -> str:
    given = entry.get("component") if isinstance(entry, dict) else None
    return component_name(given) if isinstance(given, str) else ""


def _translate(document: Document, problem: str, *place: str) -> Finding:
    target = f"{document.path.stem}3.yaml"
    return Finding(
        rule="component",
        file=document.file,
        line=document.line(*place),
        message=f"{problem}: fc_callback and this check are for FC 3.0, so no other rule looks at it.",
        hint=f"Translate it with `s cli fc3 s2tos3 --source {document.file} --target {target}`, check the result, and use "
        f"it in place of {document.file}. HTTP functions of built-in runtimes then get an event, not a WSGI request.",
    )


def _other_component(document: Document, key: str, entry: Any) -> Iterator[Finding]:
    """Find a function whose component is misspelt; no other rule looks at it."""
    component, props = _component(entry), entry.get("props") if isinstance(entry, dict) else None
    if component in {"", FUNCTION_COMPONENT, _PREVIOUS} or not isinstance(props, dict):
        return
    if "runtime" in props and "code" in props:
        yield Finding(
            rule="component",
            file=document.file,
            line=document.line("resources", key, "component"),
            message=f"{key!r} is a function of the component {component!r}: this check knows only fc3 and skips it.",
            hint=f"Write `component: {FUNCTION_COMPONENT}`.",
        )


def _nested(props: dict[str, Any]) -> str | None:
    return next((name for name in _NESTED if isinstance(props.get(name), dict)), None)


def _form(function: Function) -> Iterator[Finding]:
    nested = _nested(function.props)
    if nested is None:
        return
    file, line = function.locate(nested)
    yield Finding(
        rule="component",
        file=file,
        line=line,
        message=f"The props of {function.key!r} have `{nested}:`, which is the form of FC 2.0: fc3 ignores it.",
        hint="Write the properties of the function directly below `props:`: functionName, runtime, code, handler.",
    )
