"""Read a template: its folder, its parameters, and the files with placeholders.

Source: Serverless Devs, "application model" (publish.yaml), and `s init` of 3.1.10 as it behaves.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.project.documents import value_at
from fc_callback.project.yaml_reader import DocumentError, parse_yaml
from fc_callback.scaffolding.errors import TemplateError
from fc_callback.scaffolding.patterns import matches_in_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# `s init` itself renders this file; the template's hook renders the others.
ALWAYS_RENDERED = "s.yaml"
_LEFTOVERS = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".s", ".DS_Store"})


@attrs.frozen(kw_only=True)
class Parameter:
    """One value that a template asks for.

    Attributes:
        name: The name in `{{ name }}`.
        title: A few words for people.
        description: For people: which values are valid.
        default: The value if none is given; None if a value is required.
        pattern: A regular expression that the whole value has to match.
        choices: The valid values; empty if there is no such list.
        is_foreign: Whether the pattern is not one of ours, so that it is matched in bounded time.
    """

    name: str
    title: str
    description: str = ""
    default: str | None = None
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    is_foreign: bool = False

    def check(self, value: str) -> str:
        """Return the value if it is valid.

        Raises:
            TemplateError: The service or the template does not accept it.
        """
        if self.choices and value not in self.choices:
            raise TemplateError(
                f"{self.name} cannot be {value!r}; it can be {', '.join(self.choices)}.", hint=self._hint
            )
        if self.pattern is not None and not self._matches(self.pattern, value):
            raise TemplateError(f"{self.name} cannot be {value!r}.", hint=self._hint)
        if any(character in value for character in "\"'\\\r\n{}") or not value.isprintable():
            raise TemplateError(
                f"{self.name} cannot be {value!r}: quotes, braces and line breaks would break the YAML file.",
                hint=self._hint,
            )
        return value

    def _matches(self, pattern: str, value: str) -> bool:
        return matches_in_time(pattern, value) if self.is_foreign else re.fullmatch(pattern, value) is not None

    @property
    def _hint(self) -> str:
        return f"{self.title}: {self.description}." if self.description else f"Give another value for {self.title}."


@attrs.frozen(kw_only=True)
class ProjectTemplate:
    """A template.

    Attributes:
        name: The name of its folder.
        folder: The folder.
        description: One line.
        parameters: The values it asks for, in order.
        rendered: The files below `src/` that hold placeholders.
    """

    name: str
    folder: Path
    description: str
    parameters: tuple[Parameter, ...]
    rendered: frozenset[str]

    @property
    def source(self) -> Path:
        """The directory that becomes the project."""
        return self.folder / "src"

    def check(self, given: Mapping[str, str]) -> None:
        """Check the values of some parameters, or of all.

        Raises:
            TemplateError: A parameter does not exist, or a value is not valid.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name, value in given.items():
            if name not in known:
                raise TemplateError(
                    f"The template {self.name} has no parameter {name!r}.", hint=f"It has {', '.join(known) or 'none'}."
                )
            known[name].check(value)

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return a checked value for every parameter.

        Raises:
            TemplateError: A parameter does not exist, a value is not valid, or a required value is missing.
        """
        self.check(given)
        values: dict[str, str] = {}
        for parameter in self.parameters:
            value = given.get(parameter.name, parameter.default)
            if value is None:
                raise TemplateError(
                    f"The template {self.name} needs a value for {parameter.name}.",
                    hint=f"Pass --set {parameter.name}=... ({parameter.description or parameter.title}).",
                )
            values[parameter.name] = parameter.check(value)
        return values


def template_root() -> Path:
    """Return the folder of our templates: in the installed package, or at the root of a source checkout.

    Raises:
        TemplateError: There is no such folder.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_templates", package.parent / "templates"):
        if (folder / "event-callback" / "publish.yaml").is_file():
            return folder
    raise TemplateError("The templates are not installed with this package.", hint="Install fc-callback again.")


def template_names() -> tuple[str, ...]:
    """Return the names of our templates."""
    return tuple(sorted(publish.parent.name for publish in template_root().glob("*/publish.yaml")))


def find_template(name: str | Path) -> ProjectTemplate:
    """Read one of our templates by its name, or a folder of your own by its path.

    Raises:
        TemplateError: There is no such template, or it is not valid.
    """
    text = str(name)
    if text in template_names():
        return _read_template(template_root() / text)
    folder = Path(name)
    if not folder.is_dir():
        raise TemplateError(
            f"There is no template {text!r}, and no folder of that name.",
            hint=f"The templates are {', '.join(template_names())}.",
        )
    return _read_template(folder.resolve())


