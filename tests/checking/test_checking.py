"""What a check does as a whole: silencing, importing apart, good projects of other shapes."""

from __future__ import annotations

import copy
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from fc_callback.checking import check_project
from fc_callback.errors import SettingsError
from fc_callback.scaffolding import render_template
from tests.checking.breaking import OWN_IMAGE, OWN_VALUES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target: Path = tmp_path_factory.mktemp("made") / "event"
    render_template("event-callback", target, {"accountId": "1234567890123456"})
    return target


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    target = tmp_path / "project"
    shutil.copytree(made, target)
    return target


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def rules(project: Path, **options: object) -> list[str]:
    options = {"imports": False, "environ": {}, **options}
    return [finding.rule for finding in check_project(project, **options)]  # type: ignore[arg-type]


def test_a_directory_without_a_manifest_is_said_to_be_one(tmp_path: Path) -> None:
    assert rules(tmp_path) == ["manifest"]


def test_a_rule_is_silenced_by_its_name(project: Path) -> None:
    replace(project / "s.yaml", "memorySize: 512", "memSize: 512")

    assert rules(project) == ["unknown-property"]
    assert rules(project, ignore=["unknown-property"]) == []


def test_a_rule_that_does_not_exist_cannot_be_silenced(project: Path) -> None:
    with pytest.raises(SettingsError, match="no rule 'unknown-properties'"):
        check_project(project, ignore=["unknown-properties"])


@pytest.mark.parametrize(
    "comment",
    [
        "      memSize: 512  # fc-callback: ignore unknown-property",
        "      # fc-callback: ignore unknown-property, name\n      memSize: 512",
    ],
)
def test_a_comment_silences_one_rule_at_one_place(project: Path, comment: str) -> None:
    replace(project / "s.yaml", "      memorySize: 512", comment)
    replace(project / "s.yaml", "      timeout: 60", "      timeOut: 60\n      timeout: 60")

    findings = check_project(project, imports=False, environ={})

    assert [(one.rule, "timeOut" in one.message) for one in findings] == [("unknown-property", True)]


def test_the_shells_variables_win_over_the_env_file_as_they_do_for_s(project: Path) -> None:
    (project / ".env").write_text("FUNCTION_ROLE_ARN=acs:ram::1234567890123456:role/from-file\n")
    assert rules(project) == []

    assert rules(project, environ={"FUNCTION_ROLE_ARN": "from:shell"}) == ["role-arn"]


def test_a_handler_whose_import_does_not_end_is_given_up(project: Path) -> None:
    replace(project / "code" / "index.py", "logger = ", "import time\ntime.sleep(600)\nlogger = ")

    (finding,) = check_project(project, time_limit_seconds=1.5, environ={})

    assert finding.rule == "handler-import"
    assert "1.5 seconds" in finding.message


def test_a_handler_whose_import_ends_the_process_is_told_with_its_last_words(project: Path) -> None:
    replace(project / "code" / "index.py", "logger = ", "import os\nprint('bye', flush=True)\nos._exit(3)\nlogger = ")

    (finding,) = check_project(project, environ={})

    assert (finding.rule, "exit code 3" in finding.message, "bye" in finding.message) == ("handler-import", True, True)


def test_a_hook_whose_module_ends_the_process_is_told_and_not_the_handler(project: Path) -> None:
    (project / "code" / "hooks.py").write_text("import os\nprint('bye', flush=True)\nos._exit(3)\n")
    replace(project / "s.yaml", "handler: index.initialize", "handler: hooks.initialize")

    (finding,) = check_project(project, environ={})

    assert (finding.rule, finding.file) == ("handler-import", "s.yaml")
    assert "The initializer hooks.initialize cannot be loaded" in finding.message
    assert "exit code 3). bye" in finding.message


def test_a_hook_whose_import_does_not_end_is_told_and_not_the_handler(project: Path) -> None:
    (project / "code" / "hooks.py").write_text("import time\ntime.sleep(600)\n")
    replace(project / "s.yaml", "handler: index.initialize", "handler: hooks.initialize")

    (finding,) = check_project(project, time_limit_seconds=3, environ={})

    assert "The initializer hooks.initialize cannot be loaded" in finding.message
    assert "3 seconds" in finding.message


def test_a_handler_that_cannot_be_imported_is_one_finding_though_its_hook_is_in_the_same_module(project: Path) -> None:
    replace(project / "code" / "index.py", "logger = ", "1 / 0\nlogger = ")

    assert rules(project, imports=True) == ["handler-import"]


def test_the_hook_of_a_custom_runtime_is_a_request_and_its_name_is_not_imported(project: Path) -> None:
    replace(project / "s.yaml", "runtime: python3.10", "runtime: custom.debian12")
    replace(project / "s.yaml", "handler: index.initialize", "handler: gone.initialize")

    assert "handler-import" not in rules(project, imports=True)


