"""Small projects of the shapes that public projects have. `# finds RULE` marks each line that has a finding.

They are written for these tests. The shapes: the applications of Serverless Devs (hello-world, simple-http, functions of other
languages, a flow beside its functions), projects of FC 2.0, functions with layers, with packages of sdists only, with
pyproject.toml only, with custom runtimes and containers.
"""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@attrs.frozen(kw_only=True)
class PublicProject:
    """A project.

    Attributes:
        name: Its shape.
        files: The files, by their paths.
    """

    name: str
    files: Mapping[str, str]

    def write(self, folder: Path) -> Path:
        """Write the files below a folder and return it."""
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return folder


HANDLER = "import logging\n\n\ndef handler(event, context):\n    logging.getLogger().info(event)\n    return 'hello'\n"
HELLO = """
    edition: 3.0.0
    name: hello-app
    access: "default"

    vars:  # global
      region: "cn-hangzhou"

    resources:
      hello_world:
        component: fc3
        props:
          region: ${vars.region}
          functionName: "hello"
          description: 'hello'
          runtime: "python3.10"
          code: ./code
          handler: index.handler
          memorySize: 128
          timeout: 30
"""
HTTP_TRIGGER = """
          triggers:
            - triggerName: httpTrigger
              triggerType: http
              description: "open to all"
              qualifier: LATEST
              triggerConfig:
                authType: anonymous
                disableURLInternet: false
                methods: [GET, POST]
"""


def manifest(props: str, *, actions: str = "") -> str:
    """Return a manifest with one function."""
    head = "edition: 3.0.0\nname: app\naccess: default\nresources:\n  app:\n    component: fc3\n"
    body = dedent(props).strip("\n").replace("\n", "\n      ")
    given = dedent(actions).strip("\n").replace("\n", "\n    ")
    return f"{head}{f'    {given}{chr(10)}' if given else ''}    props:\n      {body}\n"


HELLO_WORLD = (
    PublicProject(name="hello-world", files={"s.yaml": HELLO, "code/index.py": HANDLER}),
    PublicProject(
        name="hello-world-without-timeout",
        files={"s.yaml": HELLO.replace("          timeout: 30\n", ""), "code/index.py": HANDLER},
    ),
    PublicProject(
        name="hello-world-of-an-old-python",
        files={"s.yaml": HELLO.replace("python3.10", "python3.9"), "code/index.py": HANDLER},
    ),
    PublicProject(
        name="hello-world-of-python-2",
        files={
            "s.yaml": HELLO.replace("python3.10", "python2.7"),
            "code/index.py": "def handler(event, context):\n    print 'hello'  # finds handler-unchecked\n",
        },
    ),
    PublicProject(
        name="simple-http",
        files={
            "s.yaml": HELLO + HTTP_TRIGGER,
            "code/index.py": "import base64\nimport json\n\n\ndef handler(event, context):\n    try:\n"
            "        request = json.loads(event)\n    except:\n        return 'not HTTP'\n"
            "    return {'statusCode': 200, 'body': base64.b64encode(request['body'].encode()).decode()}\n",
        },
    ),
    PublicProject(
        name="hello-world-not-rendered",
        files={
            "s.yaml": HELLO.replace('"default"', '"{{ access }}"  # finds placeholder')
            .replace('"cn-hangzhou"', '"{{ region }}"')
            .replace('"hello"', "{{ functionName }}")
            .replace('"python3.10"', '"{{ runtime }}"')
            + "    # {{ more }}\n",
            "code/index.py": HANDLER,
        },
    ),
    PublicProject(
        name="role-of-the-service",
        files={
            "s.yaml": HELLO
            + "          role: acs:ram::${config('AccountID')}:role/AliyunFCDefaultRole\n          logConfig: auto\n",
            "code/index.py": HANDLER,
        },
    ),
    PublicProject(
        name="name-of-a-role-and-messages",
        files={
            "s.yaml": manifest("""
                region: cn-hangzhou
                functionName: alarms
                runtime: python3.12
                code: ./src
                handler: alarm/main.handler
                timeout: 60
                role: AliyunFCDefaultRole
                environmentVariables:
                  GREETING: "Dear {{ name }}, your order is late"
                triggers:
                  - triggerName: alarms
                    triggerType: mns_topic
                    sourceArn: "acs:mns:cn-hangzhou:1234567890123456:/topics/alarms"
                    invocationRole: acs:ram::1234567890123456:role/AliyunMNSNotificationRole
                    triggerConfig: {notifyContentFormat: JSON, notifyStrategy: BACKOFF_RETRY}
            """),
            "src/alarm/main.py": HANDLER,
            "src/alarm/__init__.py": "",
        },
    ),
)

