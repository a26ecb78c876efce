"""What FC's built-in Python runtimes load, and what does not fit them.

Source: FC documentation, "Python runtimes": python3.10 is Debian 10 (glibc 2.28), python3.12 Debian 11 (glibc 2.31), both
x86_64. PEP 425 and PEP 600 for the tags.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GLIBC = {(3, 10): (2, 28), (3, 12): (2, 31)}
_OLDEST_GLIBC = (2, 17)  # manylinux2014
_RUNTIME = re.compile(r"python(\d)\.(\d+)")
_OLD_NAMES = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_x86_64")
_EXTENSION = re.compile(r".+?\.(?:cpython-(\d)(\d+)[a-z]*-)?(?P<rest>[^.]*)\.?(?:so|pyd|dylib)")


@attrs.frozen(kw_only=True)
class Target:
    """A built-in runtime, as wheels see it.

    Attributes:
        python: Like `(3, 10)`.
        glibc: The runtime's, like `(2, 28)`.
    """

    python: tuple[int, int]
    glibc: tuple[int, int]

    @classmethod
    def of_runtime(cls, runtime: str) -> Target | None:
        """Return the target for `python3.10` or `python3.12`; None for any other runtime."""
        found = _RUNTIME.fullmatch(runtime)
        python = (int(found.group(1)), int(found.group(2))) if found else (0, 0)
        glibc = _GLIBC.get(python)
        return None if glibc is None else cls(python=python, glibc=glibc)

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
        """What pip may take, the oldest and most portable first."""
        newer = [f"manylinux_2_{minor}_x86_64" for minor in range(_OLDEST_GLIBC[1], self.glibc[1] + 1)]
        return ["manylinux2014_x86_64", *newer]

    def takes(self, tag: str) -> bool:
        """Whether a wheel with a tag like `cp310-cp310-manylinux2014_x86_64` loads."""
        python, abi, platform = (part.split(".") for part in tag.split("-", 2))
        return (
            any(self._takes_python(one, abi) for one in python)
            and any(one in {"none", "abi3", self.abi} for one in abi)
            and any(self._takes_platform(one) for one in platform)
        )

    def _takes_python(self, tag: str, abi: list[str]) -> bool:
        found = re.fullmatch(r"(py|cp)(\d)(\d*)", tag)
        if not found or int(found.group(2)) != self.python[0]:
            return False
        minor = int(found.group(3)) if found.group(3) else None
        if minor is None or (found.group(1) == "cp" and abi == [self.abi]):
            return minor is None or minor == self.python[1]
        return minor <= self.python[1]

    def _takes_platform(self, tag: str) -> bool:
        if tag in {"any", "linux_x86_64"}:
            return True
        name, _, machine = tag.partition("_")
        if name in _OLD_NAMES:
            return machine == "x86_64"
        found = _MANYLINUX.fullmatch(tag)
        return bool(found) and (int(found.group(1)), int(found.group(2))) <= self.glibc  # type: ignore[union-attr]  # found


@attrs.frozen(kw_only=True)
class Misfit:
    """A dependency that does not load on the target.

    Attributes:
        name: The distribution, or the file.
        path: Where it is.
        built_for: Its tags, or what its name says.
    """

    name: str
    path: Path
    built_for: str


def misfits(folder: Path, target: Target) -> Iterator[Misfit]:
    """Find what stands in a directory of packages and is built for another platform or Python."""
    if not folder.is_dir():
        return
    wheels = sorted(folder.glob("*.dist-info/WHEEL"))
    for wheel in wheels:
        tags = re.findall(r"^Tag:\s*(\S+)", wheel.read_text("utf-8", "replace"), re.MULTILINE)
        if tags and not any(target.takes(tag) for tag in tags):
            name = wheel.parent.name.removesuffix(".dist-info")
            yield Misfit(name=name, path=wheel.parent, built_for=", ".join(tags))
    if wheels:
        return
    # Packages without their metadata: the names of compiled modules say what they are built for.
    for path in sorted((*folder.rglob("*.so"), *folder.rglob("*.pyd"), *folder.rglob("*.dylib"))):
        built_for = _foreign(path.name, target)
        if built_for:
            yield Misfit(name=path.name, path=path, built_for=built_for)
            return


def _foreign(name: str, target: Target) -> str:
    if name.endswith(".pyd"):
        return "Windows"
    if name.endswith(".dylib") or "darwin" in name:
        return "macOS"
    found = _EXTENSION.fullmatch(name)
    if found and found.group(1) and (int(found.group(1)), int(found.group(2))) != target.python:
        return f"CPython {found.group(1)}.{found.group(2)}"
    if found and re.search(r"aarch64|arm|i686|musl", found["rest"] or ""):
        return str(found["rest"])
    return ""
