"""The error of templates and new projects."""

from __future__ import annotations

from fc_callback.errors import FcCallbackError


class TemplateError(FcCallbackError, ValueError):
    """The template, one of its values or the project's directory cannot be used."""
