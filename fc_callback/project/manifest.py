"""The resources of s.yaml as values: what Serverless Devs would deploy, with every expression resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from fc_callback.project.documents import locate, value_at
from fc_callback.runtime.runtimes import RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fc_callback.project.documents import Document, Place
    from fc_callback.runtime.runtimes import FcRuntime

DEFAULT_TIMEOUT_SECONDS = 3
FUNCTION_COMPONENT = "fc3"
# The flow component's published name, and the one its readme gives.
FLOW_COMPONENTS = ("flow", "fnf")


def is_of_fc_2(data: Mapping[str, Any]) -> bool:
    """Whether the content of a manifest is of FC 2.0, whose edition has services in place of resources."""
    return isinstance(data.get("services"), dict) and "resources" not in data


def component_name(text: str) -> str:
    """Return `fc3` of `devsapp/fc3@0.1.0`."""
    return text.partition("@")[0].rpartition("/")[2]


@attrs.frozen(kw_only=True)
class Resource:
    """One resource of a manifest, with its expressions resolved.

    Attributes:
        key: Its name in the manifest.
        component: Like `fc3`.
        props: Its properties.
        document: The manifest.
        origins: The included file that a value comes from, by the value's place in the manifest.
    """

    key: str
    component: str
    props: dict[str, Any] = attrs.field(repr=False)
    document: Document = attrs.field(repr=False)
    origins: Mapping[Place, Document] = attrs.field(factory=dict, repr=False)

    def locate(self, *place: str | int) -> tuple[str, int]:
        """Return the file and the line of a property, or of the nearest place around it."""
        return locate(self.document, self.origins, ("resources", self.key, "props", *place))

    def included(self, *place: str | int) -> Document | None:
        """Return the file that a property is the content of; None if the manifest itself holds it."""
        return self.origins.get(("resources", self.key, "props", *place))

    def line(self, *place: str | int) -> int:
        """Return the line of a property; where the property is in an included file, its line there."""
        return self.locate(*place)[1]

    def text(self, name: str) -> str:
        """Return a property that is text; empty for anything else."""
        value = self.props.get(name)
        return value if isinstance(value, str) else ""

    def mapping(self, *place: str) -> dict[str, Any]:
        """Return a property that is a mapping; empty for anything else."""
        value = value_at(self.props, *place)
        return value if isinstance(value, dict) else {}


@attrs.frozen(kw_only=True)
class Function(Resource):
    """A resource of the component fc3."""

    @property
    def name(self) -> str:
        """The function's name."""
        return self.text("functionName") or self.key

    @property
    def runtime(self) -> str:
        """Like `python3.10`."""
        return self.text("runtime")

    @property
    def fc_runtime(self) -> FcRuntime | None:
        """FC's runtime of that id; None if it cannot run Python, or FC has no such runtime."""
        return RUNTIMES.get(self.runtime)

    @property
    def is_python(self) -> bool:
        """Whether FC itself calls the handler, as a Python function."""
        return self.runtime.startswith("python")

    @property
    def code_dir(self) -> Path | None:
        """The directory that becomes /code; None for an archive, a bucket, an image or a missing directory."""
        code = self.props.get("code")
        if isinstance(code, dict):
            code = code.get("src")
        if not isinstance(code, str):
            return None
        folder = self.document.path.parent / code
        return folder.resolve() if folder.is_dir() else None

    @property
    def timeout_seconds(self) -> float | None:
        """The function's timeout, or fc3's default; None where only a deployment knows it."""
        value = self.props.get("timeout", DEFAULT_TIMEOUT_SECONDS)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    @property
    def environment(self) -> dict[str, str]:
        """Its environment variables whose values are known."""
        given = self.mapping("environmentVariables")
        return {str(name): value for name, value in given.items() if isinstance(value, str)}

    @property
    def triggers(self) -> list[tuple[int, dict[str, Any]]]:
        """Its triggers, with their indexes in the list."""
        given = self.props.get("triggers")
        each = given if isinstance(given, list) else []
        return [(index, trigger) for index, trigger in enumerate(each) if isinstance(trigger, dict)]
