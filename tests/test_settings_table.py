"""The one table of settings, and its page."""

from __future__ import annotations

from pathlib import Path

from fc_callback.settings import VARIABLES

ROOT = Path(__file__).parent.parent


def test_the_page_of_settings_holds_every_variable_as_the_code_has_it() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `CLOUDFLOW_")]
    assert rows == [f"| `{one.name}` | {one.meaning} | {one.default} |" for one in VARIABLES]


def test_no_variable_has_a_name_that_fc_deletes() -> None:
    assert [one.name for one in VARIABLES if not one.name.startswith("CLOUDFLOW_")] == []
