"""`fc-callback add` in a handler's module: what is decorated, and what is left to a person because it is not certain."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from fc_callback.scaffolding import AddError, plan_addition
from tests.scaffolding.projects import ARN, HELLO_WORLD, make_project

IMPORTS = "from fc_callback import initializer, task_callback\n"
DECORATOR = '@task_callback(on_failure="report")\n'
PLAIN = "def handler(event, context):\n    return {}\n"


def module_after(root: Path) -> str:
    """Add, and return the handler's module; a second time changes nothing."""
    addition = plan_addition(root, role=ARN)
    assert addition.steps == ()
    addition.write()
    assert plan_addition(root, role=ARN).changes == ()
    return (root / "code/index.py").read_bytes().decode()


DECORATED = {
    "nothing else": (PLAIN, f"{IMPORTS}\ninitialize = initializer\n\n\n{DECORATOR}{PLAIN}"),
    "imports": (
        f'"""Doc."""\n\nfrom __future__ import annotations\n\nimport json\nfrom os import (\n    path,\n)\n\nX = 1\n\n\n{PLAIN}',
        (
            '"""Doc."""\n\nfrom __future__ import annotations\n\nimport json\nfrom os import (\n    path,\n)\n'
            f"{IMPORTS}\ninitialize = initializer\n\nX = 1\n\n\n{DECORATOR}{PLAIN}"
        ),
    ),
    "a docstring": (
        f'"""Doc.\n\nMore."""\n{PLAIN}',
        f'"""Doc.\n\nMore."""\n\n{IMPORTS}\ninitialize = initializer\n\n\n{DECORATOR}{PLAIN}',
    ),
    "a comment above the handler": (
        f"#!/usr/bin/env python\n# coding: utf-8\n# The handler.\n{PLAIN}",
        f"#!/usr/bin/env python\n# coding: utf-8\n{IMPORTS}\ninitialize = initializer\n\n\n# The handler.\n{DECORATOR}{PLAIN}",
    ),
    "windows line endings": (
        f"import json\r\n\r\n{PLAIN}".replace("\n", "\r\n").replace("\r\r", "\r"),
        f"import json\n{IMPORTS}\ninitialize = initializer\n\n{DECORATOR}{PLAIN}".replace("\n", "\r\n"),
    ),
    "a byte order mark": (f"\ufeff{PLAIN}", f"\ufeff{IMPORTS}\ninitialize = initializer\n\n\n{DECORATOR}{PLAIN}"),
    "a form feed": (
        f"import json\n\x0c\n{PLAIN}",
        f"import json\n{IMPORTS}\ninitialize = initializer\n\x0c\n{DECORATOR}{PLAIN}",
    ),
    "async, with annotations that mean nothing": (
        "import json\n\nasync def handler(event: bytes, context) -> str:\n    return json.dumps({})",
        (
            f"import json\n{IMPORTS}\ninitialize = initializer\n\n{DECORATOR}"
            "async def handler(event: bytes, context) -> str:\n    return json.dumps({})"
        ),
    ),
    "an import that is there": (
        f"import json\nfrom fc_callback import Logger, task_callback\n\n{PLAIN}",
        (
            "import json\nfrom fc_callback import Logger, task_callback\nfrom fc_callback import initializer\n\n"
            f"initialize = initializer\n\n{DECORATOR}{PLAIN}"
        ),
    ),
}


@pytest.mark.parametrize("kind", DECORATED)
def test_a_plain_handler_is_decorated_and_nothing_else_changes(tmp_path: Path, kind: str) -> None:
    before, after = DECORATED[kind]

    assert module_after(make_project(tmp_path, handler=before)) == after


@pytest.mark.parametrize(
    "before",
    [
        f"from fc_callback import task_callback\n\n@task_callback\n{PLAIN}",
        f"import fc_callback as fc\n\n@fc.task_callback(on_failure='raise')\n{PLAIN}",
        f"from fc_callback import task_callback as task\n\n@print\n@task()\n{PLAIN}",
        "from fc_callback import task_callback\n\ndef run(event, context): pass\n\nhandler = task_callback(run)\n",
    ],
    ids=["plain", "module", "alias", "assigned"],
)
def test_a_handler_that_is_a_task_only_gets_the_initializer(tmp_path: Path, before: str) -> None:
    after = module_after(make_project(tmp_path, handler=before))

    lines = [line for line in after.splitlines() if line not in before.splitlines()]
    assert lines == ["from fc_callback import initializer", "initialize = initializer"]


UNCERTAIN = {
    "other decorators": (f"import functools\n\n@functools.cache\n{PLAIN}", "other decorators"),
    "defined twice": (f"{PLAIN}\n{PLAIN}", "exactly once"),
    "rebound": (f"{PLAIN}\nhandler = print\n", "exactly once"),
    "under a condition": (f"if True:\n{textwrap.indent(PLAIN, '    ')}", "exactly once"),
    "global in a function": (f"{PLAIN}\ndef reset():\n    global handler\n    handler = None\n", "exactly once"),
    "imported": ("from json import dumps as handler", "exactly once"),
    "a lambda": ("handler = lambda event, context: {}\n", "exactly once"),
    "a model": ("def handler(event: dict, context):\n    return {}\n", "annotation of its event"),
    "a typed context": ("def handler(event, context: int):\n    return {}\n", "annotation of its context"),
    "three parameters": ("def handler(event, context, db=None):\n    return {}\n", "exactly the event and the context"),
    "any parameters": ("def handler(*arguments):\n    return {}\n", "exactly the event and the context"),
    "WSGI": ("def handler(environ, start_response):\n    return []\n", "WSGI"),
    "a generator": ("def handler(event, context):\n    yield 1\n", "yields"),
}


