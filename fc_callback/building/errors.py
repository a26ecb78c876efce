"""The error of a build."""

from __future__ import annotations

from fc_callback.errors import FcCallbackError


class BuildError(FcCallbackError):
    """The dependencies cannot be put into the package."""
