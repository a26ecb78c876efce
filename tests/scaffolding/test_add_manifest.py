"""`fc-callback add` in s.yaml: what is added, what stays as it was, and what is left to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fc_callback.checking import check_project
from fc_callback.project import read_project
from fc_callback.scaffolding import (
    AddError,
    Addition,
    plan_addition,
    render_template,
    task_candidates,
    template_names,
)
from tests.scaffolding.projects import ARN, HELLO_WORLD, files_of, make_project

if TYPE_CHECKING:
    from pathlib import Path


def add(root: Path, **options: Any) -> Addition:
    """Add, and see that a second time changes nothing."""
    addition = plan_addition(root, role=options.pop("role", ARN), **options)
    addition.write()
    again = plan_addition(root, role=ARN, **options)
    assert ([change.name for change in again.changes], again.steps) == ([], addition.steps)
    return addition


def props(root: Path, key: str = "hello_world") -> dict[str, Any]:
    return next(one.props for one in read_project(root, environ={}).functions if one.key == key)


def errors(root: Path, *, imports: bool = False) -> list[str]:
    return [f"{one.file}:{one.line} {one.rule}" for one in check_project(root, environ={}, imports=imports)]


def test_a_hello_world_project_is_a_task_that_the_check_finds_nothing_in(tmp_path: Path) -> None:
    root = make_project(tmp_path)

    addition = add(root)

    assert (addition.steps, addition.decisions) == ((), ())
    assert errors(root, imports=True) == []
    assert sorted(files_of(root)) == [
        "code/.fcignore",
        "code/index.py",
        "code/requirements.txt",
        "flows/start-python.yaml",
        "policies/function-role-trust.json",
        "policies/function-role.json",
        "s.yaml",
        "s.yaml.orig",
    ]
    assert (root / "s.yaml.orig").read_text() == HELLO_WORLD


def test_only_lines_are_added_and_the_others_keep_their_order(tmp_path: Path) -> None:
    root = make_project(tmp_path)

    add(root)

    assert (root / "s.yaml").read_text() == HELLO_WORLD.replace(
        "    props:\n",
        "    actions:\n"
        "      pre-deploy:\n"
        "        # Puts the dependencies for the function's Python and Linux into code/python, without Docker.\n"
        '        - run: "fc-callback build ."\n'
        "          path: ./\n"
        "    props:\n",
    ).replace(
        "      memorySize: 128\n      timeout: 30\n",
        "      # The full ARN. Its policy is policies/function-role.json; without it, the function cannot report a task.\n"
        f"      role: {ARN}\n"
        "      memorySize: 128\n"
        "      timeout: 30\n"
        "      instanceLifecycleConfig:\n"
        "        # Opens the connection to CloudFlow before an instance's first event.\n"
        "        initializer:\n"
        "          handler: index.initialize\n"
        "          timeout: 30\n"
        "      environmentVariables:\n"
        "        PYTHONPATH: /code/python\n",
    )


def test_without_an_arn_the_person_is_told_that_the_account_is_a_sample(tmp_path: Path) -> None:
    root = make_project(tmp_path)

    addition = plan_addition(root)
    addition.write()

    assert "1000000000000001 is a sample" in addition.decisions[0]
    assert props(root)["role"] == "acs:ram::1000000000000001:role/start-python-role"


BODY = """\
      region: cn-hangzhou
      functionName: f
      runtime: python3.12
      handler: index.handler
      code: ./code
