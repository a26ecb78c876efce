"""Where the definitions of each language have steps, fields of steps and lists of steps; every reader of flows uses it.

The parsers build flows that can be run; `outline` finds tasks in definitions that may have mistakes; `json_schema` describes
the languages to editors.

Source: Serverless Workflow documentation 122492 to 122501; CloudFlow documentation 2412487, 2642848 (Task), 2412546 (Wait),
2412568 (Choice), 2412619 (Parallel), 2851868 (inline Map), 2489683 (Fail).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fc_callback.flows.definition import Place

Language: TypeAlias = Literal["legacy", "cloudflow"]


@attrs.frozen(kw_only=True)
class Layout:
    """The names of a language.

    Attributes:
        flow: The fields of the whole definition.
        steps: The field that holds a list of steps.
        kinds: The fields of each kind of step.
        inner: The fields of a step, by its kind, that hold what has a list of steps: one mapping, or a list of mappings.
            An empty text is the step itself.
        parts: The fields of the mappings inside a step, by the field that holds them.
        parameters: The fields of the parameters of an action, by its name.
        task_mode: The field for what a task waits for.
        waits_for: Its values, with those of `TaskCall.waits_for`. The first one is the default.
        rules: The fields with the rules for errors of a task.
        errors: The field of a rule that holds error names.
    """

    flow: tuple[str, ...]
    steps: str
    kinds: Mapping[str, tuple[str, ...]]
    inner: Mapping[str, tuple[str, ...]]
    parts: Mapping[str, tuple[str, ...]]
    parameters: Mapping[str, tuple[str, ...]]
    task_mode: str
    waits_for: Mapping[str, str]
    rules: tuple[str, ...]
    errors: str

    def entries(self, scope: Mapping[str, Any], place: Place = ()) -> Iterator[tuple[dict[str, Any], Place]]:
        """Yield each step below a mapping with its place, in the order of the document; skip what cannot be a step."""
        for entry, at in mappings_in(scope.get(self.steps), (*place, self.steps)):
            yield entry, at
            for name in dict.fromkeys(name for names in self.inner.values() for name in names):
                if not name:
                    yield from self.entries(entry, at)
                for inner, inner_at in mappings_in(entry.get(name), (*at, name)):
                    yield from self.entries(inner, inner_at)


def mappings_in(value: object, place: Place) -> Iterator[tuple[dict[str, Any], Place]]:
    """Yield a mapping, or the mappings of a list, each with its place."""
    if isinstance(value, dict):
        yield value, place
    for index, entry in enumerate(value if isinstance(value, list) else []):
        if isinstance(entry, dict):
            yield entry, (*place, index)


_STEP = ("type", "name", "description", "inputMappings", "outputMappings")
LEGACY = Layout(
    flow=("version", "type", "name", "description", "steps", "timeoutSeconds", "inputMappings", "outputMappings"),
    steps="steps",
    kinds={
        "pass": (*_STEP, "end"),
        "wait": (*_STEP, "end", "duration", "timestamp"),
        "task": (
            *_STEP,
            *("end", "resourceArn", "action", "pattern", "timeoutSeconds", "serviceParams", "retry", "catch"),
            "errorMappings",
        ),
        "choice": (*_STEP, "end", "choices", "default"),
        "parallel": (*_STEP, "end", "branches"),
        "foreach": (*_STEP, "end", "iterationMapping", "steps"),
        "succeed": _STEP,
        "fail": (*_STEP, "error", "cause"),
    },
    inner={"choice": ("choices", "default"), "parallel": ("branches",), "foreach": ("",)},
    parts={
        "inputMappings": ("target", "source"),
        "choices": ("condition", "steps", "goto"),
        "default": ("steps", "goto"),
        "branches": ("steps", "name", "description"),
        "iterationMapping": ("collection", "item", "index"),
        "retry": ("errors", "intervalSeconds", "maxIntervalSeconds", "maxAttempts", "multiplier"),
        "catch": ("errors", "goto"),
    },
    parameters={
        "FC:InvokeFunction": ("InvocationType", "StatefulAsyncInvocationID"),
        "FNF:StartExecution": ("Input", "ExecutionName"),
    },
    task_mode="pattern",
    waits_for={"requestResponse": "call", "sync": "end", "waitForCallback": "report"},
    rules=("retry", "catch"),
    errors="errors",
)

_STATE = ("Type", "Name", "Description")
_CONSTRUCTED = (*_STATE, "InputConstructor", "OutputConstructor", "GlobalConstructor")
_NEXT = ("Next", "End")
_RULES = ("Retry", "Catch")
_BODY = ("StartAt", "States", "Name", "Description")
CLOUDFLOW = Layout(
    flow=("Type", "SpecVersion", "Name", "Description", "StartAt", "States", "Timeout"),
    steps="States",
    kinds={
        "Pass": (*_CONSTRUCTED, *_NEXT),
        "Wait": (*_CONSTRUCTED, *_NEXT, "Seconds", "Seconds.$"),
        "Task": (*_CONSTRUCTED, *_NEXT, *_RULES, "Action", "TaskMode", "Parameters", "Timeout", "Timeout.$"),
        "Choice": (*_CONSTRUCTED, "Branches", "Default"),
        "Parallel": (*_CONSTRUCTED, *_NEXT, *_RULES, "Branches"),
        "Map": (*_CONSTRUCTED, *_NEXT, *_RULES, "ItemsPath", "Processor", "MaxConcurrency", "MaxConcuccency"),
        "Succeed": (*_CONSTRUCTED, "End"),
        "Fail": (*_STATE, "Code", "Detail", "End"),
    },
    inner={"Parallel": ("Branches",), "Map": ("Processor",)},
    parts={
        "Choice.Branches": ("Condition", "Next", "Description"),
        "Parallel.Branches": _BODY,
        "Processor": _BODY,
        "Retry": ("Errors", "Description", "MaxAttempts", "IntervalSeconds", "BackoffRate", "MaxBackoffSeconds"),
        "Catch": ("Errors", "Description", "OutputConstructor", "Next"),
    },
    parameters={
        "FC:InvokeFunction": ("resourceArn", "invocationType", "body"),
        "FNF:StartExecution": ("resourceArn", "executionName", "input"),
    },
    task_mode="TaskMode",
    waits_for={"RequestComplete": "call", "WaitForSystemCallback": "end", "WaitForCustomCallback": "report"},
    rules=_RULES,
    errors="Errors",
)


# The fields that only a distributed Map has, or its Processor.
DISTRIBUTED = ("ProcessorConfig", "ItemReader", "ItemConstructor", "ItemBatcher", "ResultWriter")


def language_of(document: object) -> Language | None:
    """Return the language that a definition is written in; None if its top level shows neither."""
    if not isinstance(document, dict):
        return None
    if document.get("Type") is not None or "States" in document:
        return "cloudflow"
    return "legacy" if document.get("type") == "flow" or "steps" in document else None


def action_name(action: object) -> str:
    """Return the name of a CloudFlow action; early documents write `FC::InvokeFunction`."""
    return action.replace("::", ":") if isinstance(action, str) else ""