def test_importing_a_handler_leaves_the_check_and_the_project_as_they_were(project: Path) -> None:
    (project / "code" / "index.py").write_text("import sys\nprint('noise')\ndef handler(event, context): ...\n")
    before = set(project.rglob("*"))

    assert "handler-decorated" in rules(project, imports=True)

    assert "index" not in sys.modules
    assert set(project.rglob("*")) == before


def test_a_handler_sees_its_own_variables_and_not_the_persons_keys(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "theirs")
    code = "import os\nassert os.environ['LOG_LEVEL'] == 'INFO'\nassert 'ALIBABA_CLOUD_ACCESS_KEY_SECRET' not in os.environ\n"
    replace(project / "code" / "index.py", "logger = ", f"{code}logger = ")

    assert rules(project, imports=True) == []


def test_a_decorator_above_task_callback_does_not_hide_it(project: Path) -> None:
    replace(
        project / "code" / "index.py",
        "@task_callback(",
        "def outer(function):\n"
        "    import functools\n\n"
        "    @functools.wraps(function)\n"
        "    def inner(event, context):\n"
        "        return function(event, context)\n\n"
        "    return inner\n\n\n"
        "@outer\n@task_callback(",
    )

    assert rules(project, imports=True) == []


@pytest.mark.parametrize("outer", ["functools.partial(charged)", "Charging()", "layers(invocation)(charged)"])
def test_a_decorated_handler_is_known_whatever_it_is_put_into(project: Path, outer: str) -> None:
    (project / "code" / "index.py").write_text(
        "import functools\nfrom fc_callback import layers, task_callback\nfrom fc_callback.middleware import invocation\n\n"
        '@task_callback(on_failure="report")\ndef charged(event, context): ...\n\n'
        'class Charging:\n    @task_callback(on_failure="report")\n    def __call__(self, event, context): ...\n\n'
        f"handler = {outer}\ninitialize = lambda context: None\n"
    )

    assert rules(project, imports=True) == []


def test_a_project_as_it_is_made_is_clean(tmp_path: Path) -> None:
    render_template("event-callback", tmp_path / "project", OWN_VALUES)

    assert check_project(tmp_path / "project", environ={}) == []


def test_a_function_that_is_never_given_a_task_needs_no_decorator(project: Path) -> None:
    (project / "code" / "index.py").write_text("def handler(event, context): ...\ndef initialize(context): ...\n")
    replace(project / "flows" / "cloudflow.yaml", "TaskMode: WaitForCustomCallback", "TaskMode: RequestComplete")
    replace(project / "flows" / "legacy.yaml", "pattern: waitForCallback", "pattern: requestResponse")

    assert rules(project, imports=True) == []


def test_a_flow_that_catches_the_time_out_needs_no_report_of_failures(project: Path) -> None:
    replace(
        project / "code" / "index.py",
        '@task_callback(on_failure="report", transient=(ConnectionError,))',
        "@task_callback",
    )
    for name, catch in (
        ("cloudflow", "    Catch:\n      - {Errors: [FnF.TaskTimeout], Description: x, Next: charge}\n    End: true"),
        ("legacy", "    catch:\n      - {errors: [FnF.ALL], goto: charge}\n    end: true"),
    ):
        replace(project / "flows" / f"{name}.yaml", "    End: true" if name == "cloudflow" else "    end: true", catch)

    assert rules(project, imports=True) == []


def test_steps_inside_of_branches_and_loops_are_looked_at(project: Path) -> None:
    (project / "flows" / "legacy.yaml").write_text(
        "version: v1\ntype: flow\nsteps:\n  - type: parallel\n    name: both\n    branches:\n      - steps:\n"
        "          - {type: task, name: deep, pattern: waitForCallback, resourceArn: 'acs:fnf:::flow/other'}\n"
    )
    (project / "flows" / "cloudflow.yaml").write_text(
        "Type: StateMachine\nSpecVersion: v1\nName: order-flow\nStartAt: each\nStates:\n  - Type: Map\n    Name: each\n"
        "    ItemsPath: $Input.items\n    Processor:\n      StartAt: deep\n      States:\n        - {Type: Task, Name: deep, Action: 'HTTP:Request',"
        " TaskMode: WaitForCustomCallback, End: true}\n    End: true\n"
    )

    assert sorted(rules(project)) == ["flow-timeout", "flow-timeout", "flow-token"]


def test_templates_and_bases_of_a_manifest_are_read_as_s_reads_them(project: Path) -> None:
    replace(project / "s.yaml", "edition: 3.0.0\n", "")
    replace(project / "s.yaml", "      runtime: python3.10\n", "")
    replace(project / "s.yaml", "    component: fc3\n", "    component: fc3\n    extend: {name: common}\n")
    (project / "base.yaml").write_text("edition: 3.0.0\ntemplate:\n  common:\n    runtime: python3.10\n")
    replace(project / "s.yaml", "name: event-callback\n", "extend: ./base.yaml\nname: event-callback\n")

    assert rules(project) == []


