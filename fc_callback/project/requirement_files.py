"""Requirements files of pip, read for the function's Python and platform.

pip evaluates markers for the Python that runs pip, and reads relative paths from its own directory. So included files are
inserted, requirements whose markers do not hold are left out, and paths are absolute.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import attrs
from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

REQUIREMENTS_FILE = "requirements.txt"
_INCLUDE = re.compile(r"(?:-r|--requirement)[ =]*(?P<value>\S.*)")
_CONSTRAINT = re.compile(r"(?:-c|--constraint)[ =]*(?P<value>\S.*)")
_EDITABLE = re.compile(r"(?:-e|--editable)[ =]*(?P<value>\S.*)")
_FIND_LINKS = re.compile(r"(?:-f|--find-links)[ =]*(?P<value>\S.*)")
_PIP_OPTIONS = re.compile(r"\s+--[a-z].*$")
_COMMENT = re.compile(r"(^|\s+)#.*")
_URL = re.compile(r"(?:[\w.-]+\s*(?:\[[^\]]*\])?\s*@\s*)?(?P<url>(?:[a-z]+\+)?[a-z][a-z0-9]+:.*)", re.IGNORECASE)
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
# PowerShell writes UTF-16.
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@attrs.frozen(kw_only=True)
class DependencyLines:
    """What a project depends on, in the form of a requirements file.

    Attributes:
        lines: Requirements and options of pip. Included files are inserted, markers are resolved, paths are absolute.
        constraints: The lines of the constraints files, in the same form.
        is_complete: Whether the lines are a lock: they name everything that is needed, also by the dependencies.
        problems: What cannot be read, as sentences.
    """

    lines: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    is_complete: bool = False
    problems: tuple[str, ...] = ()


def read_requirements_file(path: Path, environment: Mapping[str, str]) -> DependencyLines:
    """Read a requirements file, with the files that it includes.

    Args:
        path: The file.
        environment: The variables of the function's environment markers, as `TargetPlatform` gives them.
    """
    reader = _Reader(top=path.parent, environment=environment)
    reader.read(path, into=reader.lines)
    return DependencyLines(
        lines=tuple(reader.lines), constraints=tuple(reader.constraints), problems=tuple(reader.problems)
    )


@attrs.define(kw_only=True)
class _Reader:
    top: Path
    environment: Mapping[str, str]
    lines: list[str] = attrs.field(factory=list)
    constraints: list[str] = attrs.field(factory=list)
    problems: list[str] = attrs.field(factory=list)
    seen: set[Path] = attrs.field(factory=set)

    def read(self, path: Path, *, into: list[str]) -> None:
        if path.resolve() in self.seen:
            return
        self.seen.add(path.resolve())
        try:
            text = _decoded(path.read_bytes())
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            self.problems.append(f"{path.name} cannot be read: {reason}.")
            return
        for line in logical_lines(text):
            self._take(line, path, into)

    def _take(self, line: str, path: Path, into: list[str]) -> None:
        for pattern, target in ((_INCLUDE, into), (_CONSTRAINT, self.constraints)):
            found = pattern.match(line)
            if found:
                if "://" in found["value"]:
                    into.append(line)  # the installer reads it
                elif not (path.parent / found["value"]).is_file():
                    self.problems.append(f"{path.name} includes {found['value']}, which does not exist.")
                else:
                    self.read(path.parent / found["value"], into=target)
                return
        found = _FIND_LINKS.match(line)
        if found:
            folder = path.parent / found["value"]
            into.append(f"--find-links {folder if folder.exists() else found['value']}")
            return
        found = _EDITABLE.match(line)
        resolved = self._resolved(found["value"] if found else line, path)
        if resolved:
            into.append(resolved)

    def _resolved(self, line: str, path: Path) -> str | None:
        """Return a requirement without its marker and with an absolute path; None if its marker does not hold."""
        if line.startswith("-"):
            return line
        options = _PIP_OPTIONS.search(line)
        tail = options.group() if options else ""
        text, marker = _without_marker(line.removesuffix(tail))
        if marker and not holds(marker, {**self.environment, "extra": ""}):
            return None
        place, extras = _without_extras(text)
        if not _looks_like_path(place):
            return text + tail
        # pip reads a relative path from its own directory, uv from that of the file.
        found = next((folder / place for folder in (path.parent, self.top) if (folder / place).exists()), None)
        if found is None:
            self.problems.append(f"{path.name} names {place}, which does not exist.")
            return None
        return f"{found.resolve()}{extras}{tail}"


def logical_lines(text: str) -> Iterator[str]:
    """Return the lines of a requirements file without comments; continued lines are joined."""
    for line in text.replace("\\\r\n", "").replace("\\\n", "").splitlines():
        content = _COMMENT.sub("", line).strip()
        if content:
            yield content


def _decoded(content: bytes) -> str:
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")
    return content.decode(encoding)


def _without_marker(text: str) -> tuple[str, Marker | None]:
    head, semicolon, tail = text.rpartition(";")
    if not semicolon:
        return text.strip(), None
    try:
        return head.strip(), Marker(tail)
    except InvalidMarker:
        return text.strip(), None  # the installer says what is wrong


def _without_extras(text: str) -> tuple[str, str]:
    head, bracket, extras = text.partition("[")
    return (head.strip(), bracket + extras) if extras.endswith("]") else (text, "")


def _looks_like_path(text: str) -> bool:
    if _URL.match(text) or "@" in text.partition("/")[0]:
        return False
    return text.startswith((".", "/", "~")) or "/" in text or "\\" in text or text.lower().endswith(_ARCHIVES)


def holds(marker: Marker | None, environment: dict[str, str]) -> bool:
    """Whether a marker holds; a marker without a meaning (`os_name ~= "posix"`) does: the installer says so."""
    try:
        return marker is None or marker.evaluate(environment)
    except ValueError:
        return True


def applicable(lines: Iterable[str], environment: Mapping[str, str], *, extra: str = "") -> Iterator[Requirement]:
    """Return the requirements whose markers hold in an environment. Lines that are not requirements are skipped."""
    for line in lines:
        requirement = parse_requirement(line)
        if requirement and holds(requirement.marker, {**environment, "extra": extra}):
            yield requirement


def parse_requirement(line: str) -> Requirement | None:
    """Read a line of a requirements file; None if it names no distribution.

    pip's options behind a requirement (`--hash=...`) are dropped, and of a wheel's path or URL the name is read.
    """
    text = re.split(r"\s+(?:#|--)", line.strip(), maxsplit=1)[0].strip()
    try:
        return Requirement(text)
    except InvalidRequirement:
        pass
    try:
        path, semicolon, marker = text.partition(";")
        name = parse_wheel_filename(path.strip().partition("#")[0].rpartition("/")[2])[0]
        return Requirement(f"{name}{semicolon}{marker}")
    except (InvalidWheelFilename, InvalidRequirement):
        return None


def is_source(line: str) -> bool:
    """Whether a resolved line names a source tree, an archive of one, or a repository: a wheel must be built from it."""
    if line.startswith("-"):
        return False
    url = source_url(line)
    if url is None:
        path = source_path(line)
        return path.is_absolute() and path.suffix != ".whl"
    return not urlsplit(url).path.partition("@")[0].endswith(".whl")


def source_url(line: str) -> str | None:
    """Return the URL in a resolved line, without pip's options; None if it holds none."""
    found = _URL.fullmatch(_PIP_OPTIONS.sub("", line))
    return found["url"].strip() if found else None


def source_path(line: str) -> Path:
    """Return the file or the directory that a resolved line names; its extras are dropped."""
    url = source_url(line)
    if url is not None and url.startswith("file:"):
        return Path(unquote(urlsplit(url).path))
    return Path(_without_extras(_PIP_OPTIONS.sub("", line))[0])
