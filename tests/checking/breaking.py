"""Good projects, each broken by one edit: the rule that is to say so, and how."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# The event-callback template is the good project, unless a rule is about something that it has not.
EVENT, MNS, APPROVAL, CONTAINER = "event-callback", "mns-callback", "human-approval", "custom-container"


@attrs.frozen(kw_only=True)
class Break:
    """One edit.

    Attributes:
        rule: Who finds it.
        edit: What it does to the project.
        at: The file that the finding names, and a text of the line; "" for any line.
        template: What the good project is made from.
        says: A part of the message or the hint.
    """

    rule: str
    edit: Callable[[Path], None]
    at: tuple[str, str]
    template: str = EVENT
    says: str = ""

    def __str__(self) -> str:
        return f"{self.rule}-{self.at[0]}"


def replaced(file: str, old: str, new: str) -> Callable[[Path], None]:
    """Replace a text that stands there once."""

    def edit(project: Path) -> None:
        path = project / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (file, old, text.count(old))
        path.write_text(text.replace(old, new), encoding="utf-8")

    return edit


def written(file: str, text: str) -> Callable[[Path], None]:
    """Write a file anew."""

    def edit(project: Path) -> None:
        path = project / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return edit


def everywhere(old: str, new: str) -> Callable[[Path], None]:
    """Replace a text in every manifest, flow and policy."""

    def edit(project: Path) -> None:
        for path in (*project.glob("*.yaml"), *project.glob("flows/*"), *project.glob("policies/*")):
            path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    return edit


def both(*edits: Callable[[Path], None]) -> Callable[[Path], None]:
    """Make several edits."""

    def edit(project: Path) -> None:
        for each in edits:
            each(project)

    return edit


def removed(file: str) -> Callable[[Path], None]:
    """Remove a file or a directory."""

    def edit(project: Path) -> None:
        path = project / file
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return edit


S, INDEX, LEGACY, CLOUDFLOW, FLOW = (
    "s.yaml",
    "code/index.py",
    "flows/legacy.yaml",
    "flows/cloudflow.yaml",
    "s.flow.yaml",
)
ACCOUNT = "1234567890123456"
# What a person sets who makes a project from a template.
OWN_VALUES = {"accountId": ACCOUNT}
OWN_IMAGE = {"image": "registry.cn-hangzhou.aliyuncs.com/orders/report-callback:1"}
LAYER = "acs:fc:cn-hangzhou:official:layers/Python310/versions/2"
DECORATOR = '@task_callback(on_failure="report", transient=(ConnectionError,))'
ROLE = "      role: ${env('FUNCTION_ROLE_ARN', 'acs:ram::1234567890123456:role/order-callback-role')}\n"
BUILD = '        - run: "fc-callback build ."'
FOREIGN = "Wheel-Version: 1.0\nTag: cp311-cp311-macosx_11_0_arm64\n"

BREAKS = (
    Break(rule="manifest", edit=replaced(S, "edition: 3.0.0", "edition: [3.0.0"), at=(S, "")),
    Break(rule="edition", edit=replaced(S, "edition: 3.0.0\n", ""), at=(S, ""), says="no edition"),
    Break(rule="edition", edit=replaced(S, "edition: 3.0.0", "edition: 1.0.0"), at=(S, "edition:"), says="1.0.0"),
    Break(
        rule="component",
        edit=replaced(S, "component: fc3", "component: fc"),
        at=(S, "component: fc"),
        says="s cli fc3 s2tos3 --source s.yaml",
    ),
    Break(
        rule="component",
        edit=replaced(S, "component: fc3", "component: fc33"),
        at=(S, "component: fc33"),
        says="Write `component: fc3`",
    ),
    Break(
        rule="duplicate-key",
        edit=replaced(S, "      timeout: 60\n", "      timeout: 60\n      timeout: 60\n"),
        at=(S, "timeout: 60"),
    ),
    Break(
        rule="placeholder",
        edit=replaced(S, "description: Completes", 'description: "{{ what }}" # Completes'),
        at=(S, "{{ what }}"),
    ),
    Break(
        rule="placeholder",
        edit=replaced(LEGACY, "functions/order-callback", "functions/{{ what }}"),
        at=(LEGACY, "{{ what }}"),
    ),
    Break(
        rule="unset-variable",
        edit=replaced(S, "${env('LOG_LEVEL', 'INFO')}", "${env('NOT_SET_ANYWHERE')}"),
        at=(S, "NOT_SET_ANYWHERE"),
        says="no default",
    ),
    Break(
        rule="expression",
        edit=replaced(S, "${env('LOG_LEVEL', 'INFO')}", "${vars.level}"),
        at=(S, "vars.level"),
        says="not defined",
    ),
    Break(
        rule="unknown-property",
        edit=replaced(S, "memorySize: 512", "memSize: 512"),
        at=(S, "memSize"),
        says="memorySize",
    ),
    Break(
        rule="missing-property", edit=replaced(S, '      region: "cn-hangzhou"\n', ""), at=(S, "props:"), says="region"
    ),
    Break(
        rule="property-value",
        edit=replaced(S, "timeout: 60", 'timeout: "60"'),
        at=(S, "timeout:"),
        says="without quotes",
    ),
    Break(
        rule="property-value",
        edit=replaced(S, "${env('LOG_LEVEL', 'INFO')}", "2024-01-01"),
        at=(S, "2024-01-01"),
        says='must be text, not a date. Put it in quotes: "2024-01-01"',
    ),
    Break(
        rule="property-value",
        edit=replaced(S, "${env('LOG_LEVEL', 'INFO')}", "0o17"),
        at=(S, "0o17"),
        says='not 15, which is a whole number. Put it in quotes: "15"',
    ),
    Break(rule="property-value", edit=replaced(S, "memorySize: 512", "memorySize: 500"), at=(S, "500"), says="512"),
    Break(
        rule="property-value",
        edit=replaced(S, "notifyStrategy: BACKOFF_RETRY", "notifyStrategy: BACKOF_RETRY"),
        at=(S, "BACKOF_RETRY"),
        template=MNS,
        says="BACKOFF_RETRY",
    ),
    Break(rule="runtime", edit=replaced(S, "python3.10", "python3.11"), at=(S, "python3.11"), says="custom-container"),
    Break(rule="runtime", edit=replaced(S, "python3.10", "python3.9"), at=(S, "python3.9"), says="needs Python 3.10"),
    Break(
        rule="name",
        edit=replaced(S, 'functionName: "approval-decide"', "functionName: 2nd-decide"),
        at=(S, "2nd-decide"),
        template=APPROVAL,
    ),
    Break(rule="code-path", edit=replaced(S, "code: ./code", "code: ./cod"), at=(S, "./cod")),
    Break(rule="secret-file", edit=written("code/.env-local", "KEY=1\n"), at=("code/.env-local", ""), says=".fcignore"),
    Break(
        rule="handler-import",
        edit=replaced(S, "handler: index.handler", "handler: idnex.handler"),
        at=(S, "idnex"),
        says="idnex",
    ),
    Break(
        rule="handler-import",
        edit=replaced(S, "handler: index.handler", "handler: index.handle"),
        at=(S, "index.handle"),
        says="missing",
    ),
    Break(
        rule="handler-import",
        edit=replaced(INDEX, "logger = logging", "1 / 0\nlogger = logging"),
        at=(INDEX, "1 / 0"),
        says="ZeroDivisionError",
    ),
    Break(
        rule="handler-import",
        edit=replaced(INDEX, "    order = payload.order", "    order = payload.order)"),
        at=(INDEX, "payload.order)"),
        says="Syntax",
    ),
    Break(
        rule="handler-import",
        edit=replaced(S, "handler: index.initialize", "handler: index.initialise"),
        at=(S, "index.initialise"),
        says="The initializer index.initialise cannot be loaded",
    ),
    Break(
        rule="handler-import",
        edit=replaced(S, "        initializer:\n", "        preStop: {handler: gone.pre_stop}\n        initializer:\n"),
        at=(S, "gone.pre_stop"),
        says="The preStop gone.pre_stop cannot be loaded",
    ),
    Break(
        rule="handler-import",
        edit=replaced(S, "decide.initialize", "decide.initialise"),
        at=(S, "decide.initialise"),
        template=APPROVAL,
        says="The initializer decide.initialise cannot be loaded",
    ),
    Break(rule="handler-string", edit=replaced(S, "index.handler", "index"), at=(S, "handler: index"), says="module."),
    Break(
        rule="handler-string",
        edit=both(
            replaced(S, "handler: index.initialize", "handler: hooks.begin.initialize"),
            written("code/hooks/begin.py", "def initialize(context): ...\n"),
        ),
        at=(S, "hooks.begin.initialize"),
        says="Add hooks/__init__.py",
    ),
    Break(
        rule="start-command",
        edit=replaced(
            S,
            "runtime: python3.10",
            "runtime: custom.debian11\n      customRuntimeConfig: {command: [python3, -m, fc_callback, serve, index.handler]}",
        ),
        at=(S, "customRuntimeConfig"),
        says="PATH: /var/fc/lang/python3.12/bin",
    ),
    Break(rule="handler-decorated", edit=replaced(INDEX, f"{DECORATOR}\n", ""), at=(INDEX, "def handler")),
    Break(
        rule="reserved-variable",
        edit=replaced(S, "        LOG_LEVEL:", "        FC_LOG_LEVEL:"),
        at=(S, "FC_LOG_LEVEL"),
        says="LOG_LEVEL",
    ),
    Break(rule="reserved-variable", edit=written(".env", "FC_REGION=cn-hangzhou\n"), at=(".env", "FC_REGION")),
    Break(
        rule="environment-size",
        edit=replaced(S, "        LOG_LEVEL:", f"        LONG: {'x' * 4096}\n        LOG_LEVEL:"),
        at=(S, "environmentVariables"),
    ),
    Break(
        rule="dependency-missing",
        edit=written("code/requirements.txt", "attrs\n"),
        at=(INDEX, "fc_callback"),
        says="Add fc-callback to code/requirements.txt",
    ),
    Break(
        rule="dependency-layer",
        edit=both(
            written("code/requirements.txt", "attrs\n"),
            replaced(S, "      timeout: 60\n", f"      timeout: 60\n      layers: [{LAYER}]\n"),
        ),
        at=(INDEX, "fc_callback"),
        says="imports fc_callback, pydantic",
    ),
    Break(
        rule="dependency-preinstalled",
        edit=both(
            written("code/requirements.txt", "fc-callback\npydantic\n"),
            replaced(INDEX, "import logging\n", "import logging\nimport oss2\n"),
        ),
        at=(INDEX, "import oss2"),
        says="only the runtime python3.10 itself has",
    ),
    Break(
        rule="dependency-unbuilt",
        edit=replaced(S, BUILD, "        - component: fc3 info"),
        at=(INDEX, "fc_callback"),
        says="fc-callback build",
    ),
    Break(
        rule="dependency-platform",
        edit=written("code/python/native-1.0.dist-info/WHEEL", FOREIGN),
        at=("code/python/native-1.0.dist-info", ""),
        says="macosx",
    ),
    Break(
        rule="dependency-platform",
        edit=written("code/python/_native.cpython-312-x86_64-linux-gnu.so", ""),
        at=("code/python/_native.cpython-312-x86_64-linux-gnu.so", ""),
        says="CPython 3.12",
    ),
    Break(
        rule="pythonpath",
        edit=replaced(S, "        PYTHONPATH: /code/python\n", ""),
        at=(S, "environmentVariables"),
        says="/code/python",
    ),
    Break(rule="role-missing", edit=replaced(S, ROLE, ""), at=(S, "props:")),
    Break(
        rule="role-arn",
        edit=replaced(S, ROLE, "      role: arn:aws:iam::123456789012:role/orders\n"),
        at=(S, "arn:aws"),
        says="acs:ram::<account id>",
    ),
    Break(
        rule="sample-value",
        edit=replaced(S, ROLE, "      role: acs:ram::1000000000000001:role/order-callback-role\n"),
        at=(S, "1000000000000001"),
        says="The account 1000000000000001 is a sample.",
    ),
    Break(
        rule="sample-value",
        edit=replaced(
            S, "registry.cn-hangzhou.aliyuncs.com/orders/", "registry.cn-hangzhou.aliyuncs.com/your-namespace/"
        ),
        at=(S, "your-namespace"),
        template=CONTAINER,
        says="'your-namespace' is a sample",
    ),
    Break(
        rule="other-region",
        edit=replaced(
            S,
            "      timeout: 60\n",
            f"      timeout: 60\n      layers: [{LAYER.replace('hangzhou', 'beijing')}]\n",
        ),
        at=(S, "cn-beijing"),
        says="The layer is in cn-beijing",
    ),
    Break(
        rule="other-region",
        edit=replaced(S, "registry.cn-hangzhou.", "registry-vpc.cn-beijing."),
        at=(S, "cn-beijing"),
        template=CONTAINER,
        says="The image is in cn-beijing, and the function in cn-hangzhou",
    ),
    Break(
        rule="handler-unchecked",
        edit=replaced(INDEX, "logger = logging", "open('/mnt/models/prices.bin')\nlogger = logging"),
        at=(INDEX, "/mnt/models"),
        says="it needs a file",
    ),
    Break(
        rule="role-actions",
        edit=replaced("policies/function-role.json", '"fnf:ReportTaskSucceeded", ', ""),
        at=("policies/function-role.json", "Statement"),
        says="fnf:ReportTaskSucceeded",
    ),
    Break(
        rule="role-actions",
        edit=replaced("policies/function-role.json", '"Resource": "*"', '"Resource": "acs:fnf:*:*:flow/order-flow"'),
        at=("policies/function-role.json", "{"),
        says="some resources only",
    ),
    Break(
        rule="role-actions",
        edit=replaced("policies/function-role.json", '"fnf:ReportTaskFailed"]', '"fnf:ReportTaskFailed"'),
        at=("policies/function-role.json", ""),
        says="Fix the JSON syntax",
    ),
    Break(
        rule="role-trust",
        edit=replaced("policies/function-role-trust.json", "fc.aliyuncs.com", "ecs.aliyuncs.com"),
        at=("policies/function-role-trust.json", "Statement"),
        says="fc.aliyuncs.com",
    ),
    Break(
        rule="flow-definition",
        edit=replaced(LEGACY, "type: flow", "type: flwo"),
        at=(LEGACY, ""),
    ),
    Break(
        rule="flow-definition",
        edit=replaced(CLOUDFLOW, "StartAt: charge", "StartAt: chrage"),
        at=(CLOUDFLOW, ""),
        says="chrage",
    ),
    Break(
        rule="flow-unread",
        edit=replaced(LEGACY, "    timeoutSeconds: 900\n", "    timeoutSeconds: 900\n    timeoutSecond: 900\n"),
        at=(LEGACY, "timeoutSecond: 900"),
        says="unknown and is ignored",
    ),
    Break(
        rule="flow-unread",
        edit=replaced(CLOUDFLOW, "order.$: $Input.order", "order: $Input.order"),
        at=(CLOUDFLOW, "order: $Input.order"),
        says="constant text",
    ),
    Break(
        rule="flow-unread",
        edit=replaced(CLOUDFLOW, "order.$: $Input.order", "name.$: $Context.Execution.name"),
        at=(CLOUDFLOW, "name.$: $Context.Execution.name"),
        says="leads nowhere",
    ),
    Break(
        rule="flow-name", edit=replaced(CLOUDFLOW, 'Name: "order-flow"', "Name: other"), at=(CLOUDFLOW, "Name: other")
    ),
    Break(
        rule="flow-token",
        edit=replaced(LEGACY, "source: $context.task.token", "source: $input.token"),
        at=(LEGACY, "- type: task"),
        says="$context.task.token",
    ),
    Break(
        rule="flow-token",
        edit=replaced(CLOUDFLOW, "        taskToken.$: $Context.Current.TaskToken\n", ""),
        at=(CLOUDFLOW, "- Type: Task"),
        says="does not pass the token on",
    ),
    Break(
        rule="flow-token",
        edit=replaced(CLOUDFLOW, "taskToken.$:", "taskToken:"),
        at=(CLOUDFLOW, "taskToken: $Context"),
        says="lacks `.$`",
    ),
    Break(
        rule="flow-token-key",
        edit=replaced(CLOUDFLOW, "taskToken.$:", "taskTokn.$:"),
        at=(CLOUDFLOW, "taskTokn.$"),
        says="'order-callback' looks for taskToken or TaskToken or task_token",
    ),
    Break(
        rule="flow-token-key",
        edit=both(
            replaced(INDEX, DECORATOR, DECORATOR.replace("(", '(token="meta.ticket", ', 1)),
            replaced(LEGACY, "target: taskToken", "target: ticket"),
        ),
        at=(CLOUDFLOW, "taskToken.$"),
        says="'order-callback' looks for ticket",
    ),
    Break(
        rule="flow-region",
        edit=replaced(FLOW, 'region: "cn-hangzhou"', 'region: "cn-chengdu"'),
        at=(FLOW, "cn-chengdu"),
        says="cn-hangzhou",
    ),
    Break(rule="flow-timeout", edit=replaced(LEGACY, "    timeoutSeconds: 900\n", ""), at=(LEGACY, "- type: task")),
    Break(
        rule="flow-timeout",
        edit=replaced(CLOUDFLOW, "    Timeout: 900\n", "    Timeout: 0\n"),
        at=(CLOUDFLOW, "Timeout: 0"),
    ),
    Break(
        rule="flow-express",
        edit=replaced(FLOW, "executionMode: Standard", "executionMode: Express"),
        at=(FLOW, "Express"),
    ),
    Break(rule="step-timeout", edit=replaced(S, "timeout: 60", "timeout: 901"), at=(S, "901"), says="900 s"),
    Break(
        rule="payload-mismatch",
        edit=replaced(CLOUDFLOW, "order.$: $Input.order", "odrer.$: $Input.order"),
        at=(CLOUDFLOW, "odrer.$"),
        says="Did you mean 'order'",
    ),
    Break(
        rule="payload-mismatch",
        edit=replaced(LEGACY, "source: $input.order", "source: o-1"),
        at=(LEGACY, "- target: order"),
        says="does not accept",
    ),
    Break(
        rule="payload-ignored",
        edit=both(
            replaced("code/payload.py", "    order: Order\n", "    order: Order\n    priority: int = 0\n"),
            replaced(CLOUDFLOW, "order.$: $Input.order", "order.$: $Input.order\n        priorty: 1"),
        ),
        at=(CLOUDFLOW, "priorty"),
        says="Did you mean 'priority'?",
    ),
    Break(rule="timeout-default", edit=replaced(S, "      timeout: 60\n", ""), at=(S, "props:"), says="3 seconds"),
    Break(
        rule="instance-concurrency",
        edit=replaced(S, "      timeout: 60\n", "      timeout: 60\n      instanceConcurrency: 10\n"),
        at=(S, "instanceConcurrency"),
    ),
    Break(
        rule="trigger-role",
        edit=replaced(
            S,
            "          invocationRole: ${env('TRIGGER_ROLE_ARN', 'acs:ram::1234567890123456:role/order-trigger-role')}\n",
            "",
        ),
        at=(S, "triggerName"),
        template=MNS,
    ),
    Break(
        rule="definition-path",
        edit=replaced(FLOW, "${path('./flows/cloudflow.yaml')}", "./flows/cloudflow.yaml"),
        at=(FLOW, "definition"),
        says="${path(",
    ),
    Break(
        rule="flow-function",
        edit=replaced(CLOUDFLOW, "functions/order-callback/LATEST", "functions/odrer-callback/LATEST"),
        at=(CLOUDFLOW, "odrer-callback"),
    ),
    Break(
        rule="unreported-failure",
        edit=replaced(INDEX, DECORATOR, "@task_callback"),
        at=(CLOUDFLOW, "- Type: Task"),
        says='on_failure="report"',
    ),
    Break(
        rule="unreported-failure",
        edit=replaced(INDEX, 'on_failure="report", transient=(ConnectionError,)', ""),
        at=(CLOUDFLOW, "- Type: Task"),
        template=MNS,
    ),
    Break(
        rule="handler-import",
        edit=replaced("Dockerfile", "index.handler", "index.handel"),
        at=("Dockerfile", "index.handel"),
        template=CONTAINER,
    ),
)
