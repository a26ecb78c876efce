"""The `${...}` of s.yaml: `vars`, `env`, `path`, `file`, `yaml`, `json`, `this`, `resources`, `config`.

What only a deployment knows (an account's number, another resource's output) becomes `UNKNOWN`, which every rule passes
over. Source: Serverless Devs, "variables" of edition 3.0.0, and `s preview` of 3.1.10 as it behaves.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import attrs
import yaml

from fc_callback.errors import FcCallbackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from fc_callback.checking.documents import Place


class Unknown:
    """A value that only a deployment knows."""

    def __repr__(self) -> str:
        return "<unknown until deployed>"


UNKNOWN = Unknown()
_EXPRESSION = re.compile(r"\$\{([^}]*)\}")
_CALL = re.compile(r"(?P<name>[a-zA-Z]+)\s*\((?P<arguments>.*)\)", re.DOTALL)
_REFERENCE = re.compile(r"[\w.-]+")
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")


class Undefined(FcCallbackError):
    """An expression names something that is not there."""


@attrs.frozen(kw_only=True)
class Resolver:
    """Resolves the expressions of one s.yaml.

    Args:
        data: The file's content.
        folder: The file's directory.
        environ: The variables that `env()` sees.
        report: Called with the place and the reason of an expression that cannot be resolved.
    """

    data: Mapping[str, Any]
    folder: Path
    environ: Mapping[str, str] = attrs.field(repr=False)
    report: Callable[[Place, str], None]

    def resolve(self, value: Any, place: Place) -> Any:
        """Return a value with its expressions resolved, as deep as it goes."""
        if isinstance(value, dict):
            return {key: self.resolve(each, (*place, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self.resolve(each, (*place, index)) for index, each in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        try:
            return self._text(value, place, depth=0)
        except Undefined as error:
            self.report(place, str(error))
            return UNKNOWN

    def _text(self, value: str, place: Place, *, depth: int) -> Any:
        if depth > 10:  # noqa: PLR2004 - deeper than anybody writes: it goes in circles
            raise Undefined(f"{value} leads back to itself.")
        whole = _EXPRESSION.fullmatch(value.strip())
        if whole:
            return self._expression(whole.group(1).strip(), place, depth)
        parts = [self._expression(found.group(1).strip(), place, depth) for found in _EXPRESSION.finditer(value)]
        if any(part is UNKNOWN or isinstance(part, (dict, list)) for part in parts):
            return UNKNOWN
        given = iter(parts)
        return _EXPRESSION.sub(lambda _: str(next(given)), value)

    def _expression(self, text: str, place: Place, depth: int) -> Any:
        call = _CALL.fullmatch(text)
        if call:
            return self._call(call.group("name"), call.group("arguments"), place, depth)
        quoted = _QUOTED.fullmatch(text)
        if quoted:
            return quoted.group(1) or quoted.group(2) or ""
        if not _REFERENCE.fullmatch(text):
            return UNKNOWN
        head, _, rest = text.partition(".")
        if head == "vars":
            return self._follow(self.data.get("vars"), rest, text, place, depth)
        if head == "this" and len(place) > 1 and place[0] == "resources":
            return self._of_resource(str(place[1]), rest, text, place, depth)
        if head == "resources":
            name, _, below = rest.partition(".")
            return self._of_resource(name, below, text, place, depth)
        return UNKNOWN

    def _of_resource(self, name: str, rest: str, text: str, place: Place, depth: int) -> Any:
        resources = self.data.get("resources")
        resource = resources.get(name) if isinstance(resources, dict) else None
        if not isinstance(resource, dict):
            raise Undefined(f"${{{text}}}: there is no resource {name!r}.")
        if rest == "name":
            return name
        if rest == "output" or rest.startswith("output.") or not rest.startswith("props"):
            return UNKNOWN
        return self._follow(resource, rest, text, place, depth)

    def _follow(self, value: Any, path: str, text: str, place: Place, depth: int) -> Any:
        for key in path.split("."):
            if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            elif isinstance(value, dict) and key in value:
                value = value[key]
            else:
                raise Undefined(f"${{{text}}} is not defined: there is no {key!r}.")
        if isinstance(value, str) and "${" in value:
            return self._text(value, place, depth=depth + 1)
        return value

    def _call(self, name: str, arguments: str, place: Place, depth: int) -> Any:
        given = [self._argument(part, place, depth) for part in _split(arguments)]
        if UNKNOWN in given or not given:
            return UNKNOWN
        first = str(given[0])
        if name == "env":
            return self._variable(first, given[1:])
        if name == "path":
            return str((self.folder / first).resolve())
        if name in {"file", "yaml", "json"}:
            return self._content(name, first)
        return UNKNOWN

    def _argument(self, text: str, place: Place, depth: int) -> Any:
        return self._expression(text.strip(), place, depth + 1)

    def _variable(self, name: str, default: list[Any]) -> Any:
        if name in self.environ:
            return self.environ[name]
        if not default:
            raise Undefined(f"${{env('{name}')}}: the variable {name} is not set, and there is no default.")
        return default[0]

    def _content(self, kind: str, given: str) -> Any:
        if kind == "file":
            path = self.folder / given
            try:
                return path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                raise Undefined(f"${{file('{given}')}}: there is no such file.") from None
        try:
            return json.loads(given) if kind == "json" else yaml.safe_load(given)
        except (ValueError, yaml.YAMLError):
            raise Undefined(f"${{{kind}(...)}}: what it is given is not {kind.upper()}.") from None


def _split(arguments: str) -> list[str]:
    """Split at the commas that stand outside of quotes and brackets."""
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
    """Read a `.env` file: `NAME=value` lines, comments, quotes, `export`."""
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
