"""The reference of the control API, as Markdown: its tables of calls and faults."""

from __future__ import annotations

from docstrings import docstring, to_markdown

from fc_callback.local import control, faults


def control_reference() -> str:
    """Return what the module says about its calls."""
    return to_markdown(docstring(control))


def fault_reference() -> str:
    """Return what the module says about the kinds of faults."""
    return to_markdown(docstring(faults))