@pytest.mark.parametrize("value", ["on", "no", "12:30:45", "0o9", "1.2.3"])
def test_a_text_of_yaml_1_2_is_a_text_for_an_environment_variable(project: Path, value: str) -> None:
    replace(project / "s.yaml", "${env('LOG_LEVEL', 'INFO')}", value)

    assert rules(project) == []


@pytest.mark.parametrize("value", ["0o74", "6e1", "60.0", "6_0", "0x3C", "+060"])
def test_a_whole_number_in_any_form_of_yaml_is_a_timeout(project: Path, value: str) -> None:
    replace(project / "s.yaml", "timeout: 60", f"timeout: {value}")

    assert rules(project) == []


def test_a_finding_in_a_property_that_is_merged_points_to_the_line_it_comes_from(project: Path) -> None:
    replace(project / "s.yaml", "name: event-callback\n", "name: event-callback\nx-common: &common\n  memSize: 1\n")
    replace(project / "s.yaml", "      timeout: 60\n", "      timeout: 60\n      <<: *common\n")

    (finding,) = check_project(project, imports=False, environ={})

    lines = (project / "s.yaml").read_text(encoding="utf-8").splitlines()
    assert (finding.rule, lines[finding.line - 1]) == ("unknown-property", "  memSize: 1")


def test_a_definition_inside_of_a_manifest_is_checked_with_its_lines(project: Path) -> None:
    replace(project / "flows" / "cloudflow.yaml", "TaskMode: WaitForCustomCallback", "TaskMode: RequestComplete")
    replace(project / "flows" / "legacy.yaml", "pattern: waitForCallback", "pattern: requestResponse")
    definition = (
        "definition:\n        Type: StateMachine\n        SpecVersion: v1\n        Name: order-flow\n        StartAt: gone\n"
        "        States:\n          - Type: Task\n            Name: ask\n            Action: FC:InvokeFunction\n"
        "            Parameters:\n              resourceArn: acs:fc:::functions/order-callback/LATEST\n"
        "              body: {taskToken.$: $Context.Current.TaskToken}\n"
        "            TaskMode: WaitForCustomCallback\n            End: true\n"
    )
    replace(project / "s.flow.yaml", "definition: ${path('./flows/cloudflow.yaml')}\n", definition)
    lines = (project / "s.flow.yaml").read_text(encoding="utf-8").splitlines()

    found = {(one.rule, lines[one.line - 1].strip()) for one in check_project(project, imports=False, environ={})}

    assert found == {("flow-definition", "definition:"), ("flow-timeout", "- Type: Task")}


def test_what_only_a_deployment_knows_is_passed_over(project: Path) -> None:
    replace(project / "s.yaml", "timeout: 60", "timeout: ${resources.other.output.timeout}")
    replace(project / "s.yaml", "resources:\n", "resources:\n  other:\n    component: vpc\n    props: {}\n")

    assert rules(project) == []


def test_imports_that_may_fail_and_those_for_type_checkers_are_no_dependencies(project: Path) -> None:
    replace(
        project / "code" / "provider.py",
        "from decimal import Decimal\n",
        "from decimal import Decimal\nfrom typing import TYPE_CHECKING\n\n"
        "try:\n    import yaml\nexcept ImportError:\n    yaml = None\n"
        "if TYPE_CHECKING:\n    import typer\n",
    )

    assert rules(project) == []


@pytest.mark.parametrize("manifest", ["", "[]\n", "resources: []\n", "edition: 3.0.0\nresources: {a: 5}\n"])
def test_a_manifest_without_resources_is_said_to_have_none(project: Path, manifest: str) -> None:
    (project / "s.yaml").write_text(manifest)

    assert "manifest" in rules(project)


JUNK: list[object] = [None, 5, "x", [], {}, [{}], {"a": 1}, "${vars.x.y}", True]


def places(value: object, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(each for key, below in inner for each in places(below, (*place, key)))]


@pytest.mark.parametrize(
    "file", ["s.yaml", "s.flow.yaml", "flows/legacy.yaml", "flows/cloudflow.yaml", "policies/function-role.json"]
)
def test_nonsense_at_any_place_of_a_file_is_no_end_of_the_check(tmp_path: Path, file: str) -> None:
    render_template("mns-callback", tmp_path / "project")
    path = tmp_path / "project" / file
    original = yaml.safe_load(path.read_text(encoding="utf-8"))
    for number, place in enumerate(places(original)[1:]):
        changed = copy.deepcopy(original)
        holder = changed
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = JUNK[number % len(JUNK)]
        path.write_text(json.dumps(changed))

        check_project(tmp_path / "project", imports=False, environ={})


def test_a_container_project_is_clean_from_inside_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render_template("custom-container", tmp_path / "project", OWN_VALUES | OWN_IMAGE)
    monkeypatch.chdir(tmp_path / "project")

    assert check_project(Path(), environ={}) == []
