"""The reference of Python names, as Markdown: signature, docstring and members of each."""

from __future__ import annotations

import importlib
import inspect
import re
from functools import cached_property
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import attrs
from docstrings import docstring, to_markdown
from pydantic import BaseModel

from fc_callback.callback.options import Options
from fc_callback.values.base import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The options of these types are the keyword arguments of a function; the class has their defaults.
_OPTIONS = {"TaskOptions": Options}
_LONGEST_LINE = 88
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def api_reference(module: str, *names: str) -> str:
    """Return the reference of a module: of the given names, else of all in its `__all__`."""
    holder = importlib.import_module(module)
    chosen = names or tuple(holder.__all__)
    parts = [f"## {module}", to_markdown(docstring(holder))]
    values = {name: getattr(holder, name) for name in chosen}
    for name, value in values.items():
        parts += [f"### {name}", *_described(name, value, module, [*values.values()])]
    return "\n\n".join(part for part in parts if part)


def _described(name: str, value: Any, module: str, others: list[Any]) -> Iterator[str]:
    if inspect.ismodule(value):
        functions = [
            (each, member)
            for each, member in vars(value).items()
            if inspect.isfunction(member) and member.__module__ == value.__name__ and not each.startswith("_")
        ]
        yield to_markdown(docstring(value))
        for each, function in functions:
            yield from (f"#### {name}.{each}", *_called(f"{name}.{each}", function))
    elif isinstance(value, type):
        yield from _class(name, value, others)
    elif callable(value):
        yield from _called(name, value)
    else:
        yield f"An object of `{type(value).__name__}` in `{module}`. {to_markdown(docstring(type(value)))}"


def _class(name: str, cls: type, others: list[Any]) -> Iterator[str]:
    bases = [
        base.__name__ for base in cls.__bases__ if base not in {object, Value} and not base.__name__.startswith("_")
    ]
    if bases:
        yield f"A class, derived from {', '.join(f'`{base}`' for base in bases)}."
    if issubclass(cls, BaseModel):
        yield "\n".join(_model_fields(cls))
    else:
        yield from _signature(name, cls)
    yield to_markdown(docstring(cls))
    for each, member in _members(cls, others):
        yield from (f"#### {name}.{each}", *_member(each, member))


def _members(cls: type, others: list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties of a class, also those of bases in this package that the page does not have."""
    seen = set()
    for base in cls.__mro__:
        if base is Value or (base is not cls and base in others) or not base.__module__.startswith("fc_callback"):
            continue
        for name, member in vars(base).items():
            if name.startswith("_") or name in seen or isinstance(member, type):
                continue
            plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            if isinstance(plain, property | cached_property) or inspect.isroutine(plain):
                seen.add(name)
                yield name, plain


def _member(name: str, member: Any) -> Iterator[str]:
    if isinstance(member, property | cached_property):
        function = member.fget if isinstance(member, property) else member.func
        kind = inspect.signature(function).return_annotation if function else inspect.Signature.empty
        yield "A property." if kind is inspect.Signature.empty else f"A property: `{_type(kind)}`."
        yield to_markdown(docstring(function))
    else:
        yield from _called(name, member)


def _called(name: str, function: Callable[..., Any]) -> Iterator[str]:
    yield from _signature(name, function)
    yield to_markdown(docstring(function))


def _model_fields(cls: type[BaseModel]) -> Iterator[str]:
    yield from ("| field | in the event | type | default |", "|---|---|---|---|")
    for name, field in cls.model_fields.items():
        alias = field.alias or name
        default = "required" if field.is_required() else f"`{_default(field.default)}`"
        if field.default_factory is not None:
            default = f"`{_default(field.default_factory)}()`"
        kind = _plain_type(field.annotation).replace("|", r"\|")
        yield f"| `{name}` | `{alias}` | `{kind}` | {default} |"


def _signature(name: str, value: Callable[..., Any]) -> Iterator[str]:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return
    parameters = [each for each in signature.parameters.values() if each.name not in {"self", "cls"}]
    parameters = [_with_factory(each, value) for parameter in parameters for each in _unpacked(parameter)]
    shown = list(_with_marks(parameters))
    kind = signature.return_annotation
    returns = "" if kind is inspect.Signature.empty or isinstance(value, type) else f" -> {_type(kind)}"
    prefix = "await " if inspect.iscoroutinefunction(value) else ""
    line = f"{prefix}{name}({', '.join(shown)}){returns}"
    if len(line) > _LONGEST_LINE:
        line = f"{prefix}{name}(\n" + "".join(f"    {each},\n" for each in shown) + f"){returns}"
    yield f"```python\n{line}\n```"


def _unpacked(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """Return the options that `**options: Unpack[...]` stands for, with the defaults of the class that checks them."""
    options = re.fullmatch(r"Unpack\[(\w+)\]", str(parameter.annotation))
    if options is None:
        return [parameter]
    return list(inspect.signature(_OPTIONS[options[1]]).parameters.values())


class _AsWritten(str):
    """A text of code, as it is."""

    __slots__ = ()
    __repr__ = str.__str__


def _with_factory(parameter: inspect.Parameter, value: Callable[..., Any]) -> inspect.Parameter:
    """Return the parameter of an attrs class with the call that makes its default; `...` if that is not a public function."""
    if parameter.default is not attrs.NOTHING:
        return parameter
    factory = attrs.fields_dict(value)[parameter.name].default
    name = factory.factory.__name__
    text = "..." if factory.takes_self or name.startswith("_") else f"{name}()"
    return parameter.replace(default=_AsWritten(text))


def _with_marks(parameters: list[inspect.Parameter]) -> Iterator[str]:
    before = None
    for parameter in parameters:
        if before == parameter.POSITIONAL_ONLY != parameter.kind:
            yield "/"
        if parameter.kind == parameter.KEYWORD_ONLY and before not in {
            parameter.KEYWORD_ONLY,
            parameter.VAR_POSITIONAL,
        }:
            yield "*"
        before = parameter.kind
        yield _parameter(parameter)
    if before == inspect.Parameter.POSITIONAL_ONLY:
        yield "/"


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    known = parameter.annotation is not parameter.empty
    text = f"{stars}{parameter.name}" + (f": {_type(parameter.annotation)}" if known else "")
    if parameter.default is parameter.empty:
        return text
    equals = " = " if known else "="
    return f"{text}{equals}{_default(parameter.default)}"


def _type(annotation: Any) -> str:
    """Return a type as one writes it in code."""
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return annotation if isinstance(annotation, str) else str(annotation)


def _plain_type(annotation: Any) -> str:
    """Return the type of a model's field without what pydantic does to read it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _plain_type(arguments[0])
    if origin in {Union, UnionType}:
        return " | ".join(_plain_type(each) for each in arguments)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is not None:
        return f"{origin.__name__}[{', '.join(_plain_type(each) for each in arguments)}]"
    if annotation in {None, NoneType}:
        return "None"
    return "..." if annotation is Ellipsis else getattr(annotation, "__name__", str(annotation))


def _default(value: Any) -> str:
    """Return a default as one writes it in code."""
    return value.__name__ if inspect.isfunction(value) or isinstance(value, type) else _ADDRESS.sub("", repr(value))
