"""What both installers have in common: a job, a way to run a tool, and errors in our words with theirs beside them."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Protocol

import attrs
from packaging.utils import canonicalize_name

from fc_callback.building.errors import BuildError
from fc_callback.errors import FcCallbackError
from fc_callback.project.requirements import OWN_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fc_callback.project.wheels import TargetPlatform

_NO_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|NameResolutionError|ProxyError|SSLError|Max retries exceeded|"
    r"Connection (?:refused|reset|aborted)|error sending request|dns error|operation timed out|Network connectivity"
)
_HASHES = re.compile(r"do not match the hashes|hash mismatch|require-hashes|hashes are required", re.IGNORECASE)
_NO_NETWORK_HINT = "Check the network, and the index in the settings of pip or uv (PIP_INDEX_URL, UV_DEFAULT_INDEX)."


@attrs.frozen(kw_only=True)
class InstallJob:
    """Packages to install for a target.

    Attributes:
        lines: A requirements file for the target, with wheels in place of local source trees.
        constraints: The lines of a constraints file.
        is_complete: Whether nothing but the lines is to be installed.
        staged: The directory to install into; empty.
        scratch: A directory for the installer's own files.
        target: The function's Python and platform.
        python: The Python that builds wheels from sources.
        folder: The directory of the project's own file, in which the installer runs.
    """

    lines: tuple[str, ...]
    constraints: tuple[str, ...]
    is_complete: bool
    staged: Path
    scratch: Path
    target: TargetPlatform
    python: str
    folder: Path

    def write_requirements(self) -> Path:
        """Write the lines to a file."""
        return write_lines(self.scratch / "requirements.txt", self.lines)


class Installer(Protocol):
    """`uv` or `pip`."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def builds_what_it_fetches(self) -> bool:
        """Whether it can build wheels of repositories and remote archives by itself, for another platform too."""
        ...

    def install(self, job: InstallJob) -> dict[str, str]:
        """Install packages.

        Returns:
            Newer versions, by canonical name, that the requirements allow and that have no wheel for the target.

        Raises:
            BuildError: A package cannot be installed.
        """
        ...

    def make_wheel(self, source: str, folder: Path, python: str) -> Path:
        """Build a wheel from a source tree, or from an archive of one, into an empty directory.

        Raises:
            BuildError: It cannot be built.
        """
        ...


class ToolFailed(FcCallbackError):
    """A tool ended with an error; its text is what the tool said."""


def run_tool(command: list[str], *, folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run an installer, and return what it wrote to its standard output.

    Raises:
        ToolFailed: It ended with an error.
    """
    done = subprocess.run(  # noqa: S603 - uv, or this Python's own pip
        command,
        cwd=folder,
        env=dict(os.environ if environment is None else environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise ToolFailed(done.stderr.strip() or done.stdout.strip())
    return done.stdout


def write_lines(path: Path, lines: tuple[str, ...] | list[str]) -> Path:
    """Write lines to a file and return it."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def reaches_no_index(said: str) -> bool:
    """Whether an installer failed because of the network."""
    return bool(_NO_NETWORK.search(said))


def install_error(tool: str, said: str) -> BuildError:
    """Return the error of an installation that failed."""
    message, hint = f"{tool} cannot install the packages.", f"Fix what {tool} says, and run the build again."
    return general_error(tool, said) or BuildError(message, hint=hint, tool=tool, said=said)


def general_error(tool: str, said: str) -> BuildError | None:
    """Return the error if it is about the index or about hashes, whichever package it happened to."""
    if reaches_no_index(said):
        message = "The package index cannot be reached."
        return BuildError(message, hint=_NO_NETWORK_HINT, tool=tool, said=said)
    if _HASHES.search(said):
        message = "A package has another hash than the requirements say, or it has none there."
        return BuildError(message, hint="Lock the project again, if you trust the index.", tool=tool, said=said)
    return None


def missing_error(name: str, target: TargetPlatform, tool: str, said: str) -> BuildError:
    """Return the error of a package that the index does not have in a usable form."""
    general = general_error(tool, said)
    if general is not None:
        return general
    if canonicalize_name(name) == OWN_NAME:
        return BuildError(
            "fc-callback is not on the package index, or not in the version that the requirements ask for.",
            hint="Name a wheel or a checkout of it: `fc-callback build --fc-callback PATH`. Or put a wheel into code/wheels, and "
            "write `--find-links wheels` into code/requirements.txt: then every machine finds it.",
            tool=tool,
            said=said,
        )
    return BuildError(
        f"{name} has no wheel for {target.description}, and no source to build one from; or the index does not have it.",
        hint="Check the name and the version, or require a version that has a wheel.",
        tool=tool,
        said=said,
    )


def source_error(name: str, tool: str, said: str) -> BuildError:
    """Return the error of a source from which no wheel can be built."""
    return general_error(tool, said) or BuildError(
        f"{name} comes as a source, and {tool} cannot build a wheel from it.",
        hint=f"Fix what {tool} says, or name a wheel of it in the requirements.",
        tool=tool,
        said=said,
    )


def not_portable_error(name: str, built_for: str, target: TargetPlatform) -> BuildError:
    """Return the error of a source that becomes compiled code which the target does not load."""
    return BuildError(
        f"{name} has no wheel for {target.description}. Its source contains code to compile, and here it becomes a "
        f"wheel for {built_for}.",
        hint=f"On Linux x86_64, install Python {target.version} (`uv python install {target.version}`): the build uses it. "
        "Elsewhere, name a wheel of it in the requirements.",
    )
