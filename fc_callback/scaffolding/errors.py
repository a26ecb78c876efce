"""What can be wrong with a template, its values, or the place of the new project."""

from __future__ import annotations

from fc_callback.errors import FcCallbackError


class TemplateError(FcCallbackError, ValueError):
    """A template cannot be used, or not with these values, or not in this place."""