OTHER_LANGUAGES = (
    PublicProject(
        name="go",
        files={
            "s.yaml": manifest(
                """
                region: cn-shenzhen
                functionName: start-go
                runtime: go1
                code: ./target
                handler: main
                memorySize: 128
                timeout: 60
                """,
                actions="""
                actions:
                  pre-deploy:
                    - run: GO111MODULE=on GOOS=linux GOARCH=amd64 CGO_ENABLED=0 go build -o target/main main.go
                      path: ./code
                """,
            ),
            "code/main.go": "package main\n\nfunc main() {}\n",
        },
    ),
    PublicProject(
        name="go-on-a-custom-runtime",
        files={
            "s.yaml": manifest("""
                region: cn-shanghai
                functionName: start-go
                runtime: custom.debian10
                code: ./code/target
                customRuntimeConfig: {port: 9000, command: ["./main"]}
                instanceConcurrency: 20
                layers: ["acs:fc:cn-shanghai:official:layers/ServerlessDevs/versions/4"]
            """),
        },
    ),
    PublicProject(
        name="node-that-is-compiled",
        files={
            "s.yaml": manifest("""
                region: us-west-1
                functionName: web
                runtime: nodejs20
                code: ./dist
                handler: index.handler
                memorySize: 1024
                timeout: 300
            """)
        },
    ),
    PublicProject(
        name="java",
        files={
            "s.yaml": manifest(
                """
                region: cn-hangzhou
                functionName: start-java
                runtime: java11
                code: ./target/HelloFCJava-1.0-SNAPSHOT-jar-with-dependencies.jar
                handler: example.App::handleRequest
                """,
                actions="actions:\n  pre-deploy:\n    - run: mvn package\n      path: ./",
            )
        },
    ),
)

FC_2_0 = (
    PublicProject(
        name="fc-2.0",
        files={
            "s.yaml": """
                edition: 1.0.0
                name: hello-app
                access: "{{ access }}"
                vars:
                  region: {{ region }}
                  service: {name: hello-service, description: 'hello', logConfig: auto}
                services:  # finds component
                  helloworld:
                    component: fc
                    actions:
                      pre-deploy:
                        - run: make build
                          path: ./
                    props:
                      region: ${vars.region}
                      service: ${vars.service}
                      function:
                        name: event-python
                        runtime: python3
                        codeUri: ./code
                        handler: index.handler
                        instanceConcurrency: 5
                  other:
                    component: devsapp/fc
                    props: {region: cn-hangzhou, service: {name: x}, function: {name: y}}
            """,
            "code/index.py": HANDLER,
        },
    ),
    PublicProject(
        name="fc-2.0-under-edition-3",
        files={
            "s.yaml": """
                edition: 3.0.0
                name: hello-app
                access: default
                resources:
                  one:
                    component: fc  # finds component
                    props: {region: cn-hangzhou, service: {name: s}, function: {name: one, codeUri: ./code}}
                  two:
                    component: devsapp/fc
                    props: {region: cn-hangzhou, service: {name: s}, function: {name: two, codeUri: ./code}}
            """,
        },
    ),
    PublicProject(
        name="the-form-of-fc-2.0-below-fc3",
        files={
            "s.yaml": manifest("""
                region: cn-hangzhou
                function:  # finds component
                  functionName: hello
                  runtime: python3.10
                  code: ./code
                  handler: index.handler
            """),
            "code/index.py": HANDLER,
        },
    ),
)

PYTHON = """
    region: cn-hangzhou
    functionName: app
    runtime: python3.10
    code: ./code
    handler: index.handler
    timeout: 60
"""
BUILD = 'actions:\n  pre-deploy:\n    - run: "fc-callback build ."\n      path: ./'
S_BUILD = "actions:\n  pre-deploy:\n    - component: fc3 build\n      path: ./"

