"""The reference of the site: it has every public name, option, error, command, rule and event that the code has."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from fc_callback import errors, settings
from fc_callback.callback.decorator import TaskOptions
from fc_callback.checking import RULES
from fc_callback.cli.app import app
from fc_callback.cli.serve import command_parser
from fc_callback.cloudflow import errors as service_errors
from fc_callback.flows.builtins import BUILTINS
from fc_callback.flows.layout import CLOUDFLOW, LEGACY
from fc_callback.local.control import control_routes
from fc_callback.local.faults import KINDS
from tests.pages import PAGES
from tests.test_docs import program_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGES_OF_DOORS = {
    "fc_callback": "api",
    "fc_callback.testing": "testing",
    "fc_callback.local": "local",
    "fc_callback.idempotency": "idempotency",
    "fc_callback.events": "events",
    "fc_callback.runtime": "runtime",
    "fc_callback.checking": "helpers",
    "fc_callback.workspace": "helpers",
}


def reference(site: Path) -> dict[str, str]:
    """Return each page of the reference, as Markdown."""
    return {path.stem: path.read_text("utf-8") for path in (site / "reference").glob("*.md")}


def sections(text: str) -> dict[str, str]:
    """Return the text below each heading, until the next heading of any level. A name may have several."""
    found: dict[str, str] = {}
    for part in re.split(r"^#+ ", text, flags=re.MULTILINE)[1:]:
        title, _, rest = part.partition("\n")
        found[title] = found.get(title, "") + rest
    return found


@pytest.mark.parametrize("door", PAGES_OF_DOORS)
def test_the_reference_has_every_public_name(site: Path, door: str) -> None:
    names = importlib.import_module(door).__all__
    known = sections(reference(site)[PAGES_OF_DOORS[door]])

    assert len(names) > 1
    assert [name for name in names if not known.get(name, "").strip()] == []


@pytest.mark.parametrize("door", PAGES_OF_DOORS)
def test_the_reference_has_every_argument_of_a_public_function_or_class(site: Path, door: str) -> None:
    known = sections(reference(site)[PAGES_OF_DOORS[door]])
    missing = []
    for name in importlib.import_module(door).__all__:
        value = getattr(importlib.import_module(door), name)
        if callable(value) and "| field |" not in known[name]:
            parameters = inspect.signature(value).parameters.values()
            named = [each.name for each in parameters if each.kind != each.VAR_KEYWORD and each.name != "self"]
            missing += [f"{name}: {one}" for one in named if not re.search(rf"\b{one}\b", known[name])]
    assert missing == []


def test_the_reference_shows_types_and_defaults_as_one_writes_them(site: Path) -> None:
    shown = {
        name: re.findall(r"<[\w.]+ [^|]* at 0x|<class|PydanticUndefined|NOTHING", text)
        for name, text in reference(site).items()
    }

    assert {name: found for name, found in shown.items() if found} == {}
    assert "| `headers` | `headers` | `dict[str, str]` | `dict()` |" in reference(site)["events"]


def test_the_reference_has_every_option_of_the_decorator_with_its_default_and_its_meaning(site: Path) -> None:
    text = sections(reference(site)["api"])["task_callback"]
    options = TaskOptions.__annotations__

    assert len(options) > 10
    assert [name for name in options if not re.search(rf"^    {name}: .+ = .+,$", text, re.MULTILINE)] == []
    assert [name for name in options if f"- `{name}`: " not in text] == []


def test_the_reference_has_every_name_that_an_example_imports(site: Path) -> None:
    programs = [program_of(page.read_text("utf-8")) for page in PAGES]
    programs += [path.read_text("utf-8") for path in (ROOT / "templates").rglob("*.py")]
    found = re.findall(r"^ *from fc_callback[\w.]* import (.+)$", "\n".join(programs), re.MULTILINE)
    names = {name.strip() for line in found for name in line.strip("()").split(",") if name.strip()}
    text = "\n".join(reference(site).values())

    assert len(names) > 30
    assert [name for name in sorted(names) if not re.search(rf"^##+ ([\w.]+\.)?{name}$", text, re.MULTILINE)] == []


def test_the_reference_has_every_error_with_what_to_do(site: Path) -> None:
    drawn = set(re.findall(r"(?:── |^    )([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE))
    codes = {name for name, value in vars(service_errors).items() if getattr(value, "documented_status", 0)}
    known = sections(reference(site)["errors"])

    assert len(drawn) > 25
    assert len(codes) > 14
    fix = re.compile(r"\*\*What to do:\*\* \S+ \S+ \S+")
    assert [name for name in sorted(drawn | codes) if not fix.search(known.get(name, ""))] == []


def test_the_reference_has_the_fix_of_each_case_of_an_error(site: Path) -> None:
    known = sections(reference(site)["errors"])

    assert "| Port … cannot be used: …. | Choose another port, or 0 for a free one. |" in known["SettingsError"]
    assert "| once= has no store. | Pass store=, or set CLOUDFLOW_ONCE_STORE, like redis://" in known["SettingsError"]
    assert known["BuildError"].count("\n| ") > 10
    assert known["TemplateError"].count("\n| ") > 10


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for each, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, f"{name} {each}")


def test_the_reference_has_every_command_with_its_options(site: Path) -> None:
    known = sections(reference(site)["command-line"])
    missing = []
    for name, command in commands(typer.main.get_command(app), "fc-callback"):
        spelled = [spelling for each in command.params if each.opts[0].startswith("-") for spelling in each.opts]
        if name == "fc-callback serve":
            spelled = re.findall(r"(--[\w-]+) ", command_parser().format_usage())
        assert name in known
        missing += [f"{name} {one}" for one in spelled if one not in known[name]]
    assert len(known) > 20
    assert missing == []


def test_every_option_in_the_reference_of_the_commands_has_its_meaning_and_its_default(site: Path) -> None:
    rows = re.findall(r"^\| (`.+`) \| (.*) \| (.*) \|$", reference(site)["command-line"], re.MULTILINE)

    assert len(rows) > 100
    assert [name for name, meaning, default in rows if not meaning.strip() or not default.strip()] == []
    assert {("`--threads THREADS`", "`32`"), ("`--json`", "off"), ("`--limit <int range>`", "`20`")} <= {
        (name, default) for name, _, default in rows
    }
    assert [default for _, _, default in rows if re.search(r"[<>]=|env var", default)] == []


def test_the_page_on_settings_has_every_setting(site: Path) -> None:
    text = (site / "settings.md").read_text("utf-8")

    assert [one.name for one in settings.VARIABLES if f"| `{one.name}` |" not in text] == []


def test_the_page_on_check_has_every_rule_with_its_severity_its_reason_and_its_fix(site: Path) -> None:
    text = (site / "check.md").read_text("utf-8")
    errors_part, _, warnings_part = text.partition("\n## Errors\n")[2].partition("\n## Warnings\n")
    known = sections(text)

    assert len(RULES) > 40
    for part, severity in ((errors_part, "error"), (warnings_part, "warning")):
        assert set(re.findall(r"^### (.+)$", part, re.MULTILINE)) == {
            name for name, rule in RULES.items() if rule.severity == severity
        }
    assert [
        name for name in RULES if not re.search(r"\*\*Why\.\*\* \S.*\*\*Fix\.\*\* \S", known[name], re.DOTALL)
    ] == []


def test_the_reference_has_every_call_of_the_control_api_and_every_fault(site: Path) -> None:
    text = reference(site)["control-api"]
    routes: Any = control_routes(None)  # type: ignore[arg-type]  # the paths need no service
    calls = {(method, route.path.replace(":int", "")) for route in routes for method in route.methods - {"HEAD"}}
    documented = set(re.findall(r"^\| `([A-Z]+) ([^`?]+)", text, re.MULTILINE))

    assert len(calls) > 8
    assert {(method, path.replace("{id}", "{task}")) for method, path in documented} == calls
    assert [kind for kind in KINDS if f"| `{kind}` |" not in text] == []


def test_the_reference_has_every_history_event_that_the_local_cloudflow_writes(site: Path) -> None:
    text = reference(site)["history-events"]
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "fc_callback" / "local").glob("*.py"))
    written = set(re.findall(r"add_event\(\s*\w+,\s*\"(\w+)\"", sources))
    ends = {f"Execution{state}" for state in re.findall(r"\.end\(\s*\"(\w+)\"", sources)}

    assert len(written) > 10
    assert len(ends) > 2
    assert [name for name in sorted(written | ends) if f"`{name}`" not in text] == []


def test_the_reference_has_every_kind_of_step_with_its_fields_and_every_function_of_expressions(site: Path) -> None:
    text = reference(site)["flow-languages"]
    fields = {name for layout in (CLOUDFLOW, LEGACY) for names in layout.kinds.values() for name in names}
    kinds = {kind for layout in (CLOUDFLOW, LEGACY) for kind in layout.kinds}

    assert len(fields) > 30
    assert [name for name in sorted(fields - {"MaxConcuccency"}) if f"`{name}`" not in text] == []
    assert [kind for kind in sorted(kinds) if f"| `{kind}` |" not in text] == []
    assert [name for name in BUILTINS if not re.search(rf"`{name}[(`]", text)] == []
