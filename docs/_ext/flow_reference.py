"""The reference of the flow languages, as Markdown: the fields that the parsers read, by the kind of step."""

from __future__ import annotations

from fc_callback.flows.layout import CLOUDFLOW, LEGACY, Layout

_LAYOUTS = {"cloudflow": CLOUDFLOW, "serverless-workflow": LEGACY}
_MISSPELT = ("MaxConcuccency",)  # accepted, because a page of the official documentation has it


def flow_fields(language: str) -> str:
    """Return a table of the fields of each kind of step, and of what is inside a step."""
    layout = _LAYOUTS[language]
    return "\n".join(("| where | fields |", "| --- | --- |", *_rows(layout)))


def _rows(layout: Layout) -> list[str]:
    every = [name for name in next(iter(layout.kinds.values())) if all(name in one for one in layout.kinds.values())]
    rows = [("the flow", layout.flow), ("every step", tuple(every))]
    rows += [(f"`{kind}`", tuple(name for name in names if name not in every)) for kind, names in layout.kinds.items()]
    rows += [(f"an entry of `{place}`", names) for place, names in layout.parts.items()]
    rows += [(f"the parameters of `{action}`", names) for action, names in layout.parameters.items()]
    texts = ((where, ", ".join(f"`{name}`" for name in names if name not in _MISSPELT)) for where, names in rows)
    return [f"| {where} | {text or 'no more'} |" for where, text in texts]
