"""Check that what the code imports is on FC: in the package, among the requirements, or in a layer.

What cannot be known here is no error: a layer may bring a package, and a requirement that is not installed here may need it.

Sources: FC documentation, "Python runtimes" (the preinstalled packages; /code is on the path, /code/python is not).
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs
from packaging.utils import canonicalize_name

from fc_callback.checking.actions import Built, built_before_deploy, fills_python_dir
from fc_callback.checking.findings import Finding, finding_at
from fc_callback.checking.handlers import handler_of, hooks_of
from fc_callback.checking.sources import imports_of, is_in, python_path
from fc_callback.project.documents import relative_name
from fc_callback.project.expressions import UNKNOWN
from fc_callback.project.requirements import Requirements, read_requirements
from fc_callback.project.wheels import DEPENDENCIES_DIR, DEPENDENCIES_IN_CLOUD, TargetPlatform

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from fc_callback.project import Function, Project

# Files of other tools that name requirements.
_OTHER_TOOLS = ("pyproject.toml", "uv.lock", "poetry.lock", "Pipfile", "setup.py", "setup.cfg", "environment.yml")
_PREINSTALLED: Final = {
    "python3.10": "oss2 tablestore fc2 mns aliyun wand scrapy pymysql elasticsearch PIL OpenSSL redis requests aliyunsdkcore",
    "python3.12": "oss2 wand scrapy fitz pymupdf elasticsearch PIL OpenSSL redis requests",
}
_Absence: TypeAlias = "tuple[Finding, Collection[str]]"
_PREINSTALLED_FAMILY: Final = {"python3.10": "aliyunsdk", "python3.12": "alibabacloud_"}


@attrs.frozen(kw_only=True)
class Absences:
    """The findings about dependencies, and the modules that they are about."""

    findings: tuple[Finding, ...]
    modules: frozenset[str]


def check(project: Project) -> Absences:
    """Find imports that FC cannot satisfy, or that the check cannot judge."""
    found = list(_found(project))
    return Absences(
        findings=tuple(finding for finding, _ in found), modules=frozenset(name for _, names in found for name in names)
    )


def _found(project: Project) -> Iterator[_Absence]:
    for function in project.functions:
        target, handler = TargetPlatform.of_runtime(function.runtime), handler_of(project, function)
        if function.code_dir is not None and target is not None and handler is not None:
            handlers = [handler.text, *(hook.text for hook in hooks_of(function))]
            yield from _dependencies(project, function, function.code_dir, handlers, target)


def _dependencies(
    project: Project, function: Function, code_dir: Path, handlers: list[str], target: TargetPlatform
) -> Iterator[_Absence]:
    sources = imports_of(code_dir, handlers)
    requirements = read_requirements(code_dir, project.root, target.marker_environment)
    built, dependencies = built_before_deploy(function), code_dir / DEPENDENCIES_DIR
    folders, others = python_path(function.environment, code_dir)
    absent = {
        name: place
        for name, place in sources.modules.items()
        if not any(is_in(folder, name) for folder in (dependencies, *folders))
    }
    anywhere = sources.changes_path or others
    unbuilt: dict[str, tuple[Path, int]] = {}
    unknown: dict[str, tuple[Path, int]] = {}
    for name, place in absent.items():
        distribution = requirements.provider(name)
        if distribution is not None and requirements.covers(distribution):
            unbuilt[name] = place
        else:
            unknown[name] = place
    if unbuilt and built is Built.NOTHING and not _has_layers(function):
        yield _together(
            project, "dependency-unbuilt", unbuilt,
            f"imports {{}}, which {requirements.file} names, and the package does not have it yet: no "
            "action of s.yaml builds it.",
            "Run `fc-callback build`, best as a pre-deploy action of s.yaml.",
        )  # fmt: skip
    if unknown and not anywhere and _is_whole(requirements, project.root, code_dir):
        yield from _unknown(project, function, unknown, requirements, built)
    if sources.modules and (fills_python_dir(function) or dependencies.is_dir()) and not sources.changes_path:
        yield from ((finding, ()) for finding in _pythonpath(function))


def _unknown(
    project: Project,
    function: Function,
    unknown: dict[str, tuple[Path, int]],
    requirements: Requirements,
    built: Built,
) -> Iterator[_Absence]:
    """Judge imports that neither the package nor the requirements satisfy."""
    add = (
        f"Add {{}} to {requirements.file_to_edit}."
        if requirements.path
        else "Name {} in a new requirements.txt beside the code."
    )
    if _has_layers(function):
        yield _together(
            project, "dependency-layer", unknown,
            "imports {}, which is neither in the package nor among the requirements. A layer of the function may "
            "bring it; the check does not read layers.",
            f"Silence this rule if a layer brings it. {add.format('it')}",
        )  # fmt: skip
        return
    if built is Built.UNKNOWN:
        return
    preinstalled = {name: place for name, place in unknown.items() if _is_preinstalled(name, function.runtime)}
    if preinstalled:
        yield _together(
            project, "dependency-preinstalled", preinstalled,
            f"imports {{}}, which only the runtime {function.runtime} itself has. Its version changes without notice.",
            add.format("it"),
        )  # fmt: skip
    for name, (path, line) in unknown.items():
        if name not in preinstalled:
            distribution = requirements.provider(name) or name
            finding = Finding(
                rule="dependency-missing",
                file=relative_name(path, project.root),
                line=line,
                message=f"The code imports {name}, and {distribution} is neither in the package nor among the requirements: "
                "FC has none.",
                hint=add.format(distribution),
            )
            yield finding, (name,)


def _together(project: Project, rule: str, modules: dict[str, tuple[Path, int]], problem: str, hint: str) -> _Absence:
    path, line = next(iter(modules.values()))
    message = f"The code {problem.format(', '.join(modules))}"
    return Finding(rule=rule, file=relative_name(path, project.root), line=line, message=message, hint=hint), modules


def _has_layers(function: Function) -> bool:
    layers = function.props.get("layers")
    return layers is UNKNOWN or bool(isinstance(layers, list) and layers)


def _is_preinstalled(name: str, runtime: str) -> bool:
    family = _PREINSTALLED_FAMILY.get(runtime)
    return name in _PREINSTALLED.get(runtime, "").split() or bool(family and name.startswith(family))


def _is_whole(requirements: Requirements, root: Path, code_dir: Path) -> bool:
    """Whether it is known what the requirements bring: each is installed here, with what it needs in turn."""
    if requirements.path is None:
        return not any((folder / name).exists() for folder in (code_dir, root) for name in _OTHER_TOOLS)
    return all(map(_is_installed, requirements.needed))


def _is_installed(name: str) -> bool:
    try:
        return bool(metadata.distribution(canonicalize_name(name)))
    except metadata.PackageNotFoundError:
        return False


def _pythonpath(function: Function) -> Iterator[Finding]:
    variables = function.props.get("environmentVariables", {})
    if not isinstance(variables, dict) or "PYTHONUSERBASE" in variables:
        return
    given = variables.get("PYTHONPATH", "")
    if isinstance(given, str) and DEPENDENCIES_IN_CLOUD not in [part.rstrip("/") for part in given.split(":")]:
        problem = f"PYTHONPATH is {given!r}" if given else "PYTHONPATH is not set"
        yield finding_at(
            function,
            "pythonpath",
            f"{problem}, and the dependencies are in {DEPENDENCIES_IN_CLOUD}: FC looks for modules in /code and "
            "/opt/python only.",
            f"Write `PYTHONPATH: {DEPENDENCIES_IN_CLOUD}` into environmentVariables.",
            *(("environmentVariables", "PYTHONPATH") if given else ("environmentVariables",)),
        )