PACKAGES = (
    PublicProject(
        name="layers",
        files={
            "s.yaml": manifest(
                PYTHON + '    layers: ["acs:fc:cn-hangzhou:1234567890123456:layers/mysql/versions/3"]\n'
            ),
            "code/index.py": "import json\n\nimport pymysql  # finds dependency-layer\nimport dbutils\n" + HANDLER,
        },
    ),
    PublicProject(
        name="only-what-fc-has",
        files={
            "s.yaml": manifest(PYTHON),
            "code/index.py": "import oss2  # finds dependency-preinstalled\nimport aliyunsdkcore\n" + HANDLER,
        },
    ),
    PublicProject(
        name="what-fc-has-not",
        files={
            "s.yaml": manifest(PYTHON),
            "code/index.py": "import pandas_of_nobody  # finds dependency-missing\n" + HANDLER,
        },
    ),
    PublicProject(
        name="sdists-as-of-certbot",
        files={
            "s.yaml": manifest(
                PYTHON
                + """
    environmentVariables: {PYTHONPATH: /code/python, DOMAINS: "*.example.com"}
    triggers:
      - triggerName: monthly
        triggerType: timer
        triggerConfig: {cronExpression: "@every 43200m", enable: true}
""",
                actions=BUILD,
            ),
            "code/requirements.txt": "certbot>=2\ncertbot-dns-aliyun\noss2\n",
            # josepy is needed by certbot, which is not installed here.
            "code/index.py": "import josepy  # finds handler-unchecked\nimport oss2\nfrom certbot import main\n"
            + HANDLER,
        },
    ),
    PublicProject(
        name="s-build",
        files={
            "s.yaml": manifest(PYTHON + "    environmentVariables: {PYTHONUSERBASE: /code/python}\n", actions=S_BUILD),
            "code/requirements.txt": "requests==2.31.0\n",
            "code/index.py": "import requests\nimport urllib3\n" + HANDLER,
        },
    ),
    PublicProject(
        name="nothing-builds-it",
        files={
            "s.yaml": manifest(PYTHON),
            "code/requirements.txt": "requests\n",
            "code/index.py": "import requests  # finds dependency-unbuilt\n" + HANDLER,
        },
    ),
    PublicProject(
        name="a-script-builds-it",
        files={
            "s.yaml": manifest(PYTHON, actions="actions:\n  pre-deploy:\n    - run: ./build.sh\n      path: ./"),
            "code/index.py": "import requests\n" + HANDLER,
        },
    ),
    PublicProject(
        name="pyproject-only",
        files={
            "s.yaml": manifest(PYTHON, actions="actions:\n  pre-deploy:\n    - run: uv pip install --target code .\n"),
            "pyproject.toml": '[project]\nname = "app"\nversion = "1"\ndependencies = ["requests"]\n',
            "uv.lock": "version = 1\n",
            "code/index.py": "import requests\n" + HANDLER,
        },
    ),
    PublicProject(
        name="packages-beside-the-code",
        files={
            "s.yaml": manifest(PYTHON.replace("./code", "./")),
            "index.py": "import vendored\n" + HANDLER,
            "vendored/__init__.py": "def lazily():\n    import optional_part\n",
            "vendored-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: vendored\nVersion: 1.0\n",
            "vendored-1.0.dist-info/RECORD": "vendored/__init__.py,,\nvendored-1.0.dist-info/RECORD,,\n",
            "tests/test_index.py": "import a_test_tool\n",
            "setup_database.py": "import a_tool_of_mine\n",
            ".venv/lib/python3.11/site-packages/x/_x.cpython-311-darwin.so": "",
            "node_modules/tool/build/native.cpython-311-darwin.so": "",
        },
    ),
    PublicProject(
        name="own-place-of-packages",
        files={
            "s.yaml": manifest(PYTHON, actions=BUILD),
            "code/requirements.txt": "requests\n",
            "code/index.py": "import sys\nsys.path.insert(0, '/code/python')\nimport requests\n" + HANDLER,
        },
    ),
    PublicProject(
        name="pip-into-the-code",
        files={
            "s.yaml": manifest(
                PYTHON,
                actions="actions:\n  pre-deploy:\n    - run: pip3 install -r requirements.txt -t .\n      path: ./code",
            ),
            "code/requirements.txt": "requests\n",
            "code/index.py": "import requests\n" + HANDLER,
        },
    ),
    PublicProject(
        name="pip-into-a-directory",
        files={
            "s.yaml": manifest(
                PYTHON + "    environmentVariables: {PYTHONPATH: '/code/lib:/code/shared'}\n",
                actions="actions:\n  pre-deploy:\n    - run: pip install -r requirements.txt --target lib\n      path: ./code",
            ),
            "code/requirements.txt": "requests\n",
            "code/shared/money.py": "",
            "code/index.py": "import money\nimport requests\n" + HANDLER,
        },
    ),
    PublicProject(
        name="pip-into-python-without-a-path",
        files={
            "s.yaml": manifest(
                PYTHON + "    environmentVariables: {LANG: C}  # finds pythonpath\n",
                actions="actions:\n  pre-deploy:\n    - run: pip install -r requirements.txt -t ./python\n      path: ./code",
            ),
            "code/requirements.txt": "requests\n",
            "code/index.py": "import requests\n" + HANDLER,
        },
    ),
    PublicProject(
        name="packages-of-a-mount",
        files={
            "s.yaml": manifest(
                PYTHON + "    environmentVariables: {PYTHONPATH: /mnt/auto/python}\n    nasConfig: auto\n"
            ),
            "code/index.py": "import pandas_of_nobody  # finds handler-unchecked\n" + HANDLER,
        },
    ),
    PublicProject(
        name="code-of-a-bucket",
        files={
            "s.yaml": manifest(
                PYTHON.replace("code: ./code", "code: {ossBucketName: builds, ossObjectName: app/1.zip}")
            )
        },
    ),
    PublicProject(
        name="needs-what-only-fc-has",
        files={
            "s.yaml": manifest(
                PYTHON + '    environmentVariables: {BUCKET: "${resources.store.output.bucket}"}\n'
            ).replace("  app:\n", "  store: {component: oss, props: {}}\n  app:\n"),
            "code/index.py": "import os\n\nBUCKET = os.environ['BUCKET']  # finds handler-unchecked\n" + HANDLER,
        },
    ),
)

