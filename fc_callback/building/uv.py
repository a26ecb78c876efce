"""Install with uv, which resolves for the function's Python and platform on any machine.

First it resolves as if every source could be built. A package whose version there has no wheel is then built, if no
version of it that the requirements allow has one; otherwise an older version with a wheel takes its place.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import attrs
from packaging.utils import canonicalize_name
from packaging.version import Version

from fc_callback.building.installers import (
    InstallJob,
    ToolFailed,
    install_error,
    missing_error,
    not_portable_error,
    run_tool,
    source_error,
    write_lines,
)
from fc_callback.project.pyproject import read_toml
from fc_callback.project.requirement_files import parse_requirement
from fc_callback.project.wheels import installed_versions

if TYPE_CHECKING:
    from pathlib import Path

    from fc_callback.building.errors import BuildError

_WHEEL_NEEDED = re.compile(r"Wheels are required for `([^`]+)`|attempted to build `([^`]+)`")
_NOT_FOUND = re.compile(
    r"(?:ecause|and) (?:all versions of )?([\w.-]+)\S* (?:was not found|ha(?:s|ve) no (?:usable )?wheels)|"
    r"no versions? of ([\w.-]+)|only the following versions of ([\w.-]+)"
)
_CANNOT_BUILD = re.compile(r"Failed to (?:download and )?build `([^`=@ ]+)")
_NOT_PORTABLE = re.compile(r"The built wheel `([^`]+)` is not compatible")


@attrs.frozen(kw_only=True)
class Uv:
    """Installs with a command `uv`."""

    command: str
    name: str = "uv"
    builds_what_it_fetches: bool = True

    def install(self, job: InstallJob) -> dict[str, str]:
        """Install packages, and return newer versions that have no wheel (see `Installer`)."""
        requirements = job.write_requirements()
        constraints = write_lines(job.scratch / "constraints.txt", job.constraints)
        common = [*_target_options(job), *_pip_settings(job), *(("--no-deps",) if job.is_complete else ())]
        common += ["--constraint", str(constraints)]
        newest = self._resolve(job, requirements, common)
        sources = {name for name, entry in newest.items() if not _is_wheel(entry)}
        built = {name for name in sources if not self._has_wheel(name, job, common)}
        pins = [f"{name}=={newest[name]['version']}" for name in sorted(built) if _is_of_index(newest[name])]
        write_lines(constraints, [*job.constraints, *pins])
        options = [*common, "--target", str(job.staged), "--link-mode", "copy", "--requirement", str(requirements)]
        while True:  # each round allows one more source
            try:
                self._run("pip", "install", *options, *_built_options(built), folder=job.folder)
                break
            except ToolFailed as failure:
                more = {
                    canonicalize_name(name) for pair in _WHEEL_NEEDED.findall(str(failure)) for name in pair if name
                }
                if not more - built:
                    raise self._error(str(failure), job) from None
                built |= more
        installed = installed_versions(job.staged)
        return {
            name: entry["version"]
            for name, entry in newest.items()
            if name in installed and Version(entry.get("version", "0")) > Version(installed[name])
        }

    def make_wheel(self, source: str, folder: Path, python: str) -> Path:
        """Build a wheel from a source tree, or from an archive of one (see `Installer`)."""
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._run(
                "build", "--wheel", "--out-dir", str(folder), "--python", python, source, folder=folder, quiet=False
            )
        except ToolFailed as failure:
            raise source_error(source, self.name, str(failure)) from None
        return next(folder.glob("*.whl"))

    def _run(self, *arguments: str, folder: Path, quiet: bool = True) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in {"UV_PYTHON", "UV_NO_BUILD"}}
        options = ["--no-progress", *(("--quiet",) if quiet else ())]
        run_tool([self.command, *arguments, *options], folder=folder, environment=environment)

    def _resolve(self, job: InstallJob, requirements: Path, common: list[str]) -> dict[str, dict[str, Any]]:
        """Return what would be installed if every source could be built, by canonical name."""
        output, wheels_only = job.scratch / "pylock.toml", set[str]()
        while True:  # each round leaves out one more source that cannot be built
            options = [option for name in sorted(wheels_only) for option in ("--only-binary", name)]
            try:
                self._run(
                    *("pip", "compile", "--format", "pylock.toml", "--output-file", str(output)),
                    *(*common, *options, str(requirements)),
                    folder=job.folder,
                )
                break
            except ToolFailed as failure:
                found = _CANNOT_BUILD.search(str(failure))
                if found is None or found[1] in wheels_only:
                    raise self._error(str(failure), job) from None
                wheels_only.add(found[1])
        packages = read_toml(output).get("packages", [])
        return {canonicalize_name(package["name"]): package for package in packages}

    def _has_wheel(self, name: str, job: InstallJob, common: list[str]) -> bool:
        """Whether a version that the requirements allow has a wheel for the target."""
        named = [one for one in map(parse_requirement, job.lines) if one and canonicalize_name(one.name) == name]
        if any(one.url for one in named):
            return False
        options = [line for line in job.lines if line.startswith("-") and not line.startswith("--require-hashes")]
        wanted = f"{name}{named[0].specifier}" if named else name
        probe = write_lines(job.scratch / "probe.txt", [*options, wanted])
        try:
            self._run(
                *("pip", "compile", *common, "--no-deps", "--only-binary", ":all:"),
                *("--output-file", str(job.scratch / "probe.lock"), str(probe)),
                folder=job.folder,
            )
        except ToolFailed:
            return False
        return True

    def _error(self, said: str, job: InstallJob) -> BuildError:
        joined = " ".join(said.split())  # uv wraps its sentences
        portable, unbuilt = _NOT_PORTABLE.search(joined), _CANNOT_BUILD.search(joined)
        if portable:
            name, _, tags = portable[1].removesuffix(".whl").partition("-")
            return not_portable_error(name, tags.partition("-")[2], job.target)
        if unbuilt:
            return source_error(unbuilt[1], self.name, said)
        needed, missing = _WHEEL_NEEDED.search(joined), _NOT_FOUND.search(joined)
        if needed or missing:
            name = next(name for found in (needed, missing) if found for name in found.groups() if name)
            return missing_error(name, job.target, self.name, said)
        return install_error(self.name, said)


def _is_wheel(entry: dict[str, Any]) -> bool:
    """Whether an entry of pylock.toml can be installed on the target without a build."""
    archive = entry.get("archive", {})
    return bool(entry.get("wheels")) or str(archive.get("url", archive.get("path", ""))).endswith(".whl")


def _is_of_index(entry: dict[str, Any]) -> bool:
    return "version" in entry and not {"directory", "archive", "vcs"} & set(entry)


def _target_options(job: InstallJob) -> list[str]:
    major, minor = job.target.glibc
    return [
        *("--python-platform", f"x86_64-manylinux_{major}_{minor}"),
        *("--python-version", job.target.version, "--python", job.python),
    ]


def _built_options(built: set[str]) -> list[str]:
    """Return the options that allow wheels, and for these packages sources."""
    return ["--only-binary", ":all:", *(option for name in sorted(built) for option in ("--no-binary", name))]


def _pip_settings(job: InstallJob) -> list[str]:
    """Return options of uv for what pip's own settings say about indexes: a project must not need both.

    uv does not read pip.conf or PIP_INDEX_URL. Its own variables, and the options in the requirements, win.
    """
    settings = _read_pip_settings(job.folder)
    options: list[str] = []
    names_index = any(re.match(r"(-i|--index-url)\b", line) for line in job.lines)
    if not names_index and not {"UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX"} & set(os.environ):
        options += [option for url in settings.get("index-url", "").split() for option in ("--default-index", url)]
        options += [option for url in settings.get("extra-index-url", "").split() for option in ("--index", url)]
    if "UV_FIND_LINKS" not in os.environ:
        options += [option for place in settings.get("find-links", "").split() for option in ("--find-links", place)]
    # With more than one index pip looks for the best version on all of them, uv on the first that has the package.
    if "UV_INDEX_STRATEGY" not in os.environ and (
        "--index" in options or any(line.startswith("--extra-index-url") for line in job.lines)
    ):
        options += ["--index-strategy", "unsafe-best-match"]
    options += [option for path in settings.get("constraint", "").split() for option in ("--constraint", path)]
    hosts = [*settings.get("trusted-host", "").split(), *_values_of("--trusted-host", job.lines)]
    options += [option for host in hosts for option in ("--allow-insecure-host", host)]
    if "--pre" in job.lines:
        options += ["--prerelease", "allow"]
    if settings.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        options.append("--no-index")
    return options


def _values_of(option: str, lines: tuple[str, ...]) -> list[str]:
    """Return the values of an option of requirements files that uv reads over."""
    found = (re.fullmatch(rf"{option}[ =]+(\S+)", line) for line in lines)
    return [each[1] for each in found if each]


def _read_pip_settings(folder: Path) -> dict[str, str]:
    try:
        listed = run_tool([sys.executable, "-m", "pip", "config", "list"], folder=folder)
    except ToolFailed:  # a Python without pip has no settings of it
        return {}
    settings: dict[str, str] = {}
    # The variables, which win, are listed first.
    for line in reversed(listed.splitlines()):
        name, equals, value = line.partition("=")
        if equals:
            settings[name.rpartition(".")[2]] = str(ast.literal_eval(value)).replace("\n", " ")
    return settings
