"""Put the dependencies of a project's functions into `code/python`, for the function's own Python and Linux.

FC looks for modules in /code and /opt/python by itself, so s.yaml sets PYTHONPATH to /code/python.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import attrs

from fc_callback.building.errors import BuildError
from fc_callback.building.finding import find_installer
from fc_callback.building.installers import Installer, InstallJob, not_portable_error
from fc_callback.building.package import compile_package, hidden_modules, level, target_python, trim
from fc_callback.building.size import PackageSize, size_of
from fc_callback.building.sources import with_wheels
from fc_callback.building.stamp import Stamp, built_digest, inputs_digest, is_unchanged
from fc_callback.building.swapping import require_own_directory, scratch_directory, swap_in
from fc_callback.project.documents import relative_name
from fc_callback.project.reader import read_project
from fc_callback.project.requirements import Requirements, read_requirements, with_own_source
from fc_callback.project.wheels import DEPENDENCIES_DIR, TargetPlatform, incompatible_wheels, installed_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from fc_callback.project.manifest import Function


@attrs.frozen(kw_only=True)
class Built:
    """One package that was built.

    Attributes:
        code_dir: What becomes /code.
        functions: The functions that run it.
        target: What it is built for.
        compiled: Whether it holds bytecode; only the target's own Python can make that.
        is_unchanged: Whether a build before this one had the same requirements, so that nothing was to do.
    """

    code_dir: Path
    functions: tuple[str, ...]
    target: TargetPlatform
    compiled: bool
    is_unchanged: bool

    def measure(self) -> PackageSize:
        """Return its parts, and how large they are; this compresses every file."""
        return size_of(self.code_dir)


def build_project(
    root: Path, *, fc_callback: str | None = None, on_progress: Callable[[str], None] = lambda _line: None
) -> list[Built]:
    """Build the packages of every function in s.yaml.

    Args:
        root: The directory of s.yaml.
        fc_callback: A wheel, a source tree or a URL that is packed instead of the released package.
        on_progress: Called with a line for each step, and for each function that is skipped.

    Raises:
        BuildError: There is no s.yaml, no function, a dependency cannot be packed, or the directory cannot be written.
        SettingsError: There is nothing at the path of `fc_callback`.
    """
    project = read_project(root)
    if not project.manifests:
        raise BuildError(
            f"There is no s.yaml in {root.absolute()} that can be read.", hint="`fc-callback check` says why."
        )
    if not project.functions:
        raise BuildError(
            "s.yaml has no resource of the component fc3.",
            hint="Add a function with `component: fc3`; there is nothing to build.",
        )
    built = []
    for code_dir, functions in _by_code_dir(project.functions, on_progress):
        names = tuple(function.name for function in functions)
        package = _Package(
            code_dir=code_dir, root=root, functions=names, target=_target(functions), on_progress=on_progress
        )
        on_progress(f"{package.name} for {', '.join(names)}: {package.target.description}")
        try:
            built.append(package.build(fc_callback))
        except OSError as error:
            where = error.filename or code_dir
            raise BuildError(
                f"{where} cannot be read or written: {error.strerror}.",
                hint="Correct its permissions, or free space on the disk; the package is as it was.",
            ) from None
    return built


def _by_code_dir(
    functions: Iterable[Function], on_progress: Callable[[str], None]
) -> list[tuple[Path, list[Function]]]:
    groups: dict[Path, list[Function]] = {}
    for function in functions:
        reason = _why_not_built(function)
        if reason:
            on_progress(f"{function.name} is skipped: {reason}.")
        elif function.code_dir is None:
            raise BuildError(
                f"The code directory of {function.name} does not exist.", hint="Correct `code:` in s.yaml."
            )
        else:
            groups.setdefault(function.code_dir, []).append(function)
    return list(groups.items())


def _why_not_built(function: Function) -> str | None:
    """Return why a function is left out; None for a function whose Python is known."""
    runtime = function.fc_runtime
    if function.is_python:
        return None
    if runtime is None:
        return f"the runtime {function.runtime} has no Python"
    if runtime.python is None:
        return f"a function of the runtime {function.runtime} brings its own Python"
    if not runtime.runs_fc_callback:
        return f"the Python of the runtime {function.runtime} is {runtime.python[0]}.{runtime.python[1]}"
    return None


def _target(functions: list[Function]) -> TargetPlatform:
    targets = {TargetPlatform.of_runtime(function.runtime): function.runtime for function in functions}
    if len(targets) > 1:
        raise BuildError(
            f"{' and '.join(sorted(targets.values()))} share one code directory.",
            hint="Give each runtime a directory of its own.",
        )
    ((target, runtime),) = targets.items()
    if target is None:
        raise BuildError(f"fc_callback does not run on {runtime}.", hint="Write python3.10 or python3.12 in s.yaml.")
    return target


@attrs.frozen(kw_only=True)
class _Package:
    """The package of one code directory."""

    code_dir: Path
    root: Path
    functions: tuple[str, ...]
    target: TargetPlatform
    on_progress: Callable[[str], None]

    @property
    def name(self) -> str:
        return relative_name(self.code_dir, self.root)

    @property
    def folder(self) -> Path:
        """The directory of the dependencies."""
        return self.code_dir / DEPENDENCIES_DIR

    def build(self, fc_callback: str | None) -> Built:
        requirements = read_requirements(self.code_dir, self.root, self.target.marker_environment)
        if requirements.path is None:
            self.on_progress(f"{self.name} has no requirements: there is nothing to put into the package.")
            return self._built(compiled=False, is_unchanged=False)
        if requirements.lines.problems:
            raise BuildError(requirements.lines.problems[0], hint=f"Correct {requirements.file}.")
        lines = requirements.lines
        if fc_callback is not None:
            replaced = with_own_source("\n".join(lines.lines), fc_callback).splitlines()
            lines = attrs.evolve(lines, lines=tuple(replaced))
        requirements = attrs.evolve(requirements, lines=lines)
        inputs = inputs_digest(lines, self.root, self.target)
        stamp = is_unchanged(self.folder, inputs, self.target)
        python = target_python(self.target) if stamp is None or not stamp.compiled else None
        if stamp is not None and (stamp.compiled or python is None):
            self.on_progress(
                f"{self.name}/{DEPENDENCIES_DIR} is as {requirements.file} says: nothing is fetched. To look for newer "
                "releases, delete it."
            )
            return self._built(compiled=stamp.compiled, is_unchanged=True)
        require_own_directory(self.folder, self.name)
        self._build(requirements, inputs, python)
        return self._built(compiled=python is not None, is_unchanged=False)

    def _built(self, *, compiled: bool, is_unchanged: bool) -> Built:
        return Built(
            code_dir=self.code_dir,
            functions=self.functions,
            target=self.target,
            compiled=compiled,
            is_unchanged=is_unchanged,
        )

    def _build(self, requirements: Requirements, inputs: str, python: str | None) -> None:
        with scratch_directory(self.code_dir) as scratch:
            staged = scratch / DEPENDENCIES_DIR
            staged.mkdir()
            self._install(requirements, staged, scratch, python or sys.executable)
            for wheel in incompatible_wheels(staged, self.target):
                raise not_portable_error(wheel.name, wheel.built_for, self.target)
            trim(staged)
            if python is not None:
                compile_package(staged, python)
            Stamp(inputs=inputs, files=built_digest(staged), compiled=python is not None).write(staged)
            level(staged)
            swap_in(staged, self.folder, scratch)
        if python is None:
            self.on_progress(
                f"Not byte-compiled: this is Python {sys.version_info[0]}.{sys.version_info[1]}, and the function's is "
                f"{self.target.version}. Its first start takes a little longer. To avoid that, install Python "
                f"{self.target.version} beside it."
            )

    def _install(self, requirements: Requirements, staged: Path, scratch: Path, python: str) -> None:
        assert requirements.path is not None
        installer: Installer = find_installer()
        self.on_progress(f"Installing the packages of {requirements.file} with {installer.name}")
        job = InstallJob(
            lines=with_wheels(requirements.lines.lines, installer, scratch, python, self.target),
            constraints=requirements.lines.constraints,
            is_complete=requirements.lines.is_complete,
            staged=staged,
            scratch=scratch,
            target=self.target,
            python=python,
            folder=requirements.path.parent,
        )
        newer = installer.install(job)
        versions = installed_versions(staged)
        for name, version in sorted(newer.items()):
            self.on_progress(
                f"{name} is {versions[name]}: {version} has no wheel for {self.target.description}, or a dependency of "
                "it has none."
            )
        for module in sorted(hidden_modules(self.code_dir, staged)):
            self.on_progress(
                f"{self.name}/{module} hides the dependency {module.removesuffix('.py')}: FC finds the code first. Rename "
                "it, unless that is meant."
            )
