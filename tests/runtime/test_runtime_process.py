"""What the user's module finds around it: context, environment, log."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.runtime.runtime_support import CREDENTIALS, ROTATED

if TYPE_CHECKING:
    from fc_callback.runtime import FunctionInstance, InvocationResult
    from tests.runtime.runtime_support import MakeInstance, MakeSpec

ENVIRON = """
    import os
    def handler(event, context): return dict(os.environ)
"""
CREDENTIALS_SEEN = """
    import os
    def handler(event, context):
        given = getattr(context, "credentials", None)
        return {
            "context": [given.accessKeyId, given.access_key_secret, given.securityToken] if given else None,
            "environ": [os.environ["ALIBABA_CLOUD_" + name]
                        for name in ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN")],
        }
"""


def value(result: InvocationResult) -> object:
    assert result.error_type is None, result.log
    return json.loads(result.body)


def context_value(instance: FunctionInstance, **options: object) -> object:
    return value(instance.invoke(b"", credentials=CREDENTIALS, **options))  # type: ignore[arg-type]  # as named by a test


def test_the_context_names_the_function_and_the_request(function: MakeInstance) -> None:
    instance = function(
        """
        def handler(event, context):
            f = context.function
            return [context.request_id, f.name, f.handler, f.memory, f.timeout, context.region, context.account_id]
        """,
        memory_mb=256,
        timeout_seconds=20,
        region="cn-shanghai",
        account_id="1234",
    )
    expected = ["r-1", "orders", "index.handler", 256, 20, "cn-shanghai", "1234"]
    assert context_value(instance, request_id="r-1") == expected


def test_each_runtime_has_the_attributes_of_its_own_context(function: MakeInstance, runtime: str) -> None:
    instance = function("""
        def handler(event, context):
            names = ["requestId", "credentials", "service", "tracing", "retry_count", "to_json", "log_project", "log_store"]
            return [n for n in names if hasattr(context, n)] + [n for n in ["version_id", "qualifier"] if hasattr(context.function, n)]
    """)
    expected = {
        "python3.10": ["requestId", "credentials", "service", "tracing", "retry_count", "to_json"],
        "python3.12": ["log_project", "log_store", "version_id", "qualifier"],
    }
    assert context_value(instance) == expected[runtime]


@pytest.mark.parametrize("runtime", ["python3.10"])
def test_to_json_holds_the_secrets_up_to_310(function: MakeInstance, runtime: str) -> None:
    instance = function("def handler(event, context): return context.to_json()")
    document = context_value(instance, request_id="r-1")
    assert isinstance(document, dict)
    assert (document["request_id"], document["credentials"]["security_token"]) == ("r-1", "token-one")


@pytest.mark.parametrize("runtime", ["python3.10"])
def test_the_retry_count_is_in_the_context_up_to_310(function: MakeInstance, runtime: str) -> None:
    assert context_value(function("def handler(event, context): return context.retry_count"), retry_count=2) == 2


def test_the_logger_is_got_by_calling_and_only_312_keeps_it_in_the_context(
    function: MakeInstance, runtime: str
) -> None:
    instance = function("""
        import logging
        def handler(event, context):
            before = context.logger is None
            return [before, context.getLogger() is logging.getLogger(), context.logger is logging.getLogger()]
    """)
    assert context_value(instance) == [True, True, runtime == "python3.12"]


@pytest.mark.parametrize("runtime", ["python3.10"])
def test_code_that_logs_by_the_contexts_attribute_fails_here_as_on_fc(function: MakeInstance, runtime: str) -> None:
    result = function("def handler(event, context): context.logger.info('x')").invoke(b"", credentials=None)
    assert result.error_name == "AttributeError"


@pytest.mark.parametrize("runtime", ["python3.10"])
def test_a_hooks_context_has_no_logger_either(function: MakeInstance, runtime: str) -> None:
    instance = function(
        """
        seen = []
        def initialize(context): seen.append(context.logger)
        def handler(event, context): return seen
        """,
        initializer="index.initialize",
    )
    assert context_value(instance) == [None]


def test_credentials_are_those_of_the_invocation(function: MakeInstance, runtime: str) -> None:
    seen = context_value(function(CREDENTIALS_SEEN))
    given = ["STS.key-1", "secret-one", "token-one"]
    assert seen == {"context": given if runtime == "python3.10" else None, "environ": given}


def test_rotated_credentials_reach_a_warm_process(function: MakeInstance, runtime: str) -> None:
    instance = function(CREDENTIALS_SEEN)
    context_value(instance)
    old, new = ["STS.key-1", "secret-one", "token-one"], ["STS.key-2", "secret-two", "token-two"]
    # Up to 3.10 the environment keeps the first set, as on FC; only the context is fresh.
    expected = {
        "python3.10": {"context": new, "environ": old},
        "python3.12": {"context": None, "environ": new},
    }
    assert value(instance.invoke(b"", credentials=ROTATED)) == expected[runtime]


def test_a_function_without_a_role_gets_empty_strings(function: MakeInstance, runtime: str) -> None:
    seen = value(function(CREDENTIALS_SEEN).invoke(b"", credentials=None))
    assert seen == {"context": ["", "", ""] if runtime == "python3.10" else None, "environ": ["", "", ""]}


def test_credentials_are_in_no_log_and_on_no_command_line(function: MakeInstance) -> None:
    instance = function("""
        def handler(event, context):
            print(context, getattr(context, "credentials", ""), context.function)
            raise ValueError(open("/proc/self/cmdline").read())
    """)
    result = instance.invoke(b"", credentials=CREDENTIALS)
    everything = result.log + result.body.decode() + repr(result) + repr(instance.spec)
    assert not [text for text in ("secret-one", "token-one") if text in everything]


def test_variables_that_begin_with_fc_are_deleted_before_the_module_loads(function: MakeInstance) -> None:
    environment = {
        "FC_CALLBACK_X": "1",
        "_FC_Y": "1",
        "FC_RUNTIME_API": "1",
        "CLOUDFLOW_ENDPOINT": "http://127.0.0.1:1",
    }
    seen = context_value(function(ENVIRON, environment=environment))
    assert isinstance(seen, dict)
    assert [name for name in environment if name in seen] == ["CLOUDFLOW_ENDPOINT"]


def test_the_documented_variables_are_set(function: MakeInstance, runtime: str) -> None:
    instance = function(ENVIRON, memory_mb=256)
    seen = context_value(instance)
    assert isinstance(seen, dict)
    version = "FC_FUNCTION_VERSION" if runtime == "python3.12" else "FC_VER_ID"
    assert {name: text for name, text in seen.items() if name.startswith("FC_") and name != "FC_INSTANCE_ID"} == {
        "FC_FUNC_CODE_PATH": str(instance.spec.code_dir),
        "FC_ACCOUNT_ID": "1000000000000001",
        "FC_FUNCTION_HANDLER": "index.handler",
        "FC_FUNCTION_MEMORY_SIZE": "256",
        "FC_FUNCTION_NAME": "orders",
        "FC_REGION": "cn-hangzhou",
        version: "LATEST",
    }


def test_the_parents_own_variables_stay_out(function: MakeInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PRIVATE_KEY", "x")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "of the developer")
    seen = value(function(ENVIRON).invoke(b"", credentials=None))
    assert isinstance(seen, dict)
    assert ("MY_PRIVATE_KEY" in seen, seen["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]) == (False, "")


def test_the_repr_of_a_function_does_not_show_its_variables(spec: MakeSpec) -> None:
    assert "hunter2" not in repr(spec("", environment={"DB_PASSWORD": "hunter2"}))


def test_the_code_directory_comes_first(function: MakeInstance) -> None:
    instance = function("""
        import os, sys
        def handler(event, context): return [sys.path[0], os.getcwd()]
    """)
    assert context_value(instance) == [str(instance.spec.code_dir)] * 2


def add_module(instance: FunctionInstance, code: str, *, package: bool) -> None:
    folder = instance.spec.code_dir / "orders"
    folder.mkdir()
    (folder / "paid.py").write_text(f"{code}\ndef handler(event, context): return __name__")
    (folder / "prices.py").touch()
    if package:
        (folder / "__init__.py").write_text("raise RuntimeError('up to python3.10 a parent package is not imported')")


def test_a_handler_in_a_directory_has_the_module_name_that_the_runtime_gives_it(function: MakeInstance) -> None:
    instance = function("", handler="orders/paid.handler")
    add_module(instance, "", package=False)
    name = b"orders/paid" if instance.spec.runtime == "python3.10" else b"orders.paid"
    assert instance.invoke(b"", credentials=None).body == name


def test_a_relative_import_in_a_directory_fails_up_to_python_3_10(function: MakeInstance) -> None:
    instance = function("", handler="orders/paid.handler")
    add_module(instance, "from . import prices", package=False)
    result = instance.invoke(b"", credentials=None)
    assert result.error_name == ("ImportModuleError" if instance.spec.runtime == "python3.10" else "")


def test_a_dotted_handler_needs_a_package_up_to_python_3_10(function: MakeInstance) -> None:
    instance = function("", handler="orders.paid.handler")
    add_module(instance, "", package=False)
    result = instance.invoke(b"", credentials=None)
    if instance.spec.runtime == "python3.10":
        assert result.error_name == "ImportModuleError"
        assert result.error_message == "Unable to import module 'orders.paid': No module named 'orders.paid'"
    else:
        assert result.body == b"orders.paid"


def test_a_parent_package_is_not_imported_up_to_python_3_10(function: MakeInstance) -> None:
    instance = function("", handler="orders.paid.handler")
    add_module(instance, "", package=True)
    result = instance.invoke(b"", credentials=None)
    assert result.ok is (instance.spec.runtime == "python3.10")


def test_the_package_itself_can_be_imported(function: MakeInstance) -> None:
    instance = function("""
        from fc_callback.values.context import FcContext
        def handler(event, context):
            read = FcContext.read(context)
            return [read.request_id, read.credentials.security_token, read.timeout_seconds]
    """)
    assert context_value(instance, request_id="r-1") == ["r-1", "token-one", 30]


def test_warnings_are_silenced_as_on_fc(function: MakeInstance) -> None:
    instance = function("""
        import sys
        def handler(event, context): return sys.warnoptions
    """)
    assert context_value(instance) == ["ignore"]


def test_a_log_record_carries_the_request_id_and_utc(function: MakeInstance) -> None:
    instance = function("""
        import logging
        logging.basicConfig(format="mine: %(message)s")
        def handler(event, context):
            logging.debug("unseen")
            logging.info("seen %s", event.decode())
    """)
    instance.invoke(b"1", credentials=None, request_id="r-1")
    log = instance.invoke(b"2", credentials=None, request_id="r-2").log
    assert [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME", line) for line in log.splitlines()] == [
        "FC Invoke Start RequestId: r-2",
        "TIME r-2 [INFO] seen 2",
        "FC Invoke End RequestId: r-2",
    ]


def test_a_failure_is_logged_once_and_named_in_the_last_line(function: MakeInstance) -> None:
    result = function("def handler(event, context): raise ValueError('bad order')").invoke(
        b"", credentials=None, request_id="r-1"
    )
    lines = result.log.splitlines()
    assert lines[-1] == "FC Invoke End RequestId: r-1, Error: Unhandled function error"
    assert result.log.count("bad order") == 2  # errorMessage and the source line in one record
    assert " r-1 [ERROR] {" in lines[1]


def test_stdout_and_stderr_of_one_invocation_are_its_log_in_order(function: MakeInstance) -> None:
    instance = function("""
        import os, sys
        def handler(event, context):
            print("a")
            print("b", file=sys.stderr)
            os.system("echo c")
            print("d", end="")
    """)
    log = instance.invoke(b"", credentials=None, request_id="r").log
    assert log == "FC Invoke Start RequestId: r\na\nb\nc\ndFC Invoke End RequestId: r\n"


def test_much_log_does_not_block_the_function(function: MakeInstance) -> None:
    result = function("def handler(event, context): print('x' * (1 << 20))").invoke(b"", credentials=None)
    assert result.log.count("x") == 1 << 20


def test_a_handler_that_closes_its_streams_still_answers(function: MakeInstance) -> None:
    result = function("""
        import sys
        def handler(event, context):
            sys.stdout.close()
            return "ok"
    """).invoke(b"", credentials=None)
    assert result.body == b"ok"


BUDGET_OF_MODULES = 50  # beyond what the interpreter itself loads when it starts


def test_little_is_loaded_before_the_users_module(function: MakeInstance) -> None:
    bare = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    instance = function("""
        import sys
        LOADED = sorted(sys.modules)
        def handler(event, context): return LOADED
    """)
    loaded = context_value(instance)
    assert isinstance(loaded, list)
    added = set(loaded) - set(bare.stdout.decode().split())
    heavy = {"requests", "pydantic", "attrs", "attr", "asyncio", "ssl", "http", "email", "dataclasses", "typing"}
    assert not {name for name in added if name.partition(".")[0] in {*heavy, "fc_callback"}}
    assert len(added) <= BUDGET_OF_MODULES


def test_running_a_function_leaves_the_callers_own_logging_alone(function: MakeInstance) -> None:
    def state() -> tuple[object, ...]:
        root = logging.getLogger()
        return list(root.handlers), root.level, logging.Formatter.converter

    before = state()
    context_value(function("def handler(event, context): return 1"))
    assert state() == before