CUSTOM = (
    PublicProject(
        name="a-web-framework-on-a-custom-runtime",
        files={
            "s.yaml": manifest("""
                region: cn-hangzhou
                functionName: web
                runtime: custom.debian12
                code: ./code
                handler: not-used
                customRuntimeConfig: {port: 9000, command: [python3], args: [app.py]}
                environmentVariables: {PYTHONPATH: /code/python}
                customDomain: {domainName: auto, protocol: HTTP, route: {path: /*}}
            """),
            "code/app.py": "from fastapi import FastAPI\n\napp = FastAPI()\n",
        },
    ),
    PublicProject(
        name="an-official-layer-for-python",
        files={
            "s.yaml": manifest("""
                region: cn-beijing
                functionName: web
                runtime: custom.debian10
                code: ./code
                customRuntimeConfig: {command: [/opt/python3.10/bin/python3, app.py]}
                layers:
                  - acs:fc:cn-beijing:official:layers/Python310/versions/2
                  - acs:fc:cn-beijing:official:layers/Python3-Flask3x/versions/2
            """),
            "code/app.py": "from flask import Flask\n",
        },
    ),
    PublicProject(
        name="container",
        files={
            "s.yaml": manifest("""
                region: ${env('REGION', 'cn-hangzhou')}
                functionName: web
                runtime: custom-container
                timeout: 30
                cpu: 0.5
                memorySize: 512
                diskSize: 512
                customContainerConfig:
                  image: 'registry-vpc.cn-hangzhou.aliyuncs.com/team/web:3'
            """),
            "Dockerfile": "FROM python:3.12\nCOPY . /code\nCMD uvicorn app:app\n",
        },
    ),
    PublicProject(
        name="container-of-a-sample",
        files={
            "s.yaml": manifest("""
                region: cn-shanghai
                functionName: web
                runtime: custom-container
                role: acs:ram::1000000000000001:role/web  # finds sample-value
                customContainerConfig:
                  image: 'registry.cn-hangzhou.aliyuncs.com/team/web:3'  # finds other-region
                vpcConfig:
                  vpcId: vpc-xxx  # finds sample-value
                  securityGroupId: sg-xxx
                  vSwitchIds: [vsw-xxx]
            """),
        },
    ),
)

