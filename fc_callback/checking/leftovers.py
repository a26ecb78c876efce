"""Find what a template left: placeholders, sample values, and the region of a sample.

One cause is one finding: all placeholders of a file, and all places of one sample value. The other rules do not see these
values: they take them for values that only a deployment knows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from fc_callback.checking.findings import Finding, finding_at, silenced_at
from fc_callback.project.expressions import UNKNOWN
from fc_callback.project.manifest import is_of_fc_2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fc_callback.project import Function, Project, Resource
    from fc_callback.project.documents import Document, Place

SAMPLE_ACCOUNT: Final = "1000000000000001"
"""The account of the templates and of the documentation."""
_PLACEHOLDER = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}")
# How js-yaml reads a placeholder without quotes: a mapping whose key is a mapping.
_UNQUOTED = "[object Object]"
_SAMPLE = re.compile(r"(?<![A-Za-z])your[-_ ][a-z][a-z_-]*|<[A-Za-z][^<>]*>|(?<![a-z])x{3,}(?![a-z])", re.IGNORECASE)
# Texts in which a word like `your-...` or `<...>` is a sample. A description or a variable may hold any text.
_NAMES: Final[tuple[Place, ...]] = (
    ("region",),
    ("role",),
    ("roleArn",),
    ("layers",),
    ("customContainerConfig", "image"),
    ("code", "ossBucketName"),
    ("vpcConfig",),
    ("nasConfig",),
    ("ossMountConfig",),
    ("logConfig", "project"),
    ("logConfig", "logstore"),
    ("triggers",),
)
_NOT_NAMES = {"description", "triggerName", "qualifier", "triggerConfig"}
_IMAGE = re.compile(
    r"(?:[\w.-]+-)?registry(?:-vpc|-internal)?\.(?P<region>[a-z]{2}-[a-z0-9-]+)\.(?:cr\.)?aliyuncs\.com/"
)
_LAYER = re.compile(r"acs:fc:(?P<region>[a-z]{2}-[a-z0-9-]+):")
_PLACES_SHOWN = 5


def check(project: Project) -> Iterator[Finding]:
    """Find what templates left in the manifests, the flows and the policies."""
    documents = [one for one in project.manifests if not is_of_fc_2(one.data)]
    documents += [*(flow.document for flow in project.flows), *project.policies.values()]
    for document in {document.path: document for document in documents}.values():
        yield from _placeholders(document)
    yield from _samples(project)
    for function in project.functions:
        yield from _regions(function)


def without_leftovers(project: Project) -> Project:
    """Return a project in which placeholders and samples of names are unknown values."""
    return attrs.evolve(
        project,
        functions=tuple(map(_without_leftovers, project.functions)),
        flow_resources=tuple(map(_without_leftovers, project.flow_resources)),
    )


def _without_leftovers(resource: Any) -> Any:
    return attrs.evolve(resource, props=settled(resource.props, names=True))


def settled(value: Any, place: Place = (), *, names: bool = False) -> Any:
    """Return a value in which each part with a placeholder is unknown.

    Args:
        value: The value.
        place: Its place.
        names: Whether samples in the names of resources are unknown, too.
    """
    if _placeholder_of(value) or (names and _sample_of(value, place)):
        return UNKNOWN
    if isinstance(value, dict):
        return {key: settled(each, (*place, key), names=names) for key, each in value.items()}
    if isinstance(value, list):
        return [settled(each, (*place, index), names=names) for index, each in enumerate(value)]
    return value


def _placeholder_of(value: Any) -> str:
    """Return the placeholder in a value; empty for a sentence with one, which may be the template of something else."""
    if isinstance(value, dict) and len(value) == 1 and _UNQUOTED in value:
        return "{{ ... }}"
    found = _PLACEHOLDER.search(value) if isinstance(value, str) else None
    if found is None or re.search(r"\s", _PLACEHOLDER.sub("", value).strip()):
        return ""
    return found[0]


def _sample_of(value: Any, place: Place) -> str:
    """Return the sample in the name of a resource; empty if there is none."""
    is_name = any(place[: len(prefix)] == prefix for prefix in _NAMES) and _NOT_NAMES.isdisjoint(place)
    found = _SAMPLE.search(value) if is_name and isinstance(value, str) else None
    return found[0] if found else ""


def _texts(value: Any, place: Place = ()) -> Iterator[tuple[Any, Place]]:
    """Yield each text with its place, and each mapping that was a placeholder without quotes."""
    if isinstance(value, str) or _placeholder_of(value):
        yield value, place
        return
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        if isinstance(key, str):
            yield key, (*place, key)
        yield from _texts(part, (*place, key))


def _placeholders(document: Document) -> Iterator[Finding]:
    lines = document.text.splitlines()
    found = [(name, document.line(*place)) for text, place in _texts(document.data) if (name := _placeholder_of(text))]
    found = [(name, line) for name, line in found if "placeholder" not in silenced_at(lines, line)]
    if not found:
        return
    shown = [f"{name} (line {line})" for name, line in dict(found).items()]
    one = len(found) == 1
    yield Finding(
        rule="placeholder",
        file=document.file,
        line=found[0][1],
        message=f"{_enumerated(shown)} {'is a placeholder' if one else 'are placeholders'} of a template, and `s` would "
        f"deploy {'it as it is' if one else 'them as they are'}.",
        hint="Write the values, or create the project again: `fc-callback new`, or `s init --parameters`.",
    )


def _samples(project: Project) -> Iterator[Finding]:
    places: dict[str, dict[tuple[str, int], None]] = {}
    for resource in (*project.functions, *project.flow_resources):
        for text, place in _texts({name: value for name, value in resource.props.items() if name != "definition"}):
            for sample in filter(None, (_account_of(text), _sample_of(text, place))):
                places.setdefault(sample, {})[resource.locate(*place)] = None
    for flow in project.flows:
        for text, place in _texts(flow.document.data if flow.data is None else flow.data):
            if sample := _account_of(text):
                places.setdefault(sample, {})[flow.locate(*place)] = None
    for sample, found in places.items():
        (file, line), *others = found
        also = _enumerated([f"{name}:{number}" for name, number in others])
        what = f"The account {sample}" if sample == SAMPLE_ACCOUNT else repr(sample)
        yield Finding(
            rule="sample-value",
            file=file,
            line=line,
            message=f"{what} is a sample{f', also in {also}' if also else ''}.",
            hint="Write your own, or set the variable that replaces it where you deploy.",
        )


def _account_of(text: Any) -> str:
    return SAMPLE_ACCOUNT if isinstance(text, str) and SAMPLE_ACCOUNT in text else ""


def _enumerated(texts: list[str]) -> str:
    more = len(texts) - _PLACES_SHOWN
    return ", ".join(texts[:_PLACES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _regions(function: Function) -> Iterator[Finding]:
    layers = function.props.get("layers")
    image = function.mapping("customContainerConfig").get("image")
    yield from _other_region(function, "image", _IMAGE, image, "customContainerConfig", "image")
    for index, layer in enumerate(layers if isinstance(layers, list) else []):
        yield from _other_region(function, "layer", _LAYER, layer, "layers", index)


def _other_region(
    function: Resource, what: str, pattern: re.Pattern[str], value: Any, *place: str | int
) -> Iterator[Finding]:
    found = pattern.match(value) if isinstance(value, str) else None
    region = function.text("region")
    if found and region and found["region"] != region:
        yield finding_at(
            function,
            "other-region",
            f"The {what} is in {found['region']}, and the function in {region}: FC takes the {what}s of its own region.",
            f"Write the {what} of {region}.",
            *place,
        )
