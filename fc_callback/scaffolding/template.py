"""A template: a folder, its parameters, and the files that hold placeholders.

Source: Serverless Devs, "application model" (publish.yaml), and `s init` of 3.1.10 as it behaves.
"""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import yaml

from fc_callback.scaffolding.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

# `s init` renders this one by itself; every other file takes the hook.
ALWAYS_RENDERED = "s.yaml"
# The account that our templates take where nobody names one: nobody's.
SAMPLE_ACCOUNT = "1000000000000001"


@attrs.frozen(kw_only=True)
class Parameter:
    """One value that a template asks for.

    Attributes:
        name: What stands in `{{ name }}`.
        title: A few words.
        description: What it may be, for people.
        default: What it is where nobody says.
        pattern: A regular expression for the whole value.
        choices: The values it may have; empty for any.
    """

    name: str
    title: str
    description: str = ""
    default: str | None = None
    pattern: str | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: str) -> str:
        """Return the value.

        Raises:
            TemplateError: The service, or the template, does not take it.
        """
        if self.choices and value not in self.choices:
            raise TemplateError(
                f"{self.name} is {value!r}, and the template knows {', '.join(self.choices)}.", hint=self._hint
            )
        if self.pattern is not None and not re.fullmatch(self.pattern.removeprefix("^").removesuffix("$"), value):
            raise TemplateError(f"{self.name} cannot be {value!r}.", hint=self._hint)
        if any(character in value for character in "\"'\\\r\n{}") or not value.isprintable():
            raise TemplateError(
                f"{self.name} cannot be {value!r}: quotes, braces and line breaks do not survive in a YAML file.",
                hint=self._hint,
            )
        return value

    @property
    def _hint(self) -> str:
        return f"{self.title}: {self.description}." if self.description else f"Give another {self.title}."


@attrs.frozen(kw_only=True)
class Template:
    """A template's folder, read.

    Attributes:
        name: The folder's name.
        folder: Where it is.
        description: One line.
        parameters: What it asks for, in order.
        rendered: The files below `src/` that hold placeholders.
    """

    name: str
    folder: Path
    description: str
    parameters: tuple[Parameter, ...]
    rendered: frozenset[str]

    @property
    def source(self) -> Path:
        """What becomes the project."""
        return self.folder / "src"

    def check(self, given: Mapping[str, str]) -> None:
        """Check values, be they for all parameters or for some.

        Raises:
            TemplateError: One is unknown, or cannot be taken.
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
            TemplateError: One is unknown, cannot be taken, or has no default and is missing.
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
        TemplateError: There is neither.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_templates", package.parent / "templates"):
        if (folder / "event-callback" / "publish.yaml").is_file():
            return folder
    raise TemplateError("The templates are not installed with this package.", hint="Install fc-callback again.")


def template_names() -> tuple[str, ...]:
    """Return the names of our templates."""
    return tuple(sorted(publish.parent.name for publish in template_root().glob("*/publish.yaml")))


def find_template(name: str | Path) -> Template:
    """Read one of our templates by its name, or a folder of the person's own by its path.

    Raises:
        TemplateError: There is none, or it cannot be used.
    """
    text = str(name)
    if text in template_names():
        return _read(template_root() / text)
    folder = Path(name)
    if not folder.is_dir():
        raise TemplateError(
            f"There is no template {text!r}, and no folder of that name.",
            hint=f"The templates are {', '.join(template_names())}.",
        )
    return _read(folder.resolve())


def _read(folder: Path) -> Template:
    published = _mapping(folder / "publish.yaml")
    if not (folder / "src" / ALWAYS_RENDERED).is_file():
        raise TemplateError(f"{folder} has no src/s.yaml, so it is no template of Serverless Devs.")
    asked = (published.get("Parameters") or {}).get("properties") or {}
    ordered = sorted(asked.items(), key=lambda entry: (entry[1] or {}).get("x-range", len(asked)))
    return Template(
        name=folder.name,
        folder=folder,
        description=str(published.get("Description") or ""),
        parameters=tuple(_parameter(name, entry or {}) for name, entry in ordered),
        rendered=frozenset({ALWAYS_RENDERED, *_hooked(folder)}),
    )


def _mapping(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise TemplateError(f"{path.parent} has no publish.yaml, so it is no template of Serverless Devs.")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path} is not YAML: {error}") from None
    if not isinstance(document, dict):
        raise TemplateError(f"{path} is not a mapping.")
    return document


def _parameter(name: str, entry: Mapping[str, Any]) -> Parameter:
    default = entry.get("default")
    # `s init` writes the word "undefined" for a default that is no text.
    if default is not None and not isinstance(default, str):
        raise TemplateError(f"The default of parameter {name} is not text.", hint="Put it in quotes in publish.yaml.")
    return Parameter(
        name=name,
        title=str(entry.get("title") or name),
        description=str(entry.get("description") or "").rstrip("."),
        # What `s init` makes of it: four random characters, for names that must be unique.
        default=None if default is None else default.replace("${default-suffix}", secrets.token_hex(2)),
        pattern=entry.get("pattern"),
        choices=tuple(str(value) for value in entry.get("enum") or ()),
    )


def _hooked(folder: Path) -> list[str]:
    """Return the files that the template's hook renders: those of hook/files.json, which our hooks read as well."""
    path = folder / "hook" / "files.json"
    if not path.is_file():
        return []
    try:
        files = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TemplateError(f"{path} is not JSON: {error}") from None
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise TemplateError(f"{path} is not a list of paths below src/.")
    missing = [file for file in files if not (folder / "src" / file).is_file()]
    if missing:
        raise TemplateError(f"{path} names {missing[0]}, which is not in src/.")
    return files