"""
HEAD = "edition: 3.0.0\nname: x\nresources:\n  hello_world:\n    component: fc3\n"
MANIFESTS = {
    "windows line endings": HELLO_WORLD.replace("\n", "\r\n"),
    "a byte order mark": f"\ufeff{HELLO_WORLD}",
    "no line ending at the end": HELLO_WORLD.partition("      # triggers")[0].rstrip(),
    "brackets": "edition: 3.0.0\nname: x\nresources: {hello_world: {component: fc3, props: {region: cn-hangzhou, "
    "functionName: f, runtime: python3.10, handler: index.handler, code: ./code, environmentVariables: {}}}}\n",
    "JSON": '{"edition": "3.0.0", "name": "x", "resources": {\n\t"hello_world": {"component": "fc3", "props": {\n'
    '\t\t"region": "cn-hangzhou", "functionName": "f", "runtime": "python3.10", "handler": "index.handler",\n'
    '\t\t"code": "./code", "environmentVariables": {"A": "1"}\n\t}}}}\n',
    "four spaces": HELLO_WORLD.replace("  ", "    "),
    "empty values": f"{HEAD}    actions:\n    props:\n{BODY}      role: ''\n      timeout: ~ # later\n"
    "      environmentVariables: # none yet\n      instanceLifecycleConfig: {}\n",
    "block texts and comments": f"{HEAD}    props:\n{BODY}      description: |\n        two\n\n        lines\n\n"
    "      environmentVariables:\n        A: >-\n          folded\n          text\n        # B: unused\n\n# end\n",
    "other actions": f"{HEAD}    actions:\n      pre-deploy:\n      - run: make test # first\n        path: ./\n"
    f"      post-deploy: []\n    props:\n{BODY}",
    "actions in brackets": f"{HEAD}    actions: {{pre-deploy: [{{run: make, path: ./}}]}}\n    props:\n{BODY}",
    "a shared environment": f"x-env: &env\n  A: '1'\n{HEAD}    props:\n{BODY}      environmentVariables: *env\n",
    "an anchor that is not used": f"{HEAD}    props: &props\n{BODY}      environmentVariables: &env\n        A: '1'\n",
    "a template and no props": "edition: 3.0.0\nname: x\ntemplate:\n  base:\n"
    f"{BODY.replace('      ', '    ')}    environmentVariables:\n      A: '1'\n"
    "resources:\n  hello_world:\n    component: fc3\n    extend:\n      name: base\n",
    "a path of its own": f"{HEAD}    props:\n{BODY}      environmentVariables:\n        PYTHONPATH: '/code/lib' # mine\n",
    "expressions": f"vars: {{path: /code/lib}}\n{HEAD}    props:\n{BODY}      environmentVariables:\n"
    "        PYTHONPATH: ${vars.path}\n        B: ${env('B', 'b')}\n",
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_every_way_of_writing_is_kept(tmp_path: Path, kind: str) -> None:
    before = MANIFESTS[kind]
    root = make_project(tmp_path, before)
    shown = props(root)

    addition = add(root)

    assert addition.steps == ()
    assert errors(root) == []
    after = (root / "s.yaml").read_bytes().decode()
    assert only_added(before, after)
    assert ("\r\n" in after, after.startswith("\ufeff"), after[-1:]) == (
        "\r\n" in before,
        before.startswith("\ufeff"),
        before[-1:] if before.endswith("\n") else "n",
    )
    assert "\r\n" not in before or after.count("\n") == after.count("\r\n")
    now = props(root)
    paths = [(one.get("environmentVariables") or {}).pop("PYTHONPATH", "") for one in (now, shown)]
    assert paths[0] == f"{paths[1]}:/code/python".lstrip(":")
    kept = {name: value for name, value in shown.items() if value or isinstance(value, int)}
    assert {name: now[name] for name in kept} == kept


def only_added(before: str, after: str) -> bool:
    """Whether every character of the old text is in the new one, in order; a null or an empty text may be gone."""
    rest = iter(after)
    return all(character in rest for character in before.replace("''", "").replace(" ~", "").replace("*env", ""))


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    root = make_project(
        tmp_path,
        f"{HEAD}    actions:\n      pre-deploy:\n        - component: fc3 build\n    props:\n{BODY}"
        "      role: acs:ram::1234567890123456:role/own\n      timeout: 7\n"
        "      environmentVariables:\n        PYTHONPATH: /code/python/:/code\n"
        "      instanceLifecycleConfig: {initializer: {handler: index.own, timeout: 3}}\n",
        handler="def own(context): pass\ndef handler(event, context): pass\n",
    )
    before = (root / "s.yaml").read_text()

    addition = plan_addition(root)
    addition.write()

    assert (root / "s.yaml").read_text() == before
    assert (addition.steps, addition.backups) == ((), ())
    assert "initialize" not in (root / "code/index.py").read_text()
    assert "1234567890123456" in (root / "flows/f.yaml").read_text()


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (
            f"x: &c\n  environmentVariables: {{A: '1'}}\n{HEAD}    props:\n      <<: *c\n{BODY}",
            "merge key",
        ),
        (
            f"vars: {{env: {{A: '1'}}}}\n{HEAD}    props:\n{BODY}      environmentVariables: ${{vars.env}}\n",
            "${vars.env}",
        ),
        (
            (
                f"{HEAD}    props:\n{BODY}      environmentVariables: &env {{A: '1'}}\n"
                "  other:\n    component: fc3\n    props: {runtime: nodejs20, environmentVariables: *env}\n"
            ),
            "anchor",
        ),
        (f"x-env: &env A=1\n{HEAD}    props:\n{BODY}      environmentVariables: *env\n", "not a mapping"),
    ],
    ids=["merge key", "expression", "anchor", "an anchor of a text"],
)
def test_what_is_shared_with_another_part_is_left_to_the_person(tmp_path: Path, manifest: str, reason: str) -> None:
    root = make_project(tmp_path, manifest)

    addition = add(root)

    (step,) = addition.steps
    assert (step.file, step.what) == ("s.yaml", "Add PYTHONPATH to the environmentVariables of hello_world.")
    assert reason in step.reason
    assert step.lines == ("PYTHONPATH: /code/python",)
    assert "PYTHONPATH" not in (root / "s.yaml").read_text()
    assert "role" in props(root)


def test_a_path_that_a_template_shares_is_left_to_the_person(tmp_path: Path) -> None:
    manifest = MANIFESTS["a template and no props"].replace("      A: '1'\n", "      PYTHONPATH: /code/lib\n")
    root = make_project(tmp_path, manifest)

    (step,) = add(root).steps

    assert step.what == "Add :/code/python to the PYTHONPATH of hello_world."


def test_another_role_than_the_one_in_s_yaml_is_left_to_the_person(tmp_path: Path) -> None:
    root = make_project(tmp_path, f"{HEAD}    props:\n{BODY}      role: acs:ram::1234567890123456:role/own\n")

    addition = add(root)

    assert [step.what for step in addition.steps] == ["Replace the role of hello_world."]
    assert props(root)["role"] == "acs:ram::1234567890123456:role/own"


SECOND = HELLO_WORLD.partition("resources:\n")[2].replace("hello_world", "second").replace("start-python", "two")


def test_of_several_functions_one_has_to_be_named(tmp_path: Path) -> None:
    root = make_project(tmp_path, HELLO_WORLD + SECOND)

    with pytest.raises(AddError, match=r"several functions.*--function.*hello_world, second"):
        plan_addition(root)
    with pytest.raises(AddError, match="no single function 'third'"):
        plan_addition(root, function="third")


def test_each_of_several_functions_is_added_and_every_state_of_s_yaml_is_kept(tmp_path: Path) -> None:
    root = make_project(tmp_path, HELLO_WORLD + SECOND)

    first = plan_addition(root, function="hello_world", role=ARN)
    first.write()
    between = (root / "s.yaml").read_text()
    second = plan_addition(root, function="two", role=ARN)
    second.write()

    assert first.decisions == (
        "second has the same handler. Run the command for it as well, or give it a handler of its own.",
    )
    assert errors(root) == []
    assert (root / "s.yaml.orig").read_text() == HELLO_WORLD + SECOND
    assert (root / "s.yaml.orig.2").read_text() == between
    assert [change.name for change in second.changes] == ["flows/two.yaml", "s.yaml"]


def test_a_manifest_may_have_the_other_ending(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    (root / "s.yaml").rename(root / "s.yml")

    plan_addition(root, role=ARN).write()

    assert errors(root) == []
    assert (root / "s.yml.orig").read_text() == HELLO_WORLD


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("a: [", "cannot be read"),
        ("edition: 3.0.0\nresources: {a: {component: fc3, props: {runtime: go1}}}\n", "no Python function"),
        ("edition: 1.0.0\nservices: {a: {component: fc, props: {}}}\n", "s2tos3"),
        (HELLO_WORLD.replace("python3.10", "python3.9"), "needs Python 3.10 or later"),
        (HELLO_WORLD.replace("./code", "./missing"), "not a directory"),
        (HELLO_WORLD.replace("code: ./code", "code: {ossBucketName: b, ossObjectName: o}"), "not a directory"),
    ],
    ids=["broken", "another language", "fc 2.0", "old runtime", "missing code", "code in a bucket"],
)
def test_a_project_that_cannot_have_a_task_is_refused_as_it_is(tmp_path: Path, manifest: str, said: str) -> None:
    root = make_project(tmp_path, manifest)
    before = files_of(root)

    with pytest.raises(AddError, match=said):
        plan_addition(root)

    assert files_of(root) == before


def test_a_function_in_an_extended_file_is_refused(tmp_path: Path) -> None:
    root = make_project(tmp_path, "edition: 3.0.0\nextend: base.yaml\n")
    (root / "base.yaml").write_text(HELLO_WORLD)

    with pytest.raises(AddError, match="extends"):
        plan_addition(root)


def test_a_role_that_is_no_arn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AddError, match="not the ARN of a role"):
        plan_addition(make_project(tmp_path), role="acs:ram::role")


def test_a_custom_runtime_gets_no_initializer_and_its_command_stays(tmp_path: Path) -> None:
    command = "      customRuntimeConfig:\n        command: [python3, -m, fc_callback, serve, index.handler]\n"
    body = BODY.replace("python3.12", "custom.debian12").replace("      handler: index.handler\n", "")
    root = make_project(tmp_path, f"{HEAD}    props:\n{body}{command}")

    addition = add(root)

    assert addition.steps == ()
    assert "instanceLifecycleConfig" not in props(root)
    assert (root / "code/requirements.txt").read_text() == "fc-callback[serve]>=0.1,<1\n"
    assert "@task_callback" in (root / "code/index.py").read_text()


def test_a_custom_runtime_with_a_server_of_its_own_is_left_to_the_person(tmp_path: Path) -> None:
    body = BODY.replace("python3.12", "custom.debian12").replace("      handler: index.handler\n", "")
    root = make_project(
        tmp_path, f"{HEAD}    props:\n{body}      customRuntimeConfig: {{command: [python3, app.py]}}\n"
    )

    addition = add(root)

    (step,) = addition.steps
    assert "start it with `fc-callback serve`" in step.what
    assert step.lines == ("command: [python3, -m, fc_callback, serve, index.handler]",)


def test_a_container_gets_what_is_not_in_its_image(tmp_path: Path) -> None:
    manifest = f"{HEAD}    props:\n      region: cn-hangzhou\n      functionName: f\n      runtime: custom-container\n"
    manifest += "      customContainerConfig: {image: registry.example/f:1, command: [python3, app.py]}\n"
    root = make_project(tmp_path, manifest)

    addition = add(root)

    assert [(step.file, step.lines[0]) for step in addition.steps] == [
        ("Dockerfile", 'CMD ["python3", "-m", "fc_callback", "serve", "index.handler"]')
    ]
    assert {"role", "timeout"} < props(root).keys()
    assert {"environmentVariables", "instanceLifecycleConfig"} & props(root).keys() == set()
    assert "code/.fcignore" not in files_of(root)


@pytest.mark.parametrize("template", template_names())
def test_a_project_of_a_template_has_all_that_is_added(tmp_path: Path, template: str) -> None:
    root = tmp_path / "project"
    render_template(template, root, {"accountId": "1234567890123456"})

    for function in task_candidates(root):
        if function.key != "decide":  # it reports a task that another function got
            addition = plan_addition(root, function=function.key)
            assert (addition.changes, addition.steps, addition.decisions) == ((), (), ())
