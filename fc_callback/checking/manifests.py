"""What s.yaml says, held to what Serverless Devs and FC take.

Sources: Serverless Devs, edition 3.0.0, and `s` 3.1.10 as it behaves; FC documentation, "CreateFunctionInput" and
"Environment variables".
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from fc_callback.checking.expressions import UNKNOWN, read_dotenv
from fc_callback.checking.findings import Finding
from fc_callback.checking.project import FUNCTIONS, component_name
from fc_callback.checking.properties import problems_of, runtimes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fc_callback.checking.documents import Document
    from fc_callback.checking.project import Function, Project

EDITION = "3.0.0"
ENVIRONMENT_MAX_BYTES = 4096
OLDEST_PYTHON = (3, 10)
_PLACEHOLDER = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}")
_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_FLOW_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
_ROLE = re.compile(r"acs:ram::(?P<account>\d+):role/(?P<name>[\w.-]+)")
_TAKES_ROLE = {"oss", "log", "mns_topic", "tablestore", "cdn_events"}
_PYTHON = re.compile(r"python(\d)(?:\.(\d+))?")


def check(project: Project) -> Iterator[Finding]:
    """Find what is wrong with the manifests and the functions' properties."""
    yield from project.findings
    for document in project.manifests:
        yield from _edition(document)
        yield from _component(document)
        yield from _duplicates(document)
    yield from _placeholders(project)
    yield from _dotenv(project.root)
    for function in project.functions:
        yield from _properties(function)
        yield from _runtime(function)
        yield from _variables(function)
        yield from _timeout(function)
        yield from _concurrency(function)
        yield from _triggers(function)
    yield from _names(project)


def _edition(document: Document) -> Iterator[Finding]:
    given = document.data.get("edition")
    if given == EDITION or ("extend" in document.data and given is None):
        return
    said = "It has no edition" if given is None else f"It says edition: {given}"
    yield Finding(
        rule="edition",
        file=document.file,
        line=document.line("edition"),
        message=f"{said}: `s verify` passes it, and `s deploy` does not know the component fc3 then.",
        hint=f"Write `edition: {EDITION}`.",
    )


def _component(document: Document) -> Iterator[Finding]:
    """Find functions that nothing else here looks at, because another component deploys them."""
    resources = document.data.get("resources")
    for key, entry in resources.items() if isinstance(resources, dict) else ():
        component, props = (entry.get("component"), entry.get("props")) if isinstance(entry, dict) else (None, None)
        if not isinstance(component, str) or component_name(component) == FUNCTIONS or not isinstance(props, dict):
            continue
        if "runtime" in props and "code" in props:
            yield Finding(
                rule="component",
                file=document.file,
                line=document.line("resources", key, "component"),
                message=f"{key!r} is a function, and {component!r} is not the component fc3: it is not checked at all.",
                hint="Write `component: fc3`.",
            )


def _duplicates(document: Document) -> Iterator[Finding]:
    for key, line in document.duplicates:
        yield Finding(
            rule="duplicate-key",
            file=document.file,
            line=line,
            message=f"The key {key!r} stands here for the second time: `s` says that the format is incorrect.",
            hint="Keep one of them.",
        )


def _placeholders(project: Project) -> Iterator[Finding]:
    """Look through the files that a template renders; code may hold double braces of its own."""
    documents = [*project.manifests, *(flow.document for flow in project.flows), *project.policies.values()]
    seen: set[Path] = set()
    for document in documents:
        if document.path in seen:
            continue
        seen.add(document.path)
        for number, line in enumerate(document.path.read_text("utf-8", "replace").splitlines(), 1):
            found = _PLACEHOLDER.search(line)
            if found:
                yield Finding(
                    rule="placeholder",
                    file=document.file,
                    line=number,
                    message=f"{found.group()} is left of a template, and would be deployed as it stands.",
                    hint="Write the value, or make the project again with `fc-callback new` or `s init --parameters`.",
                )


def _dotenv(root: Path) -> Iterator[Finding]:
    for name in (".env", ".env.example"):
        path = root / name
        for variable in read_dotenv(path):
            if not variable.startswith(("FC_", "_FC_")):
                continue
            lines = path.read_text("utf-8", "replace").splitlines()
            line = next(number for number, text in enumerate(lines, 1) if variable in text)
            yield Finding(
                rule="reserved-variable",
                file=name,
                line=line,
                message=f"{variable} begins with FC_: `s` takes such variables for its own; FC_REGION sends the upload "
                "to a host that answers inside FC only.",
                hint="Give it another name.",
            )


