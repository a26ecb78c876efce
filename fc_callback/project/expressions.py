"""Resolve the `${...}` of s.yaml: `vars`, `env`, `path`, `file`, `yaml`, `json`, `this`, `resources`, `config`.

A value that only a deployment knows (the account's number, another resource's output) becomes `UNKNOWN`; every rule skips
it. So does the content of a file outside of the project's repository, because messages show values. Source: Serverless Devs,
"variables" of edition 3.0.0, and `s preview` of 3.1.10 as it behaves.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from fc_callback.errors import FcCallbackError
from fc_callback.payload.paths import key_of_step
from fc_callback.project.documents import Document, read_document, real_path, repository_of
from fc_callback.project.yaml_reader import MAX_CHARACTERS, MAX_VALUES, DocumentError, parse_yaml
from fc_callback.project.yaml_scalars import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from fc_callback.project.documents import Place


class Unknown:
    """A value that only a deployment knows."""

    def __repr__(self) -> str:
        return "<unknown until deployed>"


UNKNOWN = Unknown()
_MAX_DEPTH = 10  # deeper expressions refer to themselves
_EXPRESSION = re.compile(r"\$\{([^}]{0,1000})\}")  # the bound keeps the search of a hostile text linear
_CALL = re.compile(r"(?P<name>[a-zA-Z]+)\s*\((?P<arguments>.*)\)", re.DOTALL)
_REFERENCE = re.compile(r"[\w.-]+")
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")


ExpressionRule: TypeAlias = Literal["expression", "unset-variable"]


class Undefined(FcCallbackError):
    """An expression names something that does not exist.

    Attributes:
        rule: The rule of `fc-callback check` that it breaks.
        document: The file with the mistake, if that is an included one.
    """

    def __init__(self, message: str, *, rule: ExpressionRule = "expression", document: Document | None = None) -> None:
        super().__init__(message)
        self.rule: ExpressionRule = rule
        self.document = document


class FileText(str):
    """The text of an included file. It keeps the file, so that `yaml()` and `json()` know its lines."""

    __slots__ = ("document",)
    document: Document

    @classmethod
    def of(cls, document: Document) -> FileText:
        """Return the text of a file."""
        text = cls(document.text)
        text.document = document
        return text


@attrs.frozen(kw_only=True)
class Resolver:
    """Resolves the expressions of one s.yaml.

    Args:
        data: The file's content.
        folder: The file's directory.
        root: The project's directory, for the names of included files.
        environ: The variables that `env()` sees.
        report: Called with the place and the reason for each expression that cannot be resolved.

    Attributes:
        files: The included files, by their real paths.
        origins: The included file that a value comes from, by the value's place. The place of a value inside an included
            value is the place of that one and the place inside the file.
    """

    data: Mapping[str, Any]
    folder: Path
    root: Path
    environ: Mapping[str, str] = attrs.field(repr=False)
    report: Callable[[Place, Undefined], None]
    files: dict[Path, Document] = attrs.field(factory=dict, init=False, repr=False)
    origins: dict[Place, Document] = attrs.field(factory=dict, init=False, repr=False)
    _values: Iterator[int] = attrs.field(factory=itertools.count, init=False, repr=False)
    _repository: Path = attrs.field(init=False, repr=False)

    @_repository.default
    def _find_repository(self) -> Path:
        return repository_of(self.folder)

    def resolve(self, value: Any, place: Place) -> Any:
        """Return a value with all its expressions resolved, at every depth."""
        try:
            return self._resolve(value, place, depth=0)
        except Undefined as error:  # too many values
            self.report(place, error)
        except RecursionError:  # `json()` has no bound of its own
            self.report(place, Undefined("The value is nested too deeply."))
        return UNKNOWN

    def _resolve(self, value: Any, place: Place, *, depth: int) -> Any:
        if next(self._values) > MAX_VALUES:
            raise Undefined(f"The expressions expand to more than {MAX_VALUES:,} values.")
        if isinstance(value, dict):
            return {key: self._resolve(each, (*place, key), depth=depth) for key, each in value.items()}
        if isinstance(value, list):
            return [self._resolve(each, (*place, index), depth=depth) for index, each in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        try:
            return self._resolve_text(value, place, depth=depth)
        except Undefined as error:
            self.report(place, error)
            return UNKNOWN

    def _resolve_text(self, value: str, place: Place, *, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise Undefined(f"{value} refers to itself.")
        whole = _EXPRESSION.fullmatch(value.strip())
        if whole:
            return self._evaluate(whole, place, depth)
        parts: list[Any] = []
        characters = 0
        for found in _EXPRESSION.finditer(value):
            part = self._evaluate(found, place, depth)
            parts.append(part if part is UNKNOWN or isinstance(part, dict) else as_text(part))
            characters += len(parts[-1]) if isinstance(parts[-1], str) else 0
            if characters > MAX_CHARACTERS:
                raise Undefined(f"The expressions of one text expand to more than {MAX_CHARACTERS:,} characters.")
        if not all(isinstance(part, str) for part in parts):
            return UNKNOWN
        given = iter(parts)
        return _EXPRESSION.sub(lambda _: next(given), value)

    def _evaluate(self, found: re.Match[str], place: Place, depth: int) -> Any:
        """Return the value of an expression. `s` resolves the expressions in what it names as well."""
        value = self._expression(found.group(1).strip(), place)
        self._note_origin(value, place)
        if isinstance(value, str) and "${" in value:
            return self._resolve_text(value, place, depth=depth + 1)
        return self._resolve(value, place, depth=depth + 1)

    def _note_origin(self, value: Any, place: Place) -> None:
        """Remember the included file that a value is the content of."""
        if isinstance(value, FileText):
            self.origins[place] = value.document
        elif isinstance(value, dict | list):
            for document in self.files.values():
                if document.data is value:
                    self.origins[place] = document

    def _expression(self, text: str, place: Place) -> Any:
        call = _CALL.fullmatch(text)
        if call:
            return self._call(call.group("name"), call.group("arguments"), place)
        quoted = _QUOTED.fullmatch(text)
        if quoted:
            return quoted.group(1) or quoted.group(2) or ""
        if not _REFERENCE.fullmatch(text):
            return UNKNOWN
        head, _, rest = text.partition(".")
        if head == "vars":
            return self._follow(self.data.get("vars"), rest, text)
        if head == "this" and len(place) > 1 and place[0] == "resources":
            return self._resource_value(str(place[1]), rest, text)
        if head == "resources":
            name, _, below = rest.partition(".")
            return self._resource_value(name, below, text)
        return UNKNOWN

    def _resource_value(self, name: str, rest: str, text: str) -> Any:
        resources = self.data.get("resources")
        resource = resources.get(name) if isinstance(resources, dict) else None
        if not isinstance(resource, dict):
            raise Undefined(f"${{{text}}}: there is no resource {name!r}.")
        if rest == "name":
            return name
        if rest == "output" or rest.startswith("output.") or not rest.startswith("props"):
            return UNKNOWN
        return self._follow(resource, rest, text)

    def _follow(self, value: Any, path: str, text: str) -> Any:
        for step in path.split(".") if path else ():
            if isinstance(value, str) and "${" in value:  # like `vars: ${yaml(file('./vars.yaml'))}`
                value = self._resolve_text(value, ("vars",), depth=0)
            if value is UNKNOWN:
                return UNKNOWN
            key = key_of_step(value, step)
            if key is None:
                raise Undefined(f"${{{text}}} is not defined: there is no {step!r}.")
            value = value[key]
        return value

    def _call(self, name: str, arguments: str, place: Place) -> Any:
        if arguments.count("(") > _MAX_DEPTH:
            return UNKNOWN
        given = [self._expression(part.strip(), place) for part in _split_arguments(arguments)]
        if UNKNOWN in given or not given:
            return UNKNOWN
        first = given[0] if isinstance(given[0], str) else str(given[0])
        if name == "env":
            return self._variable(first, given[1:])
        if name == "path":
            return str(real_path(self.folder / first.replace("\0", "")))
        if name in {"file", "yaml", "json"}:
            return self._content(name, first)
        return UNKNOWN

    def _variable(self, name: str, default: list[Any]) -> Any:
        if name in self.environ:
            return self.environ[name]
        if not default:
            message = f"${{env('{name}')}}: the variable {name} is not set here, and there is no default."
            raise Undefined(message, rule="unset-variable")
        return default[0]

    def _content(self, kind: str, given: str) -> Any:
        if kind == "file":
            return self._file(given)
        if isinstance(given, FileText):
            document = given.document
            if document.error is None:
                return document.data
            if kind == "yaml":
                raise Undefined(f"{document.file} cannot be read: {document.error}.", document=document) from None
        try:
            return json.loads(given) if kind == "json" else parse_yaml(given)
        except DocumentError as error:
            raise Undefined(f"${{yaml(...)}}: the text is not YAML: {error}.") from None
        except (ValueError, RecursionError):
            raise Undefined("${json(...)}: the text is not JSON.") from None

    def _file(self, given: str) -> Any:
        """Return the text of a file; `UNKNOWN` for one outside of the repository."""
        path = real_path(self.folder / given.replace("\0", ""))
        if not path.is_relative_to(self._repository):
            return UNKNOWN
        if path not in self.files:
            self.files[path] = read_document(path, self.root)
        document = self.files[path]
        if not document.text and document.error is not None:
            raise Undefined(f"${{file('{given}')}} cannot be read: {document.error.problem}.")
        return FileText.of(document)


def _split_arguments(arguments: str) -> list[str]:
    """Split arguments at the commas outside of quotes and brackets."""
    parts, depth, quote, start = [], 0, "", 0
    for index, character in enumerate(arguments):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "," and not depth:
            parts.append(arguments[start:index])
            start = index + 1
    last = arguments[start:]
    return [*parts, last] if last.strip() else parts


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of a `.env` file: `NAME=value` lines, comments, quotes, `export`."""
    values: dict[str, str] = {}
    if not path.is_file():
        return values
    for line in path.read_text("utf-8", "replace").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#") or not name.strip():
            continue
        value = value.strip()
        quoted = _QUOTED.fullmatch(value)
        values[name.strip()] = (quoted.group(1) or quoted.group(2) or "") if quoted else value.split(" #")[0].strip()
    return values
