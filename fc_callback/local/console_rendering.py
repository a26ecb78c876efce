"""Renders the console's pages: Jinja2 templates, with one gate that masks secrets in everything they show."""

from __future__ import annotations

import functools
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup

from fc_callback.errors import CAUSE_MAX_CHARACTERS, ERROR_MAX_CHARACTERS
from fc_callback.local.clock import parse_time
from fc_callback.redaction import mask_secrets
from fc_callback.settings import CLOUDFLOW_OUTPUT_LIMIT_BYTES, KIB

if TYPE_CHECKING:
    import jinja2

FOLDER = Path(__file__).parent / "console"
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def execution_path(flow: str, name: str) -> str:
    """Return the address of an execution's page."""
    return f"/console/executions/{quote(flow, safe='')}/{quote(name, safe='')}"


def render(template: str, **values: Any) -> str:
    """Return the HTML of a template. `now` is the service's time; it is this moment if it is not given."""
    return _whole(_environment().get_template(template).render({"now": time.time(), **values}))


def as_json(content: Any) -> str:
    """Return a value as JSON text, with secrets masked, for what a script of the page reads."""
    return _whole(mask_secrets(json.dumps(content, ensure_ascii=False)))


def _whole(text: str) -> str:
    """Return a text with `?` for each half of a character, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2  # most services are never looked at

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=_masked,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        relative=jinja2.pass_context(_relative),
        age=jinja2.pass_context(_age),
        span=span,
        whole=int,
        pretty=pretty,
        pretty_text=_pretty_text,
        size=size_of,
        shortened=_shortened,
    )
    environment.globals.update(
        execution_path=execution_path,
        OUTPUT_LIMIT=CLOUDFLOW_OUTPUT_LIMIT_BYTES,
        ERROR_LIMIT=ERROR_MAX_CHARACTERS,
        CAUSE_LIMIT=CAUSE_MAX_CHARACTERS,
    )
    return environment


def _masked(value: Any) -> Any:
    """Mask secrets in a value that a template shows; what is markup already has passed here."""
    return value if isinstance(value, Markup | int | float) else mask_secrets(str(value))


def span(seconds: float | None) -> str:
    """Return a duration like `250 ms`, `12.4 s`, `3 min 5 s`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s".replace(".0 s", " s")
    parts, rest = [], int(seconds)
    for size, unit in _UNITS:
        if rest >= size:
            parts.append(f"{rest // size} {unit}")
        rest %= size
    return " ".join(parts[:2])


def _relative(context: jinja2.runtime.Context, text: str) -> str:
    """Return a time of the service as `12 s ago`, in its largest unit."""
    then = parse_time(text)
    if then is None:
        return text
    seconds = int(float(context["now"]) - then)
    size, unit = next(((size, unit) for size, unit in _UNITS if abs(seconds) >= size), (1, ""))
    number = f"{abs(seconds) // size} {unit}"
    return "now" if not unit else f"{number} ago" if seconds > 0 else f"in {number}"


def _age(context: jinja2.runtime.Context, text: str) -> float | str:
    """Return how many seconds ago a time of the service was; empty if it cannot be read."""
    then = parse_time(text)
    return "" if then is None else round(float(context["now"]) - then, 3)


def pretty(value: Any) -> str:
    """Return a JSON value as text for people, indented."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def _shortened(text: str, length: int) -> str:
    """Return the begin of a text. Secrets are masked before: the begin of one would not be known as a secret."""
    masked = mask_secrets(text)
    return masked if len(masked) <= length else f"{masked[: length - 1]}…"


def _pretty_text(text: str) -> str:
    """Return a text indented if it is JSON, and as it is otherwise."""
    try:
        return pretty(json.loads(text))
    except (ValueError, RecursionError):
        return text


def size_of(text: str) -> str:
    """Return the size of a text in UTF-8, like `1.5 KiB`."""
    count = len(text.encode("utf-8", "replace"))
    return f"{count} B" if count < KIB else f"{count / KIB:.1f} KiB"
