"""A failed function, as CloudFlow hears of it: an Error that a flow's Catch can name, and a Cause for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fc_callback.errors import CAUSE_MAX_CHARACTERS, ERROR_MAX_CHARACTERS, TaskFailed
from fc_callback.redaction import mask_secrets
from fc_callback.values.base import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CAUSE_CHARACTERS = 1000


class Failure(Value):
    """How a task failed.

    Attributes:
        error: The name for Catch and Retry, 1 to 128 characters.
        cause: A summary for people, at most 4,096 characters, without secrets.
        technical: Whether it came from an exception and not from a `TaskFailed`: another run may end differently.
    """

    error: str
    cause: str
    technical: bool = True


def failure_of(
    problem: BaseException, *, names: Mapping[type[BaseException], str], request_id: str, secrets: Iterable[str]
) -> Failure:
    """Return the failure that an exception is.

    The Error is what `TaskFailed` says, else the name mapped to the exception's class or the nearest of its bases, else
    the class's own name.

    Args:
        problem: The exception.
        names: The names that the person chose, by class.
        request_id: FC's id of the invocation, to find its log by.
        secrets: Texts to mask in the Cause.
    """
    if isinstance(problem, TaskFailed):
        return Failure(
            error=_plain(problem.error),
            cause=mask_secrets(_plain(problem.cause), also=secrets)[:CAUSE_MAX_CHARACTERS],
            technical=False,
        )
    kind = type(problem)
    name = next((names[base] for base in kind.__mro__ if base in names), kind.__name__)
    said = mask_secrets(_text_of(problem), also=secrets)
    if len(said) > _CAUSE_CHARACTERS:
        said = f"{said[:_CAUSE_CHARACTERS]}..."
    cause = f"{kind.__name__}: {said}" if said else kind.__name__
    return Failure(
        error=name[:ERROR_MAX_CHARACTERS],
        cause=f"{cause} (RequestId {request_id})"[:CAUSE_MAX_CHARACTERS] if request_id else cause,
    )


def _text_of(problem: BaseException) -> str:
    try:
        return _plain(str(problem))
    except Exception:  # noqa: BLE001 - a person's own __str__ may do anything; the report must still go out
        return ""


def _plain(text: str) -> str:
    """Return text that can be sent: a lone surrogate has no form in UTF-8."""
    return text.encode("utf-8", "replace").decode()
