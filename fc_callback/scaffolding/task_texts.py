"""The texts that make a function a task, taken from the template whose function CloudFlow calls directly.

So each text exists once: what `fc-callback new` deploys, `fc-callback add` adds.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import attrs

from fc_callback.project.documents import value_at
from fc_callback.project.requirement_files import REQUIREMENTS_FILE, parse_requirement
from fc_callback.project.yaml_nodes import node_at, read_nodes
from fc_callback.project.yaml_reader import parse_yaml
from fc_callback.scaffolding.rendering import rendered_file
from fc_callback.scaffolding.template import find_template
from fc_callback.scaffolding.yaml_edits import YamlFragment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fc_callback.project.documents import Place
    from fc_callback.scaffolding.template import ProjectTemplate

_TEMPLATE, _SERVING_TEMPLATE = "event-callback", "custom-container"
_RESOURCE = ("resources", "function")
PROPS = "props"
ACTIONS = ("actions", "pre-deploy")
INITIALIZER = ("instanceLifecycleConfig", "initializer")
PYTHONPATH = ("environmentVariables", "PYTHONPATH")
POLICY, TRUST = "policies/function-role.json", "policies/function-role-trust.json"
IGNORE_FILE = ".fcignore"


@attrs.frozen(kw_only=True)
class TaskTexts:
    """The texts for one function.

    Args:
        values: The values of the template's parameters.
    """

    values: Mapping[str, str]
    _template: ProjectTemplate = attrs.field(factory=lambda: find_template(_TEMPLATE))

    def file(self, name: str) -> str:
        """Return a file of the template."""
        known = {parameter.name for parameter in self._template.parameters}
        return rendered_file(self._template, name, {key: value for key, value in self.values.items() if key in known})

    def requirement(self, *, serves: bool = False) -> str:
        """Return the line of fc-callback in requirements.txt.

        Args:
            serves: Whether the function is served by `fc-callback serve`.
        """
        template = find_template(_SERVING_TEMPLATE) if serves else self._template
        lines = rendered_file(template, f"code/{REQUIREMENTS_FILE}", {}).splitlines()
        return next(line for line in lines if (one := parse_requirement(line)) and one.name == "fc-callback")

    def prop(self, *place: str) -> YamlFragment:
        """Return an entry of the function's props."""
        return _fragment(self.file("s.yaml"), (*_RESOURCE, PROPS, *place))

    @property
    def build_action(self) -> YamlFragment:
        """The action that builds the package before a deployment."""
        return _fragment(self.file("s.yaml"), (*_RESOURCE, *ACTIONS, 0))

    def initializer(self, handler: str) -> YamlFragment:
        """Return the entry of FC's initializer, with the comment of the property around it."""
        fragment, around = self.prop(*INITIALIZER), self.prop(INITIALIZER[0])
        own = fragment.value["handler"]
        comment = (line for line in around.lines if line.startswith("#"))
        lines = (*comment, *(line.replace(own, handler) for line in fragment.lines))
        return YamlFragment(lines=lines, value={**fragment.value, "handler": handler})


def _fragment(text: str, place: Place) -> YamlFragment:
    """Return an entry or an element of a YAML text, with the comment above it."""
    root = read_nodes(text)
    above, node = node_at(root, *place[:-1]), node_at(root, *place)
    assert above is not None
    assert node is not None
    entry = above.entry(place[-1])
    lines = text.splitlines()
    first = text.count("\n", 0, entry[0].start if entry else node.start)
    last = text.count("\n", 0, node.end)
    while lines[first - 1].lstrip().startswith("#"):
        first -= 1
    dedented = textwrap.dedent("\n".join(lines[first : last + 1]))
    return YamlFragment(lines=tuple(dedented.splitlines()), value=value_at(parse_yaml(text), *place))