VIDEO = """
    edition: 3.0.0
    name: video
    access: default
    vars: ${yaml(file('./s.vars.yaml'))}
    resources:
      split:
        component: fc3
        props: ${yaml(file('./split.yaml'))}
      merge:
        component: fc3
        props:
          region: ${vars.region}
          handler: index.handler
          runtime: python3
          functionName: ${vars.flow}_merge
          role: ${vars.role}
          code: code
          timeout: 600
          vpcConfig: ${resources.split.output.vpcConfig}
      flow:
        component: flow
        props:
          name: ${vars.flow}
          region: ${vars.region}
          description: split and merge with ${resources.merge.output.functionName}
          definition: ${yaml(file('code/workflows/video.yml'))}
          roleArn: ${vars.role}
"""
VIDEO_FLOW = """
    version: v1
    type: flow
    steps:
      - type: task
        name: split
        resourceArn: acs:fc:${vars.region}:${config('AccountID')}:functions/${vars.flow}_split
        retry:
          - errors: [FC.ResourceThrottled]
            backoff: 2  # finds flow-unread
      - ${yaml(file('./code/workflows/review.yml'))}
      - type: task
        name: merge
        resourceArn: acs:fc:${vars.region}:${config('AccountID')}:functions/${vars.flow}_merg  # finds flow-function
"""
VIDEO_FILES = {
    "s.yaml": VIDEO,
    "s.vars.yaml": "region: cn-hangzhou\nflow: video\nrole: acs:ram::1234567890123456:role/video\n",
    "split.yaml": "region: ${vars.region}\nhandler: index.handler\nruntime: python3\nfunctionName: ${vars.flow}_split\n"
    "code: code\ntimeout: 600\nmemSize: 3072  # finds unknown-property\n",
    "code/index.py": HANDLER,
    "code/workflows/video.yml": VIDEO_FLOW.replace("backoff: 2  # finds flow-unread", "multiplier: 2").replace(
        "  # finds flow-function", ""
    ),
    "code/workflows/review.yml": "type: task  # finds flow-token, flow-timeout\nname: review\npattern: waitForCallback\n"
    "resourceArn: acs:mns:::/topics/review/messages\n",
}

FLOWS = (
    PublicProject(name="included-flow", files=VIDEO_FILES),
    PublicProject(
        name="included-flow-that-is-known-whole",
        files={
            "s.yaml": VIDEO.replace(
                "${yaml(file('./split.yaml'))}",
                "{region: cn-hangzhou, functionName: video_split, runtime: go1, code: x.zip, handler: main}",
            ),
            "s.vars.yaml": VIDEO_FILES["s.vars.yaml"],
            "code/index.py": HANDLER,
            "code/workflows/video.yml": VIDEO_FLOW.replace("${config('AccountID')}", "1234567890123456"),
            "code/workflows/review.yml": VIDEO_FILES["code/workflows/review.yml"],
        },
    ),
    PublicProject(
        name="flow-as-text",
        files={
            "s.yaml": """
                edition: 3.0.0
                name: flow
                access: default
                resources:
                  flow:
                    component: flow
                    props:
                      name: wait
                      region: cn-chengdu  # finds flow-region
                      definition: ${file('flows/wait.yaml')}  # finds definition-path
            """,
            "flows/wait.yaml": "version: v1\ntype: flow\nsteps:\n  - type: wait\n    name: wait\n    durations: 5"
            "  # finds flow-unread\n    duration: 5\n",
        },
    ),
    PublicProject(
        name="flow-that-cannot-be-read",
        files={
            "s.yaml": """
                edition: 3.0.0
                name: flow
                access: default
                resources:
                  flow:
                    component: flow
                    props: {name: wait, region: cn-hangzhou, definition: "${yaml(file('flows/wait.yaml'))}"}
            """,
            "flows/wait.yaml": "version: v1\ntype: flow\nsteps: [  # a list without an end\n  x: ]: y  # finds expression\n",
        },
    ),
    PublicProject(
        name="flows-of-another-tool",
        files={
            "s.yaml": HELLO,
            "code/index.py": HANDLER,
            "flows/etl.yaml": "name: etl\nsteps:\n  - uses: checkout\n",
            "flows/machine.json": '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
            "flows/broken.yaml": "a: [\n",
            "policies/function-role.json": '{"Statement": [{"Effect": "Allow", "Action": "oss:*", "Resource": "*"}]}',
        },
    ),
    PublicProject(
        name="variables-of-the-deployment",
        files={
            "s.yaml": manifest("""
                region: ${env('REGION')}  # finds unset-variable
                functionName: ${env('PREFIX')}-app  # finds unset-variable
                runtime: python3.10
                code: ./code
                handler: index.handler
                role: acs:ram::${config("AccountID")}:role/${env('PREFIX')}
                environmentVariables: {REGION: "${env('REGION')}"}
            """),
            "code/index.py": HANDLER,
        },
    ),
    PublicProject(
        name="stages",
        files={
            "s.yaml": HELLO.replace("name: hello-app", "extend: s.base.yaml"),
            "s.prod.yaml": HELLO.replace("cn-hangzhou", "cn-shanghai"),
            "s.base.yaml": "edition: 3.0.0\nresources: {hello_world: {component: fc3, props: {diskSize: 512}}}\n",
            "code/index.py": HANDLER,
        },
    ),
)

