"""Build packages for FC without Docker: dependencies for the function's Python and platform, beside the code."""

from __future__ import annotations

from fc_callback.building.build import Built, build_project
from fc_callback.building.errors import BuildError

__all__ = ["BuildError", "Built", "build_project"]
