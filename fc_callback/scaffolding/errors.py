"""The errors of templates, new projects, and what is added to existing ones."""

from __future__ import annotations

from fc_callback.errors import FcCallbackError


class TemplateError(FcCallbackError, ValueError):
    """The template, one of its values or the project's directory cannot be used."""


class AddError(FcCallbackError):
    """Nothing can be added to the project: it cannot be read, or its function cannot be a task."""


class NotPlaced(FcCallbackError):
    """A text cannot be inserted into a file without a change of something else. The message is the reason."""
