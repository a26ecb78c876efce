"""One root for every error that can leave the package, and a docstring that draws the tree as it is."""

from __future__ import annotations

import builtins
import importlib
import pickle
import pkgutil
import re
from typing import TYPE_CHECKING

import pytest

import fc_callback
from fc_callback import FcCallbackError, TaskFailed, errors, once, task_callback
from fc_callback.idempotency import idempotent
from fc_callback.local import Fault, LocalCloudFlow, NoWaitingTask, StillRunning
from fc_callback.runtime.wsgi import HandlerNotLoaded, wsgi_app
from fc_callback.testing import MockTransport, events, make_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fc_callback.testing import TaskCloudFlow

# A script that stands alone in a process of its own; what loads a handler for a person raises HandlerNotLoaded instead.
STANDS_ALONE = {"fc_callback.runtime.worker.LoadError"}
LINE = re.compile(r"    (?P<depth>(?:│   |    )*)(?:[├└]── )?(?P<name>[A-Z]\w+)(?: \((?P<also>\w+)\))?(?:  +.+)?$")


def modules() -> Iterator[str]:
    for module in pkgutil.walk_packages(fc_callback.__path__, "fc_callback."):
        if not module.name.endswith("__main__") and "._templates" not in module.name:
            yield module.name


def exception_classes() -> dict[str, type[BaseException]]:
    """Return every exception class that a module of the package defines, by its full name."""
    found = {}
    for name in modules():
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, type) and issubclass(value, BaseException) and value.__module__ == name:
                found[f"{name}.{value.__qualname__}"] = value
    return found


def test_every_exception_class_of_the_package_has_the_one_root() -> None:
    found = exception_classes()
    assert {"fc_callback.local.api_errors.ApiError", "fc_callback.building.errors.BuildError"} <= set(found)
    assert {name for name, cls in found.items() if not issubclass(cls, FcCallbackError)} == STANDS_ALONE


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    """Each line names a class, the builtin it is as well, and stands below its base class."""
    drawn: dict[str, tuple[str | None, str | None]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        depth = len(match["depth"]) // 4 + ("──" in line)
        above[depth:] = [match["name"]]
        drawn[match["name"]] = (above[depth - 1] if depth else None, match["also"])
    own = {
        name: cls for name, cls in vars(errors).items() if isinstance(cls, type) and issubclass(cls, FcCallbackError)
    }
    actual: dict[str, tuple[str | None, str | None]] = {}
    for name, cls in own.items():
        bases = [base.__name__ for base in cls.__bases__]
        also = next((base for base in bases if hasattr(builtins, base) and base != "Exception"), None)
        actual[name] = (next((base for base in bases if base in own), None), also)
    elsewhere = {name: drawn.pop(name) for name in [*drawn] if name not in own}
    assert drawn == actual
    classes = {cls.__name__: cls for cls in exception_classes().values()}
    for name, (base, also) in elsewhere.items():
        assert [one.__name__ for one in classes[name].__bases__] == [base, *([also] if also else [])], name


def test_the_tree_names_the_errors_of_every_room_a_person_calls() -> None:
    drawn = errors.__doc__ or ""
    for name in (
        "CloudFlowError",
        "ApiError",
        "StillRunning",
        "NoWaitingTask",
        "BuildError",
        "TemplateError",
        "HandlerNotLoaded",
    ):
        assert re.search(rf"\b{name}\b", drawn), name


def test_errors_of_the_local_service_have_the_root(local_cloudflow: TaskCloudFlow) -> None:
    task = local_cloudflow.new_task()
    with pytest.raises(FcCallbackError) as still:
        local_cloudflow.wait(task.flow, task.execution, timeout=0.01)
    assert isinstance(still.value, (StillRunning, TimeoutError))
    local_cloudflow.stop(task.flow, task.execution)
    with pytest.raises(FcCallbackError) as none:
        local_cloudflow.waiting_token(task.flow, task.execution)
    assert isinstance(none.value, NoWaitingTask)
    assert isinstance(none.value, LookupError)
    for call in (
        lambda: local_cloudflow.advance(-1),
        lambda: local_cloudflow.describe("no-flow", "no-execution"),
        lambda: local_cloudflow.create_flow("bad", "type: flow"),
        lambda: Fault("boom"),
        local_cloudflow.start_service,
    ):
        with pytest.raises(FcCallbackError):
            call()


def nothing_to_give(event: object, context: object, more: object) -> None: ...


@pytest.mark.parametrize(
    ("call", "also"),
    [
        (lambda: TaskFailed("x" * 129), ValueError),
        (lambda: make_context("python2.7"), ValueError),  # type: ignore[arg-type]  # what is tested
        (lambda: events.direct("text", token="t"), ValueError),
        (lambda: MockTransport(5), ValueError),  # type: ignore[arg-type]  # what is tested
        (lambda: task_callback(5), TypeError),  # type: ignore[call-overload]  # what is tested
        (lambda: task_callback(nothing_to_give), TypeError),
        (lambda: idempotent(once("id", store="memory:"))(task_callback(lambda event, context: None)), TypeError),
    ],
    ids=[
        "a failure's name",
        "a runtime",
        "a token for a text",
        "a mock's handler",
        "no function",
        "a parameter too many",
        "idempotent above a task",
    ],
)
def test_what_is_used_wrongly_has_the_root_and_the_nearest_builtin(
    call: Callable[[], object], also: type[Exception]
) -> None:
    with pytest.raises(FcCallbackError) as caught:
        call()
    assert isinstance(caught.value, also)


def test_a_function_that_cannot_be_imported_has_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "breaking_for_the_tree.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(FcCallbackError) as caught:
        wsgi_app("breaking_for_the_tree.handler").load()
    assert isinstance(caught.value, HandlerNotLoaded)
    assert (caught.value.kind, isinstance(caught.value, ImportError)) == ("ImportModuleError", True)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.kind) == (str(caught.value), "ImportModuleError")


def test_the_local_service_closed_is_told_by_the_root() -> None:
    service = LocalCloudFlow()
    with pytest.raises(FcCallbackError, match="is not running"):
        service.create_flow("a", "b")
