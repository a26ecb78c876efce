"""Functions run in their own processes also without the calls that only Linux has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.without_posix.lacking import MACOS, environment_of, run_code

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("runtime", ["python3.12", "custom"])
def test_a_function_runs_in_a_process_of_its_own_and_ends_with_it(tmp_path: Path, runtime: str) -> None:
    (tmp_path / "index.py").write_text("def handler(event, context):\n    return event.decode()\n")
    ran = run_code(
        f"""
        from pathlib import Path
        from fc_callback.runtime import FunctionInstance, FunctionSpec
        import fc_callback.runtime.process

        environment = {environment_of(MACOS)!r}
        spec = FunctionSpec(name="f", code_dir=Path.cwd(), runtime={runtime!r}, environment=environment)
        with FunctionInstance(spec) as instance:
            ended = instance.invoke(b"order", credentials=None)
            print(ended.error_type, ended.body.decode(), ended.log)
        assert not hasattr(fc_callback.runtime.process.os, "waitid"), "nothing was lacking"
        """,
        system=MACOS,
        folder=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("None ")
    assert "order" in ran.stdout
