"""Checks of options. They run when an option is given, and not at the first event.

An error names the option, says what was given, and what to give instead. It never shows a value that may be a secret: for a
text it gives the length, for an object the type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from fc_callback.errors import SettingsError
from fc_callback.values.functions import accepts, is_async

# The hint of `task_callback` and `idempotent` for an option that must be made by `once()`.
ONCE_EXAMPLE = 'Give the result of once(), like once("order.id"), with: from fc_callback import once.'

_LONGEST_WORD = 20  # regions and choices are shorter, an access key's id has 24
_HIGHEST = 10**15


def refuse(option: str, given: object, give: str) -> NoReturn:
    """Raise the error of an option.

    Args:
        option: The option's name.
        given: The invalid value.
        give: What to give instead, as a sentence.

    Raises:
        SettingsError: Always.
    """
    raise SettingsError(f"{option}= is {kind_of(given)}.", hint=give)


def kind_of(given: object) -> str:
    """Describe a value. Only numbers are shown: `5`, `a str of 12 characters`, `the class OSError`."""
    if given is None or isinstance(given, (bool, float)) or (isinstance(given, int) and abs(given) < _HIGHEST):
        return repr(given)
    if isinstance(given, type):
        return f"the class {given.__name__}"
    if isinstance(given, str):
        return f"a str of {len(given)} character{'s' * (len(given) != 1)}" if given else "an empty str"
    name = type(given).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def shown(given: str) -> str:
    """Return a short text, because it may be misspelled, or the length of a longer text. Secrets are longer."""
    return repr(given) if given and len(given) <= _LONGEST_WORD and given.isprintable() else kind_of(given)


def one_of(option: str, given: object, words: tuple[str, ...]) -> None:
    """Check that an option is one of these words."""
    if isinstance(given, str) and given in words:
        return
    what = shown(given) if isinstance(given, str) else kind_of(given)
    raise SettingsError(f"{option}= is {what}.", hint=f"Use one of {', '.join(map(repr, words))}.")


def number(
    option: str, given: object, *, above: float | None = None, least: float | None = None, most: float | None = None
) -> None:
    """Check that an option is a finite number above `above`, or from `least` to `most`."""
    if not (
        isinstance(given, (int, float))
        and not isinstance(given, bool)
        and -_HIGHEST < given < _HIGHEST
        and (above is None or given > above)
        and (least is None or given >= least)
        and (most is None or given <= most)
    ):
        refuse(option, given, f"Give a number{_bounds(above, least, most)}.")


def whole_number(option: str, given: object, *, least: int, most: int | None = None) -> None:
    """Check that an option is a whole number from `least` to `most`."""
    is_whole = isinstance(given, int) and not isinstance(given, bool)
    if not is_whole or given < least or (most is not None and given > most):  # type: ignore[operator]  # it is an int
        refuse(option, given, f"Give a whole number{_bounds(None, least, most)}.")


def _bounds(above: float | None, least: float | None, most: float | None) -> str:
    if above is not None:
        return f" above {above:g}"
    if most is None:
        return "" if least is None else f", {least:g} or more"
    return f" from {least:g} to {most:g}"


def flag(option: str, given: object) -> None:
    """Check that an option is True or False."""
    if not isinstance(given, bool):
        refuse(option, given, "Give True or False.")


def text(option: str, given: object, give: str) -> None:
    """Check that an option is a str that is not empty."""
    if not isinstance(given, str) or not given.strip():
        refuse(option, given, give)


def texts(option: str, given: Any, give: str) -> tuple[str, ...]:
    """Return the words of an option that accepts several. A single str is refused: it would count as its letters."""
    if isinstance(given, (str, bytes)) or not hasattr(type(given), "__iter__"):
        refuse(option, given, give)
    words = tuple(given)
    for word in words:
        if not isinstance(word, str) or not word.strip():
            raise SettingsError(f"{option}= contains {kind_of(word)}.", hint=give)
    return words


def instance_of(option: str, given: object, kind: Any, give: str) -> None:
    """Check that an option is an instance of a class, and not the class itself."""
    if isinstance(given, type) or not isinstance(given, kind):
        refuse(option, given, give)


def function(option: str, given: object, *, gets: tuple[str, ...], give: str) -> None:
    """Check that an option is a function that is not `async def` and accepts these arguments."""
    if not callable(given) or isinstance(given, type):
        refuse(option, given, give)
    if is_async(given):
        raise SettingsError(f"{option}= is an async function, but its result is not awaited.", hint=give)
    if not accepts(given, len(gets)):
        raise SettingsError(f"{option}= is a function that cannot be called with ({', '.join(gets)}).", hint=give)


def exception_classes(option: str, given: object) -> tuple[type[BaseException], ...]:
    """Return the exception classes of an option, from a tuple or a list."""
    give = f"Give a tuple of exception classes: {option}=(TimeoutError, ConnectionError)."
    if isinstance(given, type) and issubclass(given, BaseException):
        refuse(option, given, f"Give a tuple: {option}=({given.__name__},).")
    if not isinstance(given, (tuple, list, set, frozenset)):
        refuse(option, given, give)
    for one in given:
        if not (isinstance(one, type) and issubclass(one, BaseException)):
            raise SettingsError(f"{option}= contains {kind_of(one)}.", hint=give)
    return tuple(given)


def names_of_exceptions(option: str, given: object, *, most: int) -> dict[type[BaseException], str]:
    """Return an option that maps exception classes to names of at most `most` characters."""
    give = f'Give a dict of exception classes and names: {option}={{ValueError: "BadOrder"}}.'
    if not isinstance(given, Mapping):
        refuse(option, given, give)
    for kind, name in given.items():
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise SettingsError(f"{option}= has {kind_of(kind)} as a key.", hint=give)
        if not isinstance(name, str):
            raise SettingsError(f"{option}= gives {kind.__name__} {kind_of(name)} as its name.", hint=give)
        if not 1 <= len(name) <= most:
            raise SettingsError(
                f"{option}= gives {kind.__name__} a name of {len(name)} characters.", hint=f"An Error has 1 to {most}."
            )
        if not name.strip() or not name.isprintable():
            raise SettingsError(
                f"{option}= gives {kind.__name__} a name that is blank or contains invisible characters.",
                hint=give,
            )
    return dict(given)
