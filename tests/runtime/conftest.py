"""Functions written into a directory of their own and run in processes of their own."""

from __future__ import annotations

import contextlib
import textwrap
from typing import TYPE_CHECKING

import pytest

from fc_callback.runtime import FunctionInstance, FunctionPool, FunctionSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.runtime.runtime_support import MakeInstance, MakePool, MakeSpec


@pytest.fixture(params=["python3.10", "python3.12"])
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def spec(tmp_path: Path, runtime: str) -> MakeSpec:
    def make(code: str, **options: object) -> FunctionSpec:
        code_dir = tmp_path / "code"
        code_dir.mkdir(exist_ok=True)
        (code_dir / "index.py").write_text(textwrap.dedent(code), encoding="utf-8")
        options = {"name": "orders", "runtime": runtime, "timeout_seconds": 30, **options}
        return FunctionSpec(code_dir=code_dir, **options)  # type: ignore[arg-type]  # the tests name the options

    return make


@pytest.fixture
def function(spec: MakeSpec) -> Iterator[MakeInstance]:
    with contextlib.ExitStack() as instances:

        def make(code: str, **options: object) -> FunctionInstance:
            return instances.enter_context(FunctionInstance(spec(code, **options)))

        yield make


@pytest.fixture
def pool(spec: MakeSpec) -> Iterator[MakePool]:
    with contextlib.ExitStack() as pools:

        def make(code: str, *, max_instances: int, **options: object) -> FunctionPool:
            return pools.enter_context(FunctionPool(spec(code, **options), max_instances=max_instances))

        yield make