@pytest.mark.parametrize("kind", UNCERTAIN)
def test_what_is_not_certain_is_left_to_the_person_with_its_reason(tmp_path: Path, kind: str) -> None:
    before, reason = UNCERTAIN[kind]
    root = make_project(tmp_path, handler=before)

    addition = plan_addition(root, role=ARN)
    addition.write()

    (step,) = addition.steps
    assert (step.file, step.what) == ("code/index.py", "Decorate the handler handler.")
    assert reason in step.reason
    assert DECORATOR.strip() in step.lines
    after = (root / "code/index.py").read_text()
    assert "@task_callback" not in after
    assert before.strip().rpartition("\n\n")[2] in after
    assert "initialize = initializer" in after.splitlines()
    assert not after.endswith("\n\n")
    assert "index.initialize" in (root / "s.yaml").read_text()


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("def handler(event, context)\n", "syntax error (line 1)"),
        (f"task_callback = initializer = None\n{PLAIN}", "uses the name initializer"),
        (f"import json; x = (\n1)\n{PLAIN}", "shares a line"),
        (None, "no such file"),
        (b"# \xc4\xe3\xba\xc3\n" + PLAIN.encode(), "not UTF-8"),
    ],
    ids=["syntax", "names", "semicolon", "missing", "GBK"],
)
def test_a_module_that_cannot_be_edited_is_left_whole(tmp_path: Path, before: str | bytes | None, reason: str) -> None:
    root = make_project(tmp_path)
    path = root / "code/index.py"
    path.unlink()
    if before is not None:
        path.write_bytes(before if isinstance(before, bytes) else before.encode())

    addition = plan_addition(root, role=ARN)
    addition.write()

    assert reason in addition.steps[0].reason
    assert "initialize = initializer" in addition.steps[0].lines
    assert (path.read_bytes() if path.exists() else None) == (before.encode() if isinstance(before, str) else before)
    assert "index.initialize" not in (root / "s.yaml").read_text()


def test_an_initialize_of_the_person_s_own_is_not_named_in_s_yaml(tmp_path: Path) -> None:
    root = make_project(tmp_path, handler=f"def initialize(context):\n    pass\n\n\n{PLAIN}")

    addition = plan_addition(root, role=ARN)
    addition.write()

    assert "Call the initializer of fc_callback" in addition.steps[0].what
    assert "index.initialize" not in (root / "s.yaml").read_text()
    assert DECORATOR in (root / "code/index.py").read_text()


@pytest.mark.parametrize(
    ("trigger", "line"),
    [
        ("{triggerName: t, triggerType: timer, triggerConfig: {cronExpression: '@every 1h', enable: true}}",
         '@task_callback(on_failure="report", missing_token="ignore")'),
        ("{triggerName: t, triggerType: mns_topic, triggerConfig: {}}", '@task_callback(on_failure="report")'),
    ],
    ids=["timer", "topic"],
)  # fmt: skip
def test_events_without_a_task_are_still_served(tmp_path: Path, trigger: str, line: str) -> None:
    root = make_project(tmp_path, f"{HELLO_WORLD}      triggers:\n        - {trigger}\n")

    plan_addition(root, role=ARN).write()

    assert line in (root / "code/index.py").read_text().splitlines()


def test_a_function_with_an_http_trigger_is_left_to_the_person(tmp_path: Path) -> None:
    trigger = "{triggerName: t, triggerType: http, triggerConfig: {authType: anonymous, methods: [GET]}}"
    root = make_project(tmp_path, f"{HELLO_WORLD}      triggers:\n        - {trigger}\n")

    (step,) = plan_addition(root, role=ARN).steps

    assert "expects an HTTP response" in step.reason


@pytest.mark.parametrize(
    ("handler", "file"),
    [("src/app.handler", "src/app.py"), ("pkg.app.handler", "pkg/app.py"), ("pkg.handler", "pkg/__init__.py")],
)
def test_the_module_is_found_where_fc_finds_it(tmp_path: Path, handler: str, file: str) -> None:
    root = make_project(tmp_path, HELLO_WORLD.replace("index.handler", handler), **{f"code/{file}": PLAIN})

    plan_addition(root, role=ARN).write()

    assert DECORATOR in (root / "code" / file).read_text()
    assert f"handler: {handler.rpartition('.')[0]}.initialize" in (root / "s.yaml").read_text()


def test_a_handler_that_s_yaml_does_not_show_is_left_to_the_person(tmp_path: Path) -> None:
    root = make_project(tmp_path, HELLO_WORLD.replace("index.handler", "${resources.x.output.handler}"))

    (step,) = plan_addition(root, role=ARN).steps

    assert (step.file, "does not show" in step.reason) == ("s.yaml", True)


def test_a_handler_outside_of_the_project_is_refused(tmp_path: Path) -> None:
    root = make_project(tmp_path, HELLO_WORLD.replace("index.handler", "../outside.handler"))

    with pytest.raises(AddError, match="outside of the project"):
        plan_addition(root)


def test_a_folder_without_a_project_is_told_with_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(AddError, match=re.escape(f"There is no s.yaml in {tmp_path}.")):
        plan_addition(Path())
