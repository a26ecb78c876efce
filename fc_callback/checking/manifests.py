"""Check s.yaml against what Serverless Devs and FC accept.

Sources: Serverless Devs, edition 3.0.0, and `s` 3.1.10 as it behaves; FC documentation, "CreateFunctionInput" and
"Environment variables".
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from fc_callback.checking.findings import Finding, finding_at
from fc_callback.checking.properties import problems_of, runtimes
from fc_callback.project.expressions import UNKNOWN, read_dotenv
from fc_callback.project.manifest import is_of_fc_2
from fc_callback.runtime.runtimes import OLDEST_PYTHON, RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fc_callback.project import Function, Project, Resource
    from fc_callback.project.documents import Document

EDITION = "3.0.0"
ENVIRONMENT_MAX_BYTES = 4096
# Source: devsapp/fnf, version 0.0.4 of the component flow, which refuses any other region.
_FLOW_REGIONS = (
    *("cn-beijing", "cn-hangzhou", "cn-shanghai", "cn-qingdao", "cn-shenzhen", "ap-southeast-1", "us-west-1"),
    "cn-heyuan-acdr-1",
)
_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_FLOW_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
_TRIGGERS_WITH_ROLE = {"oss", "log", "mns_topic", "tablestore", "cdn_events"}
_PYTHON = re.compile(r"python(\d)(?:\.(\d+))?")


def check(project: Project, tasks: Sequence[Function]) -> Iterator[Finding]:
    """Find what is wrong with the manifests and the functions' properties.

    Args:
        project: The project.
        tasks: Its functions that are proven to run tasks.
    """
    for document in project.manifests:
        if not is_of_fc_2(document.data):
            yield from _edition(document)
    yield from _dotenv(project.root)
    for function in project.functions:
        for problem in problems_of(function.props):
            yield finding_at(function, problem.rule, problem.message, problem.hint, *problem.place)
        yield from _runtime(function, is_task=function in tasks)
        yield from _variables(function)
        yield from _timeout(function) if function in tasks else ()
        yield from _concurrency(function)
        yield from _triggers(function)
        yield from _name(function, "functionName", "function", _FUNCTION_NAME, 64)
    for resource in project.flow_resources:
        yield from _name(resource, "name", "flow", _FLOW_NAME, 128)
        yield from _flow_region(resource)


def _edition(document: Document) -> Iterator[Finding]:
    given = document.data.get("edition")
    if given == EDITION or ("extend" in document.data and given is None):
        return
    problem = "There is no edition" if given is None else f"The edition is {given}"
    yield Finding(
        rule="edition",
        file=document.file,
        line=document.line("edition"),
        message=f"{problem}: `s verify` accepts that, and then `s deploy` does not find the component fc3.",
        hint=f"Write `edition: {EDITION}`.",
    )


def _dotenv(root: Path) -> Iterator[Finding]:
    for name in (".env", ".env.example"):
        path = root / name
        for variable in read_dotenv(path):
            if variable != "FC_REGION":
                continue
            lines = path.read_text("utf-8", "replace").splitlines()
            line = next(number for number, text in enumerate(lines, 1) if variable in text)
            yield Finding(
                rule="reserved-variable",
                file=name,
                line=line,
                message="`s` reads FC_REGION as a setting of its own: it sends the upload to a host that answers only inside "
                "FC.",
                hint="Rename it.",
            )


def _runtime(function: Function, *, is_task: bool) -> Iterator[Finding]:
    runtime = function.props.get("runtime")
    if runtime is None or runtime is UNKNOWN:
        return
    python = _PYTHON.fullmatch(str(runtime))
    if runtime not in runtimes():
        close = difflib.get_close_matches(str(runtime), RUNTIMES, n=1)
        suggestion = f"Did you mean {close[0]}? " if close and not python else ""
        problem = f"FC has no runtime {runtime!r}."
        hint = f"{suggestion}FC's own Pythons are {_built_in(' and ')}; for another one use custom-container."
        yield finding_at(function, "runtime", problem, hint, "runtime")
    elif is_task and python and (int(python.group(1)), int(python.group(2) or 0)) < OLDEST_PYTHON:
        problem = f"fc_callback needs Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]}, and {runtime} is older."
        yield finding_at(function, "runtime", problem, f"Use {_built_in(' or ')}.", "runtime")


def _built_in(joint: str) -> str:
    return joint.join(one.id for one in RUNTIMES.values() if one.is_built_in and one.runs_fc_callback)


def _variables(function: Function) -> Iterator[Finding]:
    for name in function.mapping("environmentVariables"):
        if name.startswith(("FC_", "_FC_")):
            yield finding_at(
                function,
                "reserved-variable",
                f"{name} begins with FC_: FC deletes such variables before it loads the code.",
                f"Rename it to {name.lstrip('_').removeprefix('FC_')}.",
                *("environmentVariables", name),
            )
    size = sum(len(f"{name}={value}".encode()) for name, value in function.environment.items())
    if size > ENVIRONMENT_MAX_BYTES:
        yield finding_at(
            function,
            "environment-size",
            f"The environment variables take {size} bytes, and FC allows {ENVIRONMENT_MAX_BYTES}.",
            "Move long values to a file of the package, or to OSS.",
            "environmentVariables",
        )


def _timeout(function: Function) -> Iterator[Finding]:
    if "timeout" not in function.props:
        yield finding_at(
            function,
            "timeout-default",
            "No timeout is set. fc3's default is 3 seconds, which is too short for a report that has to be repeated.",
            "Write `timeout: 60`, or as many seconds as the work takes.",
        )


def _concurrency(function: Function) -> Iterator[Finding]:
    given = function.props.get("instanceConcurrency")
    if function.is_python and isinstance(given, int) and given > 1:
        yield finding_at(
            function,
            "instance-concurrency",
            f"instanceConcurrency {given} has no effect: {function.runtime} serves one request at a time.",
            "Remove it, or use a custom runtime.",
            "instanceConcurrency",
        )


def _triggers(function: Function) -> Iterator[Finding]:
    for index, trigger in function.triggers:
        if str(trigger.get("triggerType")) in _TRIGGERS_WITH_ROLE and "invocationRole" not in trigger:
            yield finding_at(
                function,
                "trigger-role",
                f"The trigger {trigger.get('triggerName')!r} has no invocationRole: `s deploy` then creates a role, for "
                "which the deploying user needs RAM permissions.",
                "Name the role with which the source invokes the function, as a full ARN.",
                *("triggers", index),
            )


def _flow_region(resource: Resource) -> Iterator[Finding]:
    region = resource.text("region")
    if region and region not in _FLOW_REGIONS:
        yield finding_at(
            resource,
            "flow-region",
            f"The flow component does not deploy to the region {region}: `s deploy` stops.",
            f"It takes {', '.join(_FLOW_REGIONS)}. In another region create the flow in the console or with the aliyun CLI.",
            "region",
        )


def _name(resource: Resource, prop: str, kind: str, pattern: re.Pattern[str], longest: int) -> Iterator[Finding]:
    name = resource.props.get(prop)
    if isinstance(name, str) and not pattern.fullmatch(name):
        yield finding_at(
            resource,
            "name",
            f"{name!r} is not a valid name for a {kind}.",
            f"A name has 1 to {longest} letters, digits, _ and -, and begins with a letter or _.",
            prop,
        )
