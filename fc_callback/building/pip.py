"""Install with pip, where uv is not on PATH.

For another platform pip takes nothing but wheels, and it evaluates the markers of dependencies for the Python that runs it.
So packages that come as a source only are built first, and what the target alone needs is installed in further rounds.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import attrs
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from fc_callback.building.errors import BuildError
from fc_callback.building.installers import (
    InstallJob,
    ToolFailed,
    install_error,
    missing_error,
    not_portable_error,
    reaches_no_index,
    run_tool,
    source_error,
    write_lines,
)
from fc_callback.project.requirement_files import applicable, parse_requirement
from fc_callback.project.requirements import closure
from fc_callback.project.wheels import installed_packages, installed_versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.version import Version

_MAX_ROUNDS = 40  # each round builds one package, or installs what the round before made necessary
_MISSING = re.compile(r"No matching distribution found for ([^\n]+)")
# A person's settings that hold for environments, not for a directory.
_ENVIRONMENT = {"PYTHONWARNINGS": "ignore", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_USER": "0"}
# Lines of pip's log: https://github.com/pypa/pip, pip/_internal/index/package_finder.py
_PYTHON_OF_LINK = r"(?:[^\n]*\(requires-python:([^)\n]*)\))?"
_SKIPPED_SOURCE = re.compile(r"Skipping link: No sources permitted for \S+: (\S+)" + _PYTHON_OF_LINK)
_SKIPPED_WHEEL = re.compile(r"Skipping link: none of the wheel's tags .*? are compatible.*?: (\S+)" + _PYTHON_OF_LINK)
_FOUND = re.compile(r"Found link (\S+)" + _PYTHON_OF_LINK)
_UNANSWERED = re.compile(r"Could not fetch URL [^\n]*")


@attrs.frozen(kw_only=True)
class Pip:
    """Installs with the pip of the Python that runs the build."""

    name: str = "pip"
    builds_what_it_fetches: bool = False

    def install(self, job: InstallJob) -> dict[str, str]:
        """Install packages, and return newer versions that have no wheel (see `Installer`)."""
        return _Installation(pip=self, job=job).run()

    def make_wheel(self, source: str, folder: Path, python: str) -> Path:
        """Build a wheel from a source tree, or from an archive or a repository of one (see `Installer`)."""
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self.call("wheel", "--no-deps", "--wheel-dir", str(folder), source, folder=folder, python=python)
        except ToolFailed as failure:
            raise source_error(source, self.name, str(failure)) from None
        return next(folder.glob("*.whl"))

    def call(self, *arguments: str, folder: Path, python: str | None = None) -> None:
        """Run pip, for another Python if one is given.

        Raises:
            ToolFailed: It ended with an error.
            BuildError: This Python has no pip.
        """
        other = ["--python", python] if python not in {None, sys.executable} else []
        command = [sys.executable, "-m", "pip", *map(str, other), *arguments, "--quiet", "--disable-pip-version-check"]
        try:
            run_tool(command, folder=folder, environment={**os.environ, **_ENVIRONMENT})
        except ToolFailed as failure:
            if "No module named pip" in str(failure):
                raise BuildError(
                    "There is no uv on PATH, and this Python has no pip.",
                    hint="Install uv, or run: python -m ensurepip",
                ) from None
            raise


@attrs.define(kw_only=True)
class _Installation:
    """One job, with the wheels that were built for it so far."""

    pip: Pip
    job: InstallJob
    lines: list[str] = attrs.field(init=False)
    constraints: list[str] = attrs.field(init=False)
    tried: set[str] = attrs.field(factory=set)

    def run(self) -> dict[str, str]:
        self.lines, self.constraints = list(self.job.lines), list(self.job.constraints)
        self._install_with_sources()
        blocked = self._blocked_packages()
        # An older version of a package took the place of one that needs what has no wheel.
        while self._build_all(blocked):
            shutil.rmtree(self.job.staged)
            self.job.staged.mkdir()
            self._install_with_sources()
            blocked = self._blocked_packages()
        newer = self._newer_versions()
        if not self.job.is_complete:
            self._install_what_the_target_needs()
        return newer

    @property
    def _log(self) -> Path:
        return self.job.scratch / "pip.log"

    @property
    def _wheels(self) -> Path:
        return self.job.scratch / "built"

    def _install_with_sources(self) -> None:
        """Install, and build the packages without wheels that pip asks for, until it asks for no more."""
        for _round in range(_MAX_ROUNDS):
            failure = self._install(self.lines)
            if failure is None:
                return
            missing = _MISSING.search(failure)
            if missing is None:
                raise install_error(self.pip.name, failure)
            self._build(missing[1].strip(), failure)
        raise BuildError("Too many packages come as a source only.", hint="Name wheels of them in the requirements.")

    def _install(self, lines: list[str]) -> str | None:
        """Install lines; return what pip says if it fails."""
        job = self.job
        platforms = [*job.target.platforms, "linux_x86_64"]  # the last is the tag of what was built on this machine
        self._log.unlink(missing_ok=True)
        requirements = write_lines(job.scratch / "requirements.txt", lines)
        constraints = write_lines(job.scratch / "constraints.txt", self.constraints)
        try:
            self.pip.call(
                *("install", "--requirement", str(requirements), "--constraint", str(constraints)),
                *("--target", str(job.staged), "--no-compile", "--upgrade", "--log", str(self._log)),
                *(("--no-deps",) if job.is_complete else ()),
                *(("--find-links", str(self._wheels)) if self._wheels.is_dir() else ()),
                *("--only-binary", ":all:", "--implementation", "cp"),
                *("--python-version", job.target.version, "--abi", job.target.abi),
                *(argument for platform in platforms for argument in ("--platform", platform)),
                folder=job.folder,
            )
        except ToolFailed as failure:
            # Only the log tells that an index did not answer; to pip that is the same as an index without the package.
            return "\n".join([str(failure), *_UNANSWERED.findall(self._log_text())])
        return None

    def _build_all(self, names: set[str]) -> bool:
        """Build packages as far as that is possible; whether there is a new wheel."""
        built = False
        for name in sorted(names - self.tried):
            try:
                self._build(name, "")
            except BuildError:  # the older version stays
                continue
            built = True
        return built

    def _build(self, wanted: str, said: str) -> None:
        """Build the newest version of a package that a requirement allows, and let pip find its wheel."""
        requirement = parse_requirement(wanted)
        name = canonicalize_name(requirement.name if requirement else wanted)
        if name in self.tried or requirement is None or reaches_no_index(said):
            raise missing_error(name, self.job.target, self.pip.name, said)
        self.tried.add(name)
        archive = self._download(name, wanted, said)
        wheel = self.pip.make_wheel(str(archive), self.job.scratch / "wheel-of" / name, self.job.python)
        tags = "-".join(wheel.stem.split("-")[-3:])
        if not self.job.target.loads(tags):
            raise not_portable_error(name, tags, self.job.target)
        self._wheels.mkdir(exist_ok=True)
        wheel.rename(self._wheels / wheel.name)
        digest = hashlib.sha256((self._wheels / wheel.name).read_bytes()).hexdigest()
        self.lines = [_with_hash(line, name, digest) for line in self.lines]

    def _download(self, name: str, wanted: str, said: str) -> Path:
        """Fetch the source of a package, and check its hash if the requirements give one."""
        folder = self.job.scratch / "source-of" / name
        own = [line for line in self.lines if _names(line, name)]
        options = [line for line in self.lines if line.startswith("-") and line != "--require-hashes"]
        file = write_lines(self.job.scratch / "source.txt", [*options, *(own or [wanted])])
        try:
            self.pip.call(
                *("download", "--no-deps", "--no-binary", name, "--python-version", self.job.target.version),
                *("--dest", str(folder), "--requirement", str(file)),
                folder=self.job.folder,
            )
        except ToolFailed as failure:
            if _MISSING.search(str(failure)):
                raise missing_error(name, self.job.target, self.pip.name, said or str(failure)) from None
            raise install_error(self.pip.name, str(failure)) from None
        return next(folder.iterdir())

    def _blocked_packages(self) -> set[str]:
        """Return the packages that pip looked for and found as sources only, and that are not installed."""
        sources = {name for name, _version in self._versions_in_log(_SKIPPED_SOURCE)}
        usable = {name for name, _version in self._versions_in_log(_FOUND)}
        looked_for = set(re.findall(r"No sources permitted for (\S+):", self._log_text()))
        return (sources & set(map(canonicalize_name, looked_for))) - usable - set(installed_versions(self.job.staged))

    def _newer_versions(self) -> dict[str, str]:
        installed = installed_packages(self.job.staged)
        specifiers: dict[str, list[SpecifierSet]] = {}
        for requirement in filter(None, map(parse_requirement, [*self.job.lines, *self.job.constraints])):
            specifiers.setdefault(canonicalize_name(requirement.name), []).append(requirement.specifier)
        for each in installed.values():
            for requirement in applicable(each.requires or [], self.job.target.marker_environment):
                specifiers.setdefault(canonicalize_name(requirement.name), []).append(requirement.specifier)
        newest: dict[str, Version] = {}
        for pattern in (_SKIPPED_SOURCE, _SKIPPED_WHEEL, _FOUND):
            for name, version in self._versions_in_log(pattern):
                allowed = all(each.contains(version) for each in specifiers.get(name, []))
                if name in installed and allowed and not version.is_prerelease:
                    newest[name] = max(version, newest.get(name, version))
        versions = installed_versions(self.job.staged)
        return {name: str(version) for name, version in newest.items() if _is_newer(version, versions[name])}

    def _versions_in_log(self, pattern: re.Pattern[str]) -> Iterator[tuple[str, Version]]:
        for url, python in pattern.findall(self._log_text()):
            if not _allows_python(python, self.job.target.version):
                continue
            file = Path(unquote(urlsplit(url).path)).name
            try:
                parsed = parse_wheel_filename(file)[:2] if file.endswith(".whl") else parse_sdist_filename(file)
            except (InvalidSdistFilename, InvalidWheelFilename):
                continue
            yield parsed

    def _log_text(self) -> str:
        return self._log.read_text("utf-8", "replace") if self._log.is_file() else ""

    def _install_what_the_target_needs(self) -> None:
        """Install what dependencies need on the target only."""
        job = self.job
        named = [one for one in map(parse_requirement, job.lines) if one]
        options = [line for line in job.lines if line.startswith("-") and line != "--require-hashes"]
        for _round in range(_MAX_ROUNDS):
            installed = installed_packages(job.staged)
            needed = closure(
                [*named, *applicable(installed, job.target.marker_environment)],
                job.target.marker_environment,
                lambda name: (installed[name].requires or []) if name in installed else [],  # noqa: B023 - called at once
            )
            missing = [requirement for name, requirement in needed.items() if name not in installed]
            if not missing:
                return
            for requirement in missing:
                requirement.marker = None
            versions = installed_versions(job.staged)
            self.constraints = [*job.constraints, *(f"{name}=={version}" for name, version in versions.items())]
            self.lines = [*options, *map(str, missing)]
            self._install_with_sources()
        raise BuildError("The dependencies need each other in too long a chain.", hint="Name them in the requirements.")


def _allows_python(requires_python: str, version: str) -> bool:
    try:
        return SpecifierSet(requires_python).contains(version)
    except InvalidSpecifier:
        return True


def _names(line: str, name: str) -> bool:
    requirement = None if line.startswith("-") else parse_requirement(line)
    return requirement is not None and canonicalize_name(requirement.name) == name


def _with_hash(line: str, name: str, digest: str) -> str:
    """Return a line that pins hashes with that of the wheel which was built from the checked source."""
    if "--hash" not in line or not _names(line, name):
        return line
    return f"{line.partition(' --')[0]} --hash=sha256:{digest}"


def _is_newer(version: Version, installed: str) -> bool:
    return version > type(version)(installed)