CALLED = """
    edition: 3.0.0
    name: app
    access: default
    resources:
      ask:
        component: fc3
        props:  # finds role-missing, timeout-default
          region: cn-hangzhou
          functionName: ask
          runtime: python3.10
          code: ./code
          handler: index.handler
      log:
        component: fc3
        props: {region: cn-hangzhou, functionName: log, runtime: python3.10, code: ./code, handler: index.log}
      charge:
        component: fc3
        props:  # finds role-missing, timeout-default
          region: cn-hangzhou
          functionName: charge
          runtime: go1
          code: ./charge.zip
          handler: main
"""
CALLING = """
    Type: StateMachine
    SpecVersion: v1
    Name: app
    StartAt: Ask
    States:
      - Type: Task
        Name: Ask
        Action: FC:InvokeFunction
        TaskMode: WaitForCustomCallback
        Timeout: 600
        Parameters:
          resourceArn: acs:fc:cn-hangzhou:1234567890123456:functions/ask/LATEST
          body: {taskToken.$: $Context.Current.TaskToken}
        Next: Log
      - Type: Task
        Name: Log
        Action: FC:InvokeFunction
        Parameters:
          resourceArn: acs:fc:cn-hangzhou:1234567890123456:functions/log/LATEST
        Next: Charge
      - Type: Task
        Name: Charge
        Action: FC:InvokeFunction
        TaskMode: WaitForCustomCallback
        Timeout: 600
        Parameters:
          resourceArn: acs:fc:cn-hangzhou:1234567890123456:functions/charge/LATEST
          body:
            task_tokn.$: $Context.Current.TaskToken  # finds flow-token-key
        End: true
"""
TASKS = (
    PublicProject(
        name="called-by-a-flow",
        files={
            "s.yaml": CALLED,
            "flows/app.yaml": CALLING,
            "code/index.py": "def handler(event, context):  # finds handler-decorated\n    return {}\n\n\n"
            "def log(event, context):\n    return {}\n",
        },
    ),
    PublicProject(
        name="decorated-without-a-flow",
        files={
            "s.yaml": manifest(PYTHON.replace("timeout: 60", "diskSize: 512"), actions=BUILD).replace(
                "    props:\n", "    props:  # finds role-missing, timeout-default\n"
            )
            + "      environmentVariables: {PYTHONPATH: /code/python}\n",
            "code/requirements.txt": "fc-callback\n",
            "code/index.py": "from fc_callback import task_callback\n\n\n@task_callback\ndef handler(event, context):\n"
            "    return {}\n",
        },
    ),
)

PROJECTS = (*HELLO_WORLD, *OTHER_LANGUAGES, *FC_2_0, *PACKAGES, *CUSTOM, *FLOWS, *TASKS)