def _properties(function: Function) -> Iterator[Finding]:
    for problem in problems_of(function.props):
        yield function.finding(problem.rule, problem.message, problem.hint, *problem.place)


def _runtime(function: Function) -> Iterator[Finding]:
    runtime = function.props.get("runtime")
    if runtime is None or runtime is UNKNOWN:
        return
    known = [name for name in runtimes() if name.startswith(("python", "custom"))]
    python = _PYTHON.fullmatch(str(runtime))
    if runtime not in runtimes():
        close = difflib.get_close_matches(str(runtime), known, n=1)
        hint = f"Did you mean {close[0]}? " if close and not python else ""
        yield function.finding(
            "runtime",
            f"FC has no runtime {runtime!r}.",
            f"{hint}FC's own Pythons are python3.10 and python3.12; any other takes custom-container.",
            "runtime",
        )
    elif python and (int(python.group(1)), int(python.group(2) or 0)) < OLDEST_PYTHON:
        yield function.finding(
            "runtime",
            f"fc_callback needs Python 3.10, and {runtime} is older.",
            "Take python3.10, or python3.12 where your region has it.",
            "runtime",
        )


def _variables(function: Function) -> Iterator[Finding]:
    for name in function.mapping("environmentVariables"):
        if str(name).startswith(("FC_", "_FC_")):
            yield function.finding(
                "reserved-variable",
                f"{name} begins with FC_: FC deletes such variables before the code is loaded.",
                f"Call it {str(name).lstrip('_').removeprefix('FC_')}.",
                "environmentVariables",
                name,
            )
    size = sum(len(f"{name}={value}".encode()) for name, value in function.environment.items())
    if size > ENVIRONMENT_MAX_BYTES:
        yield function.finding(
            "environment-size",
            f"The environment variables take {size} bytes, and FC allows {ENVIRONMENT_MAX_BYTES}.",
            "Put long values into a file of the package, or into OSS.",
            "environmentVariables",
        )


def _timeout(function: Function) -> Iterator[Finding]:
    if "timeout" not in function.props:
        yield function.finding(
            "timeout-default",
            "No timeout is stated, and fc3's default is 3 seconds: hardly enough for a report that has to be repeated.",
            "Write `timeout: 60`, or what the work takes.",
        )


def _concurrency(function: Function) -> Iterator[Finding]:
    given = function.props.get("instanceConcurrency")
    if function.is_python and isinstance(given, int) and given > 1:
        yield function.finding(
            "instance-concurrency",
            f"instanceConcurrency {given} has no effect on {function.runtime}: built-in runtimes serve one at a time.",
            "Leave it out, or take a custom runtime.",
            "instanceConcurrency",
        )


def _triggers(function: Function) -> Iterator[Finding]:
    for index, trigger in function.triggers:
        kind = str(trigger.get("triggerType"))
        if kind in _TAKES_ROLE and "invocationRole" not in trigger:
            yield function.finding(
                "trigger-role",
                f"The trigger {trigger.get('triggerName')!r} has no invocationRole: `s deploy` then makes a role, which "
                "takes rights of its own.",
                "Name the role with which the source invokes the function, as a full ARN.",
                "triggers",
                index,
            )


def _names(project: Project) -> Iterator[Finding]:
    for function in project.functions:
        name = function.props.get("functionName")
        if isinstance(name, str) and not _FUNCTION_NAME.fullmatch(name):
            yield function.finding(
                "name",
                f"{name!r} cannot be a function's name.",
                "It has 1 to 64 letters, digits, _ and -, and begins with a letter or _.",
                "functionName",
            )
    for resource in project.flow_resources:
        name = resource.props.get("name")
        if isinstance(name, str) and not _FLOW_NAME.fullmatch(name):
            yield resource.finding(
                "name",
                f"{name!r} cannot be a flow's name.",
                "It has 1 to 128 letters, digits, _ and -, and begins with a letter or _.",
                "name",
            )


def role_problem(role: Any) -> tuple[str, str] | None:
    """Say what is wrong with a role's ARN as fc3 takes it, and how to mend it; None for nothing."""
    if not isinstance(role, str) or role == "auto":
        return None
    if not _ROLE.fullmatch(role):
        return (
            f"{role!r} is no role's ARN.",
            "Write the whole of it: acs:ram::<account id>:role/<name>.",
        )
    if role != role.lower():
        return (
            f"fc3 writes the role in lower case ({role.lower()}), and so asks for another role.",
            "Give the role a name in lower case.",
        )
    return None
