"""A flow of one step that calls a function and waits for its report, made from the flow of the template."""

from __future__ import annotations

import math
import re
import textwrap
from typing import TYPE_CHECKING

import attrs

from fc_callback.project.documents import value_at
from fc_callback.project.yaml_nodes import YamlNode, node_at, read_nodes
from fc_callback.project.yaml_reader import parse_yaml

if TYPE_CHECKING:
    from fc_callback.flows.layout import Language
    from fc_callback.project.documents import Place
    from fc_callback.scaffolding.task_texts import TaskTexts

_SCHEMA_COMMENT = re.compile(r"\A# yaml-language-server:.*\n")
_SPARE_SECONDS = 60  # for the report and its repeats, after the function's own time


@attrs.frozen(kw_only=True)
class _Form:
    """Where the parts of the template's flow are, in one language.

    Attributes:
        file: The file in the template.
        step: The step that calls the function.
        body: What it sends, below the step.
        names: Where the step's name is.
        timeout: The key of a timeout, of the step and of the flow.
        example: A comment that shows how the step sends more.
    """

    file: str
    step: Place
    body: Place
    names: tuple[Place, ...]
    timeout: str
    example: str


_FORMS: dict[Language, _Form] = {
    "cloudflow": _Form(
        file="flows/cloudflow.yaml",
        step=("States", 0),
        body=("Parameters", "body"),
        names=(("States", 0, "Name"), ("StartAt",)),
        timeout="Timeout",
        example="# Add what the function reads from its event, for example: orderId.$: $Input.orderId",
    ),
    "legacy": _Form(
        file="flows/legacy.yaml",
        step=("steps", 0),
        body=("inputMappings",),
        names=(("steps", 0, "name"),),
        timeout="timeoutSeconds",
        example="# Add what the function reads from its event, for example: {target: orderId, source: $input.orderId}",
    ),
}


def flow_text(texts: TaskTexts, language: Language, *, step: str, function_seconds: float | None) -> str:
    """Return the definition of a flow that calls the function of `texts`.

    Args:
        texts: The texts for the function.
        language: The flow's language.
        step: The name of the step.
        function_seconds: The function's timeout: the step waits longer, and the flow longer than the step.
    """
    form = _FORMS[language]
    # The template brings the schema that this comment names to editors; another project has none.
    text = _only_the_token(_SCHEMA_COMMENT.sub("", texts.file(form.file)), form)
    for place in form.names:
        text = _with_scalar(text, place, step)
    waits = math.ceil(function_seconds or 0) + _SPARE_SECONDS
    for place, least in (((*form.step, form.timeout), waits), ((form.timeout,), waits + _SPARE_SECONDS)):
        if value_at(parse_yaml(text), *place) < least:
            text = _with_scalar(text, place, str(least))
    return text


def step_of(text: str, language: Language) -> list[str]:
    """Return the lines of the step in a flow from `flow_text`, for a flow that exists."""
    node = node_at(read_nodes(text), *_FORMS[language].step)
    assert node is not None
    lines = text.splitlines()[text.count("\n", 0, node.start) : text.count("\n", 0, node.end) + 1]
    return textwrap.dedent("\n".join(lines)).splitlines()


def _only_the_token(text: str, form: _Form) -> str:
    """Drop what the template's step sends beside the token: it is for the template's own function."""
    body = node_at(read_nodes(text), *form.step, *form.body)
    assert body is not None
    parts = [(key, value) for key, value in body.entries] or [(item, item) for item in body.items]
    lines = text.splitlines(keepends=True)
    for first, last in reversed(parts):
        begins, ends = text.count("\n", 0, first.start), text.count("\n", 0, last.end)
        if not _is_token(first):
            del lines[begins : ends + 1]
            continue
        indent = lines[begins][: len(lines[begins]) - len(lines[begins].lstrip())]
        lines.insert(ends + 1, f"{indent}{form.example}\n")
    return "".join(lines)


def _is_token(part: YamlNode) -> bool:
    return "taskToken" in (part.text.removesuffix(".$"), *(value.text for _, value in part.entries))


def _with_scalar(text: str, place: Place, value: str) -> str:
    node = node_at(read_nodes(text), *place)
    assert node is not None
    return text[: node.start] + value + text[node.end :]
