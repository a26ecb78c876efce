"""Which wheels a runtime of FC loads, and which packages in a directory it does not load.

FC's Python runtimes run on x86_64 only. Source: FC documentation, "Python runtimes" and "Custom runtimes".
"""

from __future__ import annotations

import functools
import os
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from packaging.tags import Tag, compatible_tags, cpython_tags, parse_tag
from packaging.utils import canonicalize_name

from fc_callback.runtime.runtimes import RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPENDENCIES_DIR = "python"
DEPENDENCIES_IN_CLOUD = f"/code/{DEPENDENCIES_DIR}"
"""FC looks for modules in /code and /opt/python only: PYTHONPATH has to name this one."""
_OLDEST_GLIBC = 17  # manylinux2014, with which most wheels are built
_OLDER_PLATFORMS = ("manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64", "linux_x86_64")
_MAX_PACKAGES = 2000
_NOT_PACKAGES = {"node_modules", "venv", "env", "__pycache__"}
_GLIBC_SYMBOL = re.compile(rb"GLIBC_2\.(\d+)")
_COMPILED = re.compile(r"\.(?:cpython-(?P<major>\d)(?P<minor>\d+)[a-z]*-)?(?P<machine>[^.]*)\.?(?P<kind>so|pyd|dylib)$")


@attrs.frozen(kw_only=True)
class TargetPlatform:
    """A runtime with a Python of its own, as wheels see it.

    Attributes:
        python: Like `(3, 10)`.
        glibc: The runtime's, like `(2, 28)`.
    """

    python: tuple[int, int]
    glibc: tuple[int, int]

    @classmethod
    def of_runtime(cls, runtime: str) -> TargetPlatform | None:
        """Return the target for a runtime like `python3.10` or `custom.debian12`.

        None for a runtime that fc_callback does not run on, and for an image, which brings its own Python.
        """
        known = RUNTIMES.get(runtime)
        if known is None or not known.runs_fc_callback or not known.python or not known.glibc:
            return None
        return cls(python=known.python, glibc=known.glibc)

    @property
    def description(self) -> str:
        """For people."""
        return f"Linux x86_64 with CPython {self.version}"

    @property
    def version(self) -> str:
        """Like `3.10`."""
        return f"{self.python[0]}.{self.python[1]}"

    @property
    def abi(self) -> str:
        """Like `cp310`."""
        return f"cp{self.python[0]}{self.python[1]}"

    @property
    def platforms(self) -> list[str]:
        """The platform tags that pip may take, the oldest and most portable first."""
        newer = [f"manylinux_2_{minor}_x86_64" for minor in range(_OLDEST_GLIBC, self.glibc[1] + 1)]
        return ["manylinux2014_x86_64", *newer]

    @property
    def marker_environment(self) -> dict[str, str]:
        """The variables of environment markers, as the function's Python has them."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.version}.0",
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.version}.0",
            "python_version": self.version,
            "sys_platform": "linux",
        }

    def loads(self, tag: str) -> bool:
        """Whether a wheel with a tag like `cp310-cp310-manylinux2014_x86_64` loads."""
        return not _loadable_tags(self).isdisjoint(parse_tag(tag))


@functools.cache
def _loadable_tags(target: TargetPlatform) -> set[Tag]:
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(5, target.glibc[1] + 1)]
    platforms += _OLDER_PLATFORMS
    return {
        *cpython_tags(target.python, [target.abi], platforms),
        *compatible_tags(target.python, target.abi, platforms),
    }


@attrs.frozen(kw_only=True)
class IncompatibleWheel:
    """A dependency that does not load on the target.

    Attributes:
        name: The distribution, or the file.
        path: Where it is.
        built_for: Its tags, or what its name says.
    """

    name: str
    path: Path
    built_for: str


def incompatible_wheels(folder: Path, target: TargetPlatform) -> Iterator[IncompatibleWheel]:
    """Find the packages in a directory that are built for another platform or Python."""
    if not folder.is_dir():
        return
    wheels = sorted(folder.glob("*.dist-info/WHEEL"))
    for wheel in wheels:
        tags = re.findall(r"^Tag:\s*(\S+-\S+-\S+)", wheel.read_text("utf-8", "replace"), re.MULTILINE)
        if tags and not any(target.loads(tag) for tag in tags):
            name = wheel.parent.name.removesuffix(".dist-info")
            yield IncompatibleWheel(name=name, path=wheel.parent, built_for=", ".join(tags))
        elif all(tag.endswith("-linux_x86_64") for tag in tags):
            yield from _too_new_for_glibc(wheel.parent, target)
    if wheels:
        return
    # Packages without their metadata: the names of compiled modules say what they are built for.
    for path in sorted(_compiled_modules(folder)):
        built_for = _other_platform(path.name, target)
        if built_for:
            yield IncompatibleWheel(name=path.name, path=path, built_for=built_for)
            return


def _compiled_modules(folder: Path) -> Iterator[Path]:
    """Yield the compiled modules that can be imported from a directory, of at most 2,000 packages."""
    for count, (place, folders, files) in enumerate(os.walk(folder)):
        if count == _MAX_PACKAGES:
            return
        # A package's name is an identifier; .venv and node-modules are none.
        folders[:] = [name for name in sorted(folders) if name.isidentifier() and name not in _NOT_PACKAGES]
        yield from (Path(place) / name for name in files if name.endswith((".so", ".pyd", ".dylib")))


def _too_new_for_glibc(info: Path, target: TargetPlatform) -> Iterator[IncompatibleWheel]:
    """Look into the compiled modules of a wheel that some machine has built for itself, whose tag does not name a glibc."""
    for top in _top_level(info):
        for path in sorted((info.parent / top).rglob("*.so")) or sorted(info.parent.glob(f"{top}.*so")):
            wanted = [int(minor) for minor in _GLIBC_SYMBOL.findall(path.read_bytes())]
            if max(wanted, default=0) > target.glibc[1]:
                built_for = f"glibc 2.{max(wanted)}"
                yield IncompatibleWheel(
                    name=info.name.removesuffix(".dist-info"), path=info.parent / path, built_for=built_for
                )
                return


def _top_level(info: Path) -> list[str]:
    listed = info / "top_level.txt"
    if listed.is_file():
        return listed.read_text("utf-8", "replace").split()
    return [info.name.partition("-")[0]]


def installed_packages(folder: Path) -> dict[str, metadata.Distribution]:
    """Return the distributions in a directory, by canonical name."""
    return {canonicalize_name(each.metadata["Name"]): each for each in metadata.distributions(path=[str(folder)])}


def installed_versions(folder: Path) -> dict[str, str]:
    """Return the versions of the distributions in a directory, by canonical name."""
    return {name: each.version for name, each in installed_packages(folder).items()}


def _other_platform(name: str, target: TargetPlatform) -> str:
    """Return the platform that a compiled module's name shows, if it is not the target; else an empty text."""
    found = _COMPILED.search(name)
    if found is None:
        return ""
    if found["kind"] == "pyd":
        return "Windows"
    if found["kind"] == "dylib" or "darwin" in found["machine"]:
        return "macOS"
    if found["major"] and (int(found["major"]), int(found["minor"])) != target.python:
        return f"CPython {found['major']}.{found['minor']}"
    return found["machine"] if re.search(r"aarch64|arm|i686|musl", found["machine"]) else ""