def _read_template(folder: Path) -> ProjectTemplate:
    published = _read_publish_yaml(folder / "publish.yaml")
    if not (folder / "src" / ALWAYS_RENDERED).is_file():
        raise TemplateError(f"{folder} has no src/s.yaml.", hint="Add it: a template of Serverless Devs needs one.")
    _require_plain_files(folder)
    is_foreign = folder.parent != template_root()
    return ProjectTemplate(
        name=folder.name,
        folder=folder,
        description=str(published.get("Description") or ""),
        parameters=tuple(
            _parameter(str(name), entry, is_foreign=is_foreign) for name, entry in _asked(folder, published)
        ),
        rendered=frozenset({ALWAYS_RENDERED, *_files_of_hook(folder)}),
    )


def left_behind(source: Path, folder: str | Path, names: Iterable[str]) -> set[str]:
    """Return the names in a folder of `src/` that a template's own tests, or a build of its package, have left."""
    built = {"python"} if Path(folder) == source / "code" else set[str]()
    return built.union(_LEFTOVERS).intersection(names)


def _require_plain_files(folder: Path) -> None:
    """Refuse links and devices: through a link, a foreign template could read and write files of this machine."""
    source = folder / "src"
    paths = [folder / "publish.yaml", folder / "hook", folder / "hook" / "files.json", source]
    for parent, folders, names in os.walk(source):
        ignored = left_behind(source, parent, [*folders, *names])
        folders[:] = [name for name in folders if name not in ignored]
        paths += [Path(parent, name) for name in (*folders, *names) if name not in ignored]
    for path in paths:
        if path.is_symlink() or (path.exists() and not path.is_dir() and not path.is_file()):
            kind = "a symbolic link" if path.is_symlink() else "a device, a socket or a pipe"
            raise TemplateError(
                f"{path} is {kind}, and a template has only files and directories.",
                hint="If you trust the template, put a copy of the file there.",
            )


def _asked(folder: Path, published: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the parameters in the order of `x-range`."""
    asked = value_at(published, "Parameters", "properties") or {}
    entries = (
        {name: {} if entry is None else entry for name, entry in asked.items()} if isinstance(asked, dict) else None
    )
    if entries is None or not all(isinstance(entry, dict) for entry in entries.values()):
        raise TemplateError(
            f"Parameters.properties in {folder / 'publish.yaml'} is not a mapping of parameters.",
            hint='Write a mapping for each, like `name: {title: Name, type: string, default: "x"}`.',
        )

    def order(entry: tuple[str, dict[str, Any]]) -> float:
        given = entry[1].get("x-range")
        return given if isinstance(given, int | float) else len(entries)

    return sorted(entries.items(), key=order)


def _read_publish_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise TemplateError(
            f"{path.parent} has no publish.yaml.", hint="Add it: a template of Serverless Devs needs one."
        )
    try:
        document = parse_yaml(path.read_text(encoding="utf-8"))
    except (DocumentError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path} cannot be read: {error}.", hint="Fix the YAML syntax.") from None
    if not isinstance(document, dict):
        raise TemplateError(f"{path} is not a mapping.", hint="Write the keys of a publish.yaml, like `Parameters:`.")
    return document


def _parameter(name: str, entry: Mapping[str, Any], *, is_foreign: bool) -> Parameter:
    default, pattern, choices = entry.get("default"), entry.get("pattern"), entry.get("enum")
    # `s init` writes the word "undefined" for a default that is not a text.
    for key, value in (("default", default), ("pattern", pattern)):
        if value is not None and not isinstance(value, str):
            raise TemplateError(f"The {key} of parameter {name} is not text.", hint="Put it in quotes in publish.yaml.")
    if choices is not None and not isinstance(choices, list):
        raise TemplateError(f"The enum of parameter {name} is not a list.", hint="Write it like [red, blue].")
    return Parameter(
        name=name,
        title=str(entry.get("title") or name),
        description=str(entry.get("description") or "").rstrip("."),
        # `s init` replaces it with four random characters, for names that must be unique.
        default=None if default is None else default.replace("${default-suffix}", secrets.token_hex(2)),
        pattern=pattern,
        choices=tuple(str(value) for value in choices or ()),
        is_foreign=is_foreign,
    )


def _files_of_hook(folder: Path) -> list[str]:
    """Return the files that the template's hook renders. It reads them from hook/files.json."""
    path = folder / "hook" / "files.json"
    if not path.is_file():
        return []
    try:
        files = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise TemplateError(f"{path} is not JSON: {error}.", hint="Fix the JSON syntax.") from None
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise TemplateError(f"{path} is not a list of paths below src/.", hint='Write a list like ["code/index.py"].')
    source = (folder / "src").resolve()
    outside = [file for file in files if "\0" in file or not (source / file).resolve().is_relative_to(source)]
    if outside:
        raise TemplateError(f"{path} names {outside[0]!r}, which is not below src/.", hint="Name a file below src/.")
    missing = [file for file in files if not (source / file).is_file()]
    if missing:
        raise TemplateError(f"{path} names {missing[0]}, which is not in src/.", hint="Correct the path.")
    return files
