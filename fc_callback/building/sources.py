"""Source trees and archives that requirements name: they become wheels first, so that both installers take them alike."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from fc_callback.building.installers import not_portable_error
from fc_callback.project.requirement_files import is_source, source_path, source_url

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fc_callback.building.installers import Installer
    from fc_callback.project.wheels import TargetPlatform

_EXTRAS = re.compile(r"\[[^\]]*\]")


def with_wheels(
    lines: Sequence[str], installer: Installer, scratch: Path, python: str, target: TargetPlatform
) -> tuple[str, ...]:
    """Return the lines with a wheel in place of each source.

    uv itself builds what it fetches: only local sources are built for it here.

    Raises:
        BuildError: A source cannot be built, or becomes a wheel that the target does not load.
    """
    needs_hashes = any(" --hash" in line for line in lines)
    result = []
    for number, line in enumerate(lines):
        url = source_url(line)
        is_local = url is None or url.startswith("file:")
        if needs_hashes and url is not None and url.startswith("file:") and url.endswith(".whl"):
            result.append(f"{line} --hash=sha256:{_sha256(source_path(line))}")
            continue
        if not is_source(line) or (installer.builds_what_it_fetches and not is_local):
            result.append(line)
            continue
        source = str(source_path(line)) if url is None or url.startswith("file:") else url
        wheel = installer.make_wheel(source, scratch / "wheels" / str(number), python)
        name, *_version, interpreter, abi, platform = wheel.stem.split("-")
        tag = f"{interpreter}-{abi}-{platform}"
        if not target.loads(tag):
            raise not_portable_error(source, tag, target)
        extras = _EXTRAS.search(line.partition("://")[0] if url else line.rpartition("/")[2])
        hashed = f" --hash=sha256:{_sha256(wheel)}" if needs_hashes else ""
        result.append(f"{name}{extras.group() if extras else ''} @ {wheel.as_uri()}{hashed}")
    return tuple(result)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
